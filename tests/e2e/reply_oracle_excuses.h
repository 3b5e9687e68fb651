// Where gemel's reply may be another than Redis's.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_EXCUSES_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_EXCUSES_H_

#include <span>
#include <string>
#include <string_view>

namespace gemel::e2e::reply_oracle_test {

struct Excuse {
  std::string_view row;    // empty: any
  std::string_view gemel;  // what its reply has somewhere
  std::string_view redis;
  std::string_view why;
};

// What README.md says of it.
std::span<const Excuse> ByDesign();
// What is to be put right: empty is best.
std::span<const Excuse> KnownDeviations();
// Null if none fits.
const Excuse* FindExcuse(std::string_view row, std::string_view gemel, std::string_view redis);

// A row of gemel's COMMAND LIST that is not sent, or only ever answered by an error, and why.
// Empty: it must be answered without one. `copies`: of each shard.
std::string_view WhyNeverAnswered(std::string_view row, int copies);
// Whether it is sent at all.
bool IsSent(std::string_view row);

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_EXCUSES_H_

// Where gemel's reply may be another than Redis's.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_EXCUSES_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_EXCUSES_H_

#include <string_view>

namespace gemel::e2e::reply_oracle_test {

struct Excuse {
  std::string_view row;    // empty: any
  std::string_view gemel;  // what its reply has somewhere
  std::string_view redis;
  std::string_view why;
};

// Of what is so by design. Null if none fits.
const Excuse* FindExcuse(std::string_view row, std::string_view gemel, std::string_view redis);

// Why a row of gemel's COMMAND LIST is not sent, or only ever answered by an error. Empty: it must
// be answered without one.
std::string_view WhyNeverAnswered(std::string_view row);
// Whether it is sent at all.
bool IsSent(std::string_view row);

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_EXCUSES_H_

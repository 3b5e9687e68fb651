// Random sessions: what a client sends, in batches.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_SESSION_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_SESSION_H_

#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/random_draw.h"
#include "tests/e2e/reply_oracle_grammar.h"
#include "tests/e2e/reply_oracle_words.h"

namespace gemel::e2e::reply_oracle_test {

using Batch = std::vector<Words>;

struct SessionKind {
  bool spread = false;         // keys of several hash tags, which are on several shards
  std::string libraries = {};  // what FUNCTION DUMP says of some
};

class RandomSession {
 public:
  // `rows`: what is sent.
  RandomSession(const std::vector<Grammar>& rows, unsigned seed, const Stock& stock,
                SessionKind kind);

  // Keys of all types.
  Batch Fill();
  Batch Next();
  Words ScanOptions();
  // The same row, rightly.
  Batch Of(std::string_view row);

 private:
  const Grammar& Row();
  void AddCommand(bool in_block, Batch* batch);
  void AddBlock(Batch* batch);
  void AddMisuse(Batch* batch);
  void ChooseTag();

  const std::vector<Grammar>& rows_;
  const SessionKind kind_;
  Draw draw_;
  WordMaker maker_;
};

// The row that a command is, or "?".
std::string_view RowOf(const Words& words);

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_SESSION_H_

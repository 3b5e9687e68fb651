// Commands with random arguments, made by their grammar.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_WORDS_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_WORDS_H_

#include <string>
#include <string_view>

#include "tests/e2e/random_draw.h"
#include "tests/e2e/reply_oracle_grammar.h"

namespace gemel::e2e::reply_oracle_test {

// Mostly right.
class WordMaker {
 public:
  // `spread`: what is split over shards has keys of several tags. `libraries`: for FUNCTION
  // RESTORE.
  WordMaker(Draw* draw, bool spread, std::string libraries)
      : draw_(*draw), spread_(spread), libraries_(std::move(libraries)) {}

  Words Make(const Grammar& grammar);
  // Something wrong with it.
  void Spoil(Words* words);
  // One of all.
  std::string Key();

 private:
  void Walk(const std::vector<Argument>& arguments);
  void WalkOne(const Argument& argument);
  size_t Repetitions(const Argument& argument);
  std::string Value(const Argument& argument);
  std::string KeyOfGroup();
  std::string SortPattern();
  std::string MixedCase(std::string word);
  std::string Odd();
  void MakeRanges();

  Draw& draw_;
  const bool spread_;
  const std::string libraries_;
  const Grammar* grammar_ = nullptr;
  Words words_;         // so far
  size_t numkeys_ = 0;  // if the number of keys has been told, else 0
  size_t keys_ = 0;     // of the last run of them
};

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_WORDS_H_

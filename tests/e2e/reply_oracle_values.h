// What stands for an argument of a command, by what COMMAND DOCS calls it.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_VALUES_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_VALUES_H_

#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/random_draw.h"
#include "tests/e2e/reply_oracle_grammar.h"

namespace gemel::e2e::reply_oracle_test {

using ValueMaker = std::string (*)(Draw& draw);

// What they say and write is the same on any server.
const std::vector<std::string>& OracleScripts();

// Never null.
ValueMaker MakerOfValue(const std::string& row, const Argument& argument);

// Of a row whose arguments the grammar does not say, or where some of them would end or change a
// server: all of them, as WordsOfValue takes them apart. Else null.
ValueMaker MakerOfArguments(std::string_view row);
// Apart by spaces; \_ is a space in a word, \n a line feed.
Words WordsOfValue(const std::string& value);

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_VALUES_H_

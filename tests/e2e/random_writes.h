// Random commands that write: of every row of the table that can be sent to a shard of two copies,
// mostly right, sometimes wrong.

#ifndef GEMEL_TESTS_E2E_RANDOM_WRITES_H_
#define GEMEL_TESTS_E2E_RANDOM_WRITES_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"
#include "tests/e2e/client.h"
#include "tests/e2e/random_draw.h"

namespace gemel::e2e {

// A command of the row, with its name. A new row: a maker in the file of its group.
using Maker = Words (*)(Draw& draw);
using Makers = std::map<std::string_view, Maker>;

Makers StringMakers();      // strings, bitmaps, HyperLogLogs
Makers KeyMakers();         // keys of any type, and whole databases
Makers ListAndSetMakers();  // and hashes
Makers SortedSetMakers();   // and places
Makers StreamMakers();
Makers ScriptMakers();
Makers AllMakers();

// The rows that a maker is wanted for.
std::vector<std::string_view> RowsThatWrite();

// Scripts that EVAL and EVALSHA run, with two keys and one argument.
std::vector<std::string> ScriptTexts();
// The same as functions, f0 and so on, but for some.
std::string FunctionLibrary();
// Makes it with what is written through this client, and leaves no key.
Stock MakeStock(Client client);

class RandomWrites {
 public:
  RandomWrites(unsigned seed, const Stock& stock, Circumstances circumstances);

  struct Command {
    std::string_view row;
    Words words;
  };
  Command Next();
  Words Of(std::string_view row) { return AllMakers().at(row)(draw_); }
  // The same in a script that declares its keys, or one of them, or with others in one; the row is
  // that of EVAL.
  Command InScript();
  Words Read();
  Draw& draw() { return draw_; }

 private:
  void Spoil(Words* words);

  Draw draw_;
  std::vector<std::pair<std::string_view, Maker>> makers_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_RANDOM_WRITES_H_

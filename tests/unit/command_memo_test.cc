// What the memo of rows says, it says as the table does.

#include "backend/command/command_memo.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel::command_memo_test {
namespace {

using Words = std::vector<std::string_view>;

// A frame in memory of exactly its size, so that a sanitizer sees reads beyond it.
class Frame {
 public:
  explicit Frame(const Words& words) {
    std::string text;
    AppendCommand(&text, words);
    bytes_.assign(text.begin(), text.end());
    bytes_.shrink_to_fit();
    SplitFrame({bytes_.data(), bytes_.size()}, &args_);
  }
  const Words& args() const { return args_; }

 private:
  std::vector<char> bytes_;
  Words args_;
};

TEST(CommandMemo, SaysWhatTheTableSays) {
  const CommandTable table;
  const CommandNames known(&table);
  CommandMemo memo;
  std::vector<std::string> names = {"",  "x",       "g",        "ge",       "gett",
                                    "G", "getgetg", "getgetge", "CoNfIg",   std::string("get\0", 4),
                                    "*", "$",       "config|",  "nonesuch", std::string(40, 'g')};
  for (const CommandRow& row : table.rows()) {
    std::string name(row.name.substr(0, row.name.find('|')));
    names.push_back(name);
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    names.push_back(name);
    names.push_back(name + "x");
    names.push_back(name.substr(1));
  }
  const std::vector<std::string> seconds = {"", "get", "SET", "help", "no such", "key"};
  std::mt19937 random(11);
  for (int step = 0; step < 200000; ++step) {
    const std::string& name = names[random() % (step % 2000 < 1000 ? names.size() : 20)];
    Words words = {name};
    if (random() % 8 != 0) words.push_back(seconds[random() % seconds.size()]);
    if (random() % 4 == 0) words.push_back("more");
    const Frame frame(words);
    ASSERT_EQ(memo.Find(known, frame.args()), known.Find(frame.args())) << step << ": " << name;
  }
}

TEST(CommandMemo, KnowsTheOperatorsCommands) {
  ExtraCommand mine;
  mine.name = "my.get";
  mine.arity = 2;
  mine.first_key = 1;
  const CommandTable table({mine});
  const CommandNames known(&table);
  CommandMemo memo;
  for (const std::string_view name : {"my.get", "MY.GET", "my.get", "my.gett", "get", "My.Get"}) {
    const Frame frame({name, "k"});
    EXPECT_EQ(memo.Find(known, frame.args()), known.Find(frame.args())) << name;
  }
}

}  // namespace
}  // namespace gemel::command_memo_test

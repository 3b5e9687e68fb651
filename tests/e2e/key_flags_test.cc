// COMMAND GETKEYSANDFLAGS: what gemel says of a command's keys is what redis-server says.

#include "backend/command/key_flags.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/redis_node.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::key_flags_test {
namespace {

// Of every row whose keys stand at fixed places, and of these lines.
TEST(KeyFlags, AreThoseOfRedis) {
  const CommandTable table;
  RedisNode node;
  Client redis = node.Connect();
  std::vector<std::string> lines = {"eval s 2 a b",
                                    "eval_ro s 1 a",
                                    "evalsha s 1 a b",
                                    "fcall f 2 a b c",
                                    "fcall_ro f 1 a",
                                    "zunion 2 a b",
                                    "zdiff 1 a",
                                    "zintercard 2 a b",
                                    "sintercard 1 a",
                                    "zunionstore d 2 a b",
                                    "zinterstore d 1 a",
                                    "zdiffstore d 2 a b",
                                    "lmpop 2 a b left",
                                    "zmpop 1 a min count 2",
                                    "blmpop 0 1 a left",
                                    "bzmpop 0 2 a b min",
                                    "xread streams a 0",
                                    "xreadgroup group g c streams a b > >",
                                    "sort a",
                                    "sort a store b",
                                    "sort_ro a",
                                    "georadius k 0 0 1 m",
                                    "georadius k 0 0 1 m store d",
                                    "georadius_ro k 0 0 1 m",
                                    "georadiusbymember k m 1 m storedist d",
                                    "set a 1 get",
                                    "set a 1 px 1 get",
                                    "bitfield a get u8 0",
                                    "bitfield a set u8 0 1",
                                    "bitfield a incrby u8 0 1"};
  for (const CommandRow& row : table.rows()) {
    if (row.key_rule != KeyRule::kRange ||
        (row.flags & (kCmdPubSub | kCmdContainer | kCmdDebug)) != 0) {
      continue;
    }
    if (row.name.starts_with("restore-asking") || row.name == "bitfield") continue;
    std::string line(row.name);
    std::replace(line.begin(), line.end(), '|', ' ');
    const size_t more = row.last_key < 0 && row.key_step == 1 ? 1 : 0;  // PFMERGE needs two
    const size_t least =
        more + static_cast<size_t>(std::max<int>(std::abs(row.arity), row.last_key + 1));
    for (size_t words = WordsOf(line).size(); words < least; ++words) line += " k";
    lines.push_back(line);
  }
  EXPECT_GT(lines.size(), 150u);
  for (const std::string& line : lines) {
    const Words words = WordsOf(line);
    const std::vector<std::string_view> args(words.begin(), words.end());
    const CommandRow* row = table.Find(args);
    ASSERT_NE(row, nullptr) << line;
    Words get = {"COMMAND", "GETKEYSANDFLAGS"};
    get.insert(get.end(), words.begin(), words.end());
    const Reply reply = redis.Run(get);
    ASSERT_EQ(reply.kind, Reply::Kind::kArray) << line << " " << reply;
    const KeyFlags flags = KeyFlagsOf(*row, args);
    for (size_t i = 0; i < reply.items.size(); ++i) {
      std::string expected;
      for (const Reply& word : reply.items[i].items.at(1).items) {
        expected += (expected.empty() ? "" : " ") + word.bytes;
      }
      EXPECT_EQ(i == 0 ? flags.first : flags.rest, expected) << line << ", key " << i;
    }
  }
}

}  // namespace
}  // namespace gemel::e2e::key_flags_test

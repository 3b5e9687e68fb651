// What follows a write that one copy executes first: rewrites, and scripts that are confined.

#include "backend/command/rewrite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/script_guard.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel::rewrite_test {
namespace {

using Args = std::vector<std::string_view>;

// The command in words, or "?" where it cannot be told.
std::string Spop(const Args& args, std::string_view reply) {
  std::string frame;
  if (!RewriteSpop(args, reply, &frame)) return "?";
  if (frame.empty()) return "";
  Args words;
  SplitFrame(frame, &words);
  std::string line;
  for (const std::string_view word : words) line += std::string(word) + " ";
  return line;
}

TEST(Rewrite, Spop) {
  EXPECT_EQ(Spop({"spop", "k"}, "$1\r\na\r\n"), "SREM k a ");
  EXPECT_EQ(Spop({"spop", "k"}, "$0\r\n\r\n"), "SREM k  ");
  EXPECT_EQ(Spop({"spop", "k"}, "$-1\r\n"), "");
  EXPECT_EQ(Spop({"spop", "k", "2"}, "*2\r\n$1\r\na\r\n$1\r\nb\r\n"), "SREM k a b ");
  EXPECT_EQ(Spop({"spop", "k", "2"}, "*0\r\n"), "");
}

// The second word: the script as the first copy gets it.
std::string Confined(std::string_view script) {
  const std::string frame = ConfineScript(Args{"EVAL", script, "1", "k", "v"});
  Args words;
  SplitFrame(frame, &words);
  EXPECT_EQ(words.size(), 5u);
  EXPECT_EQ(words[0], "EVAL");
  EXPECT_EQ(words[2], "1");
  EXPECT_EQ(words[4], "v");
  return std::string(words[1]);
}

TEST(ConfineScript, KeepsTheLines) {
  const std::string plain = Confined("return 1\nreturn 2");
  EXPECT_TRUE(plain.starts_with("local redis,"));
  EXPECT_TRUE(plain.ends_with(";return 1\nreturn 2"));
  EXPECT_EQ(std::count(plain.begin(), plain.end(), '\n'), 1);
  const std::string shebang = Confined("#!lua flags=no-writes\nreturn 1");
  EXPECT_TRUE(shebang.starts_with("#!lua flags=no-writes\nlocal redis,"));
  EXPECT_TRUE(shebang.ends_with(";return 1"));
  EXPECT_EQ(Confined("#!lua"), "#!lua");  // no script, as the server will say
}

}  // namespace
}  // namespace gemel::rewrite_test

// Keyspace notifications for a user with a key space of its own.

#include "backend/spaces/space_channels.h"

#include <gtest/gtest.h>

#include "backend/command/glob.h"
#include "backend/resp/resp_writer.h"

namespace gemel::space_channels_test {
namespace {

constexpr std::string_view kPrefix = "t*:";

std::string Pattern(std::string_view text) {
  return ChannelInSpace(ChannelKind::kPattern, text, kPrefix).value_or("refused");
}
std::string Heard(const std::vector<std::string_view>& message) {
  std::string own;
  if (!MessageOfClient(CommandFrame(message), kPrefix, &own)) return "nothing";
  return own.empty() ? "as it is" : own;
}

TEST(SpaceChannels, EscapedPrefixesMatchThemselves) {
  for (const std::string_view text : {"a", "*", "a?[b]\\c", "\\", "[", "]^-"}) {
    EXPECT_TRUE(GlobMatchesExactly(GlobEscaped(text), text)) << text;
  }
  EXPECT_FALSE(GlobMatchesExactly(GlobEscaped("t*:"), "tx:"));
}

TEST(SpaceChannels, PatternsAreSaidWithThePrefixOrRefused) {
  EXPECT_EQ(Pattern("__keyspace@0__:a*"), "__keyspace@0__:t\\*:a*");
  EXPECT_EQ(Pattern("__keyspace@12__:*"), "__keyspace@12__:t\\*:*");
  EXPECT_EQ(Pattern("__keyspace@*__:*"), "__keyspace@*__:t\\*:*");
  for (const char* same :
       {"*", "news.*", "*.news", "__keyevent@*", "__keyevent@0__:*", "__keyevent@*__:expired",
        "__key*", "__key*__:*", "__keyspace@*", "__keyspace@0*", "__keyspace@?__:*"}) {
    EXPECT_EQ(Pattern(same), same);
  }
  for (const char* refused :
       {"__key*:a", "__key*__:a*", "__keyspace@?__:a", "__keyspace*a", "__key*x*", "__key*\\*"}) {
    EXPECT_EQ(Pattern(refused), "refused");
  }
  EXPECT_EQ(ChannelInSpace(ChannelKind::kChannel, "__keyspace@0__:*", kPrefix),
            "__keyspace@0__:t*:*");
  EXPECT_EQ(ChannelInSpace(ChannelKind::kShardChannel, "__keyspace@0__:k", kPrefix),
            "__keyspace@0__:k");
}

TEST(SpaceChannels, AndBack) {
  for (const char* text :
       {"__keyspace@0__:a*", "__keyspace@*__:*", "__key*", "n*", "__keyevent@*"}) {
    EXPECT_EQ(ChannelOfClient(ChannelKind::kPattern, Pattern(text), kPrefix), text);
  }
  EXPECT_EQ(ChannelOfClient(ChannelKind::kChannel, "__keyspace@0__:t*:k", kPrefix),
            "__keyspace@0__:k");
}

TEST(SpaceChannels, MessagesOfItsKeysAlone) {
  EXPECT_EQ(Heard({"message", "news", "t*:"}), "as it is");
  EXPECT_EQ(Heard({"pmessage", "*", "news", "x"}), "as it is");
  EXPECT_EQ(Heard({"smessage", "__keyspace@0__:k", "x"}), "as it is");
  EXPECT_EQ(Heard({"message", "__keyspace@0__:t*:k", "set"}),
            CommandFrame({"message", "__keyspace@0__:k", "set"}));
  EXPECT_EQ(Heard({"message", "__keyspace@0__:tx:k", "set"}), "nothing");
  EXPECT_EQ(Heard({"message", "__keyevent@0__:set", "t*:k"}),
            CommandFrame({"message", "__keyevent@0__:set", "k"}));
  EXPECT_EQ(Heard({"message", "__keyevent@0__:set", "u:k"}), "nothing");
  EXPECT_EQ(Heard({"pmessage", "__keyspace@0__:t\\*:*", "__keyspace@0__:t*:k", "set"}),
            CommandFrame({"pmessage", "__keyspace@0__:*", "__keyspace@0__:k", "set"}));
  EXPECT_EQ(Heard({"pmessage", "__key*", "__keyevent@3__:del", "t*:k"}),
            CommandFrame({"pmessage", "__key*", "__keyevent@3__:del", "k"}));
  // A pattern that says nothing of keys hears nothing of them.
  EXPECT_EQ(Heard({"pmessage", "*", "__keyspace@0__:t*:k", "set"}), "nothing");
  // Another's key that has what looks like this one's in it.
  EXPECT_EQ(Heard({"pmessage", "__keyspace@*__:t\\*:k", "__keyspace@0__:u__:t*:k", "set"}),
            "nothing");
  EXPECT_EQ(Heard({"pmessage", "__keyspace@*__:t\\*:k", "__keyspace@0__:t*:__:t*:k", "set"}),
            "nothing");
}

}  // namespace
}  // namespace gemel::space_channels_test

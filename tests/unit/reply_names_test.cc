// Names of keys in replies, without their prefix.

#include "backend/resp/reply_names.h"

#include <gtest/gtest.h>

namespace gemel::reply_names_test {
namespace {

std::string Without(std::string_view reply, ReplyNames names) {
  std::string out;
  AppendWithoutPrefix(reply, names, "t:", &out);
  return out;
}

TEST(ReplyNamesTest, OfLists) {
  EXPECT_EQ(Without("*3\r\n$3\r\nt:a\r\n$2\r\nt:\r\n$3\r\nu:a\r\n", ReplyNames::kElements),
            "*2\r\n$1\r\na\r\n$0\r\n\r\n");
  EXPECT_EQ(Without("*0\r\n", ReplyNames::kElements), "*0\r\n");
  EXPECT_EQ(Without("*2\r\n$3\r\nt:9\r\n*2\r\n$3\r\nt:a\r\n$3\r\nt:b\r\n", ReplyNames::kLastList),
            "*2\r\n$3\r\nt:9\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(Without("%1\r\n$8\r\nprefixes\r\n~1\r\n$3\r\nt:a\r\n", ReplyNames::kLastList),
            "%1\r\n$8\r\nprefixes\r\n~1\r\n$1\r\na\r\n");
}

TEST(ReplyNamesTest, OfPops) {
  EXPECT_EQ(Without("*2\r\n$3\r\nt:a\r\n$3\r\nt:v\r\n", ReplyNames::kFirst),
            "*2\r\n$1\r\na\r\n$3\r\nt:v\r\n");
  EXPECT_EQ(Without("*2\r\n$3\r\nt:a\r\n*1\r\n*2\r\n$1\r\nm\r\n,1\r\n", ReplyNames::kFirst),
            "*2\r\n$1\r\na\r\n*1\r\n*2\r\n$1\r\nm\r\n,1\r\n");
}

TEST(ReplyNamesTest, OfStreams) {
  EXPECT_EQ(
      Without("%2\r\n$3\r\nt:a\r\n*0\r\n$3\r\nt:b\r\n*1\r\n$3\r\nt:x\r\n", ReplyNames::kMapKeys),
      "%2\r\n$1\r\na\r\n*0\r\n$1\r\nb\r\n*1\r\n$3\r\nt:x\r\n");
  EXPECT_EQ(Without("*1\r\n*2\r\n$3\r\nt:a\r\n*0\r\n", ReplyNames::kMapKeys),
            "*1\r\n*2\r\n$1\r\na\r\n*0\r\n");
}

TEST(ReplyNamesTest, NullsErrorsAndOthersStay) {
  for (const ReplyNames names : {ReplyNames::kInError, ReplyNames::kElements, ReplyNames::kLastList,
                                 ReplyNames::kFirst, ReplyNames::kMapKeys}) {
    for (const char* reply : {"_\r\n", "*-1\r\n", "$-1\r\n", "+QUEUED\r\n", "-ERR 't:a'\r\n",
                              ":1\r\n", "$3\r\nt:a\r\n"}) {
      EXPECT_EQ(Without(reply, names), reply);
    }
    EXPECT_EQ(Without("-NOGROUP No such key 't:k' or consumer group 't:g'\r\n", names),
              "-NOGROUP No such key 'k' or consumer group 't:g'\r\n");
    EXPECT_EQ(Without("-NOGROUP No such consumer group 't:g' for key name 't:k'\r\n", names),
              "-NOGROUP No such consumer group 't:g' for key name 'k'\r\n");
  }
  EXPECT_EQ(Without("*1\r\n$3\r\nt:a\r\n", ReplyNames::kNone), "*1\r\n$3\r\nt:a\r\n");
}

}  // namespace
}  // namespace gemel::reply_names_test

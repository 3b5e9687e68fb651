// Where replies end: every type of RESP2 and RESP3, nested and cut anywhere.

#include "backend/resp/reply_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace gemel::reply_reader_test {
namespace {

struct Outcome {
  std::vector<std::string> replies;
  std::string error;

  bool operator==(const Outcome&) const = default;
};

Outcome ReadAll(const std::string& input, const std::vector<size_t>& cuts,
                const ReplyLimits& limits = {}) {
  Outcome outcome;
  ReplyReader reader;
  size_t begin = 0;
  for (size_t cut : cuts) {
    while (begin < cut) {
      const std::vector<char> seen(input.begin() + static_cast<ptrdiff_t>(begin),
                                   input.begin() + static_cast<ptrdiff_t>(cut));
      const ReplyReader::Status status = reader.Read(seen.data(), seen.size(), limits);
      if (status == ReplyReader::Status::kNeedMore) {
        EXPECT_GT(reader.needed(), seen.size());
        break;
      }
      if (status == ReplyReader::Status::kError) {
        outcome.error = reader.error();
        return outcome;
      }
      EXPECT_LE(reader.size(), seen.size());
      outcome.replies.emplace_back(seen.data(), reader.size());
      begin += reader.size();
      reader.Next();
    }
  }
  return outcome;
}

Outcome ReadWhole(const std::string& input, const ReplyLimits& limits = {}) {
  return ReadAll(input, {input.size()}, limits);
}

const std::vector<std::string>& Replies() {
  static const std::vector<std::string> replies = {
      "+OK\r\n",
      "+\r\n",
      "-ERR no\r\n",
      ":0\r\n",
      ":-12\r\n",
      "$0\r\n\r\n",
      "$-1\r\n",
      "$5\r\nab\r\nc\r\n",
      "$12\r\n" + std::string(12, 'x') + "\r\n",
      "$1234\r\n" + std::string(1234, 'x') + "\r\n",
      "*0\r\n",
      "*-1\r\n",
      "*2\r\n$1\r\na\r\n:1\r\n",
      "*3\r\n*0\r\n*2\r\n+a\r\n*1\r\n$-1\r\n$1\r\nx\r\n",
      "_\r\n",
      "#t\r\n",
      ",3.14\r\n",
      ",inf\r\n",
      "(3492890328409238509324850943850943825024385\r\n",
      "!9\r\nSYNTAX \r\n\r\n",
      "=7\r\ntxt:abc\r\n",
      "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n",
      "%0\r\n",
      "~2\r\n+a\r\n~1\r\n#f\r\n",
      ">3\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n_\r\n",
      "|1\r\n+ttl\r\n:3600\r\n$3\r\nabc\r\n",
      "*2\r\n|1\r\n+a\r\n|1\r\n+b\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
      "|0\r\n+OK\r\n",
  };
  return replies;
}

TEST(ReplyReader, ReadsEveryType) {
  for (const std::string& reply : Replies()) {
    EXPECT_EQ(ReadWhole(reply), (Outcome{{reply}, ""})) << reply;
  }
}

TEST(ReplyReader, SplitAtEveryByteGivesTheSameReplies) {
  std::string all;
  std::vector<size_t> every;
  for (const std::string& reply : Replies()) {
    for (size_t cut = 1; cut <= reply.size(); ++cut) {
      EXPECT_EQ(ReadAll(reply, {cut, reply.size()}), (Outcome{{reply}, ""})) << reply << " " << cut;
    }
    all += reply;
  }
  for (size_t i = 1; i <= all.size(); ++i) every.push_back(i);
  const Outcome expected{Replies(), ""};
  EXPECT_EQ(ReadAll(all, every), expected);
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<size_t> cuts;
    for (size_t at = 1 + random() % 40; at < all.size(); at += 1 + random() % 40)
      cuts.push_back(at);
    cuts.push_back(all.size());
    EXPECT_EQ(ReadAll(all, cuts), expected);
  }
}

// What was looked at is not looked at again, however long the line becomes.
TEST(ReplyReader, ALongLineInManyPieces) {
  constexpr size_t kLine = 16 << 20;
  constexpr size_t kPiece = 1 << 10;
  const std::string all = "+" + std::string(kLine, 'x') + "\r\n:7\r\n";
  ReplyReader reader;
  ReplyReader::Status status = ReplyReader::Status::kNeedMore;
  for (size_t size = kPiece; status == ReplyReader::Status::kNeedMore; size += kPiece) {
    status = reader.Read(all.data(), std::min(size, all.size()), {});
  }
  EXPECT_EQ(status, ReplyReader::Status::kReply);
  EXPECT_EQ(reader.size(), kLine + 3);
  const size_t first = reader.size();
  reader.Next();
  EXPECT_EQ(reader.Read(all.data() + first, all.size() - first, {}), ReplyReader::Status::kReply);
  EXPECT_EQ(reader.size(), 4u);
}

TEST(ReplyReader, RefusesGarbage) {
  for (const char* input :
       {"x\r\n", "\r\n", "$x\r\n", "$-2\r\n", "$01\r\na\r\n", "*1x\r\n", "%-5\r\n", "$?\r\n",
        "*2\r\n+a\r\nb\r\n", "$99999999999999999999\r\n", "$?\r\n0123456789abcde\r\n",
        "$:\r\n0123456789\r\n", "$1:\r\n01234567890123456789\r\n"}) {
    EXPECT_NE(ReadWhole(input).error, "") << input;
  }
  EXPECT_NE(ReadWhole("$" + std::string(100, '1')).error, "");
}

TEST(ReplyReader, HoldsItsLimits) {
  ReplyLimits limits;
  limits.max_bulk = 10;
  EXPECT_EQ(ReadWhole("$10\r\n0123456789\r\n", limits).error, "");
  EXPECT_NE(ReadWhole("$11\r\n", limits).error, "");
  EXPECT_NE(ReadWhole("+01234567890\r\n", limits).error, "");
  // Counts that no reply has, and that would overflow.
  std::string many;
  for (int i = 0; i < 8; ++i) many += "*9223372036854775807\r\n";
  EXPECT_NE(ReadWhole(many).error, "");
}

TEST(ReplyReader, TakesAnyNesting) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += i % 3 == 0 ? "*2\r\n:1\r\n" : "*1\r\n";
  deep += "$1\r\nx\r\n";
  const std::string two = deep + "+OK\r\n";
  ReplyReader reader;
  ASSERT_EQ(reader.Read(two.data(), two.size(), {}), ReplyReader::Status::kReply);
  EXPECT_EQ(reader.size(), deep.size());
  // In a map's value, an attribute's key, and beside others on each level.
  const std::string mixed =
      "%1\r\n*1\r\n*0\r\n*2\r\n|1\r\n*1\r\n:1\r\n*-1\r\n:2\r\n~1\r\n*1\r\n:3\r\n";
  ReplyReader other;
  ASSERT_EQ(other.Read(mixed.data(), mixed.size(), {}), ReplyReader::Status::kReply);
  EXPECT_EQ(other.size(), mixed.size());
}

TEST(ReplyReader, SaysHowMuchALargeStringNeeds) {
  ReplyReader reader;
  const std::string head = "*2\r\n:1\r\n$100000\r\nab";
  EXPECT_EQ(reader.Read(head.data(), head.size(), {}), ReplyReader::Status::kNeedMore);
  EXPECT_EQ(reader.needed(), head.size() - 2 + 100002);
}

TEST(SplitArray, GivesTheElements) {
  std::vector<std::string_view> parts;
  const std::string reply = "*3\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n|1\r\n+x\r\n+y\r\n$-1\r\n";
  ASSERT_TRUE(SplitArray(reply, &parts));
  EXPECT_EQ(parts, (std::vector<std::string_view>{"$1\r\na\r\n", "*2\r\n:1\r\n:2\r\n",
                                                  "|1\r\n+x\r\n+y\r\n$-1\r\n"}));
  parts.clear();
  EXPECT_FALSE(SplitArray("*-1\r\n", &parts));
  EXPECT_FALSE(SplitArray("+OK\r\n", &parts));
  EXPECT_TRUE(SplitArray("*0\r\n", &parts));
  EXPECT_TRUE(parts.empty());
}

TEST(ReplyText, GivesTheText) {
  EXPECT_EQ(ReplyText("+OK\r\n"), "OK");
  EXPECT_EQ(ReplyText("-ERR x\r\n"), "ERR x");
  EXPECT_EQ(ReplyText(":-7\r\n"), "-7");
  EXPECT_EQ(ReplyText("$3\r\na\r\n\r\n"), "a\r\n");
  EXPECT_EQ(ReplyText("$-1\r\n"), "");
  EXPECT_EQ(ReplyText("*1\r\n:1\r\n"), "");
}

}  // namespace
}  // namespace gemel::reply_reader_test

// The end of a reply that is not kept, against the reader of those that are.

#include "backend/resp/reply_skipper.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "backend/resp/reply_reader.h"

namespace gemel::reply_skipper_test {
namespace {

std::string Random(std::mt19937* random, int depth) {
  const auto number = [&](uint32_t below) { return static_cast<int>((*random)() % below); };
  switch (depth > 4 ? number(6) : number(10)) {
    case 0:
      return "+" + std::string(static_cast<size_t>(number(100)), 'l') + "\r\n";
    case 1:
      return ":" + std::to_string(number(1000)) + "\r\n";
    case 2:
      return "$-1\r\n";
    case 3:
      return "*-1\r\n";
    case 4:
    case 5: {
      std::string text;
      for (int i = number(200); i > 0; --i) text += "\r\n$*x"[number(5)];
      return (number(2) == 0 ? "$" : "=") + std::to_string(text.size()) + "\r\n" + text + "\r\n";
    }
    case 6: {
      const int size = number(3);
      std::string all = "%" + std::to_string(size) + "\r\n";
      for (int i = 0; i < 2 * size; ++i) all += Random(random, depth + 1);
      return all;
    }
    case 7:
      return "|1\r\n" + Random(random, depth + 1) + Random(random, depth + 1) +
             Random(random, depth + 1);
    default: {
      const int size = number(5);
      std::string all = "*" + std::to_string(size) + "\r\n";
      for (int i = 0; i < size; ++i) all += Random(random, depth + 1);
      return all;
    }
  }
}

TEST(ReplySkipperTest, FindsTheEndThatTheReaderFinds) {
  for (uint32_t seed = 1; seed <= 3000; ++seed) {
    std::mt19937 random(seed);
    const std::string reply = Random(&random, 0);
    const std::string bytes = reply + Random(&random, 0);
    ReplySkipper skipper;
    size_t at = 0;
    ReplySkipper::Status status = ReplySkipper::Status::kMore;
    while (status == ReplySkipper::Status::kMore) {
      ASSERT_LT(at, reply.size()) << "seed " << seed;
      const size_t size = std::min<size_t>(1 + random() % 20, bytes.size() - at);
      status = skipper.Feed(bytes.data() + at, size);
      at += skipper.used();
    }
    ASSERT_EQ(status, ReplySkipper::Status::kEnd) << "seed " << seed;
    ASSERT_EQ(at, reply.size()) << "seed " << seed;
    ASSERT_EQ(skipper.total(), reply.size());
  }
}

// From where a reader is in the middle of one.
TEST(ReplySkipperTest, GoesOnWhereTheReaderIs) {
  for (uint32_t seed = 1; seed <= 3000; ++seed) {
    std::mt19937 random(seed);
    const std::string reply = Random(&random, 0);
    const size_t cut = random() % reply.size();
    ReplyReader reader;
    if (cut == 0 || reader.Read(reply.data(), cut, ReplyLimits{}) != ReplyReader::Status::kNeedMore)
      continue;
    const size_t scanned = reader.size();
    ASSERT_LE(scanned, cut);
    ReplySkipper skipper(reader.values_left(), scanned);
    ASSERT_EQ(skipper.Feed(reply.data() + scanned, cut - scanned), ReplySkipper::Status::kMore)
        << "seed " << seed;
    ASSERT_EQ(skipper.used(), cut - scanned);
    ASSERT_EQ(skipper.Feed(reply.data() + cut, reply.size() - cut), ReplySkipper::Status::kEnd)
        << "seed " << seed;
    ASSERT_EQ(skipper.used(), reply.size() - cut);
    ASSERT_EQ(skipper.total(), reply.size());
  }
}

TEST(ReplySkipperTest, WhatIsNoReply) {
  for (const std::string text :
       {"?", "$x\r\n", "*1\r\n?", "$-2\r\n", "$\r\n", "*99999999999999999\r\n",
        "$1111111111111111111111111111111111111111", "*3\n"}) {
    ReplySkipper skipper;
    EXPECT_EQ(skipper.Feed(text.data(), text.size()), ReplySkipper::Status::kError) << text;
  }
}

}  // namespace
}  // namespace gemel::reply_skipper_test

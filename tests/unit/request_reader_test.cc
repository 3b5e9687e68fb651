// Requests cut into commands: Redis's errors, its limits, and the same frames however they arrive.

#include "backend/resp/request_reader.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace gemel::request_reader_test {
namespace {

struct Outcome {
  std::vector<std::vector<std::string>> commands;
  std::string frames;  // joined
  std::string error;
  size_t used = 0;  // of the input

  bool operator==(const Outcome&) const = default;
};

// Reads `input`, which arrives in pieces that end at `cuts`, as a session does.
Outcome ReadAll(const std::string& input, const std::vector<size_t>& cuts,
                const RequestLimits& limits = {}) {
  Outcome outcome;
  RequestReader reader;
  std::vector<std::string_view> args;
  size_t begin = 0;
  for (size_t cut : cuts) {
    while (begin < cut) {
      // Memory of its own size, so that a read past the end is found out.
      const std::vector<char> seen(input.begin() + static_cast<ptrdiff_t>(begin),
                                   input.begin() + static_cast<ptrdiff_t>(cut));
      const RequestReader::Status status = reader.Read(seen.data(), seen.size(), limits, &args);
      if (status == RequestReader::Status::kNeedMore) {
        EXPECT_GT(reader.needed(), seen.size());
        break;
      }
      if (status == RequestReader::Status::kError) {
        outcome.error = reader.error();
        return outcome;
      }
      if (status == RequestReader::Status::kCommand) {
        outcome.commands.emplace_back(args.begin(), args.end());
        outcome.frames += reader.frame();
        std::vector<std::string_view> again;
        SplitFrame(reader.frame(), &again);
        EXPECT_EQ(again, args);
      }
      begin += reader.consumed();
      outcome.used = begin;
    }
  }
  return outcome;
}

Outcome ReadWhole(const std::string& input, const RequestLimits& limits = {}) {
  return ReadAll(input, {input.size()}, limits);
}

std::string ErrorOf(const std::string& input, const RequestLimits& limits = {}) {
  return ReadWhole(input, limits).error;
}

using Commands = std::vector<std::vector<std::string>>;

TEST(RequestReader, ReadsMultibulk) {
  const std::string input = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n";
  const Outcome outcome = ReadWhole(input);
  EXPECT_EQ(outcome.commands, (Commands{{"GET", "k"}, {"PING"}}));
  EXPECT_EQ(outcome.frames, input);
  EXPECT_EQ(outcome.used, input.size());
}

TEST(RequestReader, KeepsAnyBytes) {
  const std::string value("\r\n$3\r\n\0*1", 9);
  const Outcome outcome = ReadWhole("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$9\r\n" + value + "\r\n");
  EXPECT_EQ(outcome.commands, (Commands{{"SET", "", value}}));
}

TEST(RequestReader, SkipsWhatIsEmpty) {
  const Outcome outcome = ReadWhole("\r\n\n*0\r\n*-1\r\n  \r\nPING\r\n");
  EXPECT_EQ(outcome.commands, (Commands{{"PING"}}));
  EXPECT_EQ(outcome.used, 22u);
}

TEST(RequestReader, ReadsInlineCommands) {
  EXPECT_EQ(ReadWhole("SET k  v\r\nGET k\n").commands, (Commands{{"SET", "k", "v"}, {"GET", "k"}}));
  EXPECT_EQ(ReadWhole("SET k \"a b\\n\\x41\\\"\" 'c \\'d'\r\n").commands,
            (Commands{{"SET", "k", "a b\nA\"", "c 'd"}}));
  EXPECT_EQ(ReadWhole("SET k \"\"\n").frames, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
  EXPECT_EQ(ErrorOf("GET \"k\r\n"), "ERR Protocol error: unbalanced quotes in request");
  EXPECT_EQ(ErrorOf("GET \"k\"x\r\n"), "ERR Protocol error: unbalanced quotes in request");
}

TEST(RequestReader, SaysWhatRedisSays) {
  const std::string prefix = "ERR Protocol error: ";
  EXPECT_EQ(ErrorOf("*x\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(ErrorOf("*01\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(ErrorOf("*+1\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(ErrorOf("*99999999999999999999\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(ErrorOf("*1\r\n:3\r\n"), prefix + "expected '$', got ':'");
  EXPECT_EQ(ErrorOf("*1\r\n$x\r\n"), prefix + "invalid bulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$-1\r\n"), prefix + "invalid bulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$007\r\n"), prefix + "invalid bulk length");
  EXPECT_EQ(ErrorOf("*" + std::string(70000, '1')), prefix + "too big mbulk count string");
  EXPECT_EQ(ErrorOf("*1\r\n$" + std::string(70000, '1')), prefix + "too big bulk count string");
  EXPECT_EQ(ErrorOf(std::string(70000, 'a')), prefix + "too big inline request");
}

TEST(RequestReader, HoldsEveryLimit) {
  RequestLimits limits;
  limits.max_bulk = 10;
  limits.max_args = 3;
  limits.max_inline = 20;
  limits.max_request = 40;
  EXPECT_EQ(ErrorOf("*3\r\n$1\r\na\r\n$1\r\nb\r\n$10\r\n0123456789\r\n", limits), "");
  EXPECT_EQ(ErrorOf("*4\r\n", limits), "ERR Protocol error: invalid multibulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$11\r\n", limits), "ERR Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*3\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n$9\r\n", limits),
            "ERR Protocol error: too big request");
  EXPECT_EQ(ErrorOf(std::string(20, 'a') + "\n", limits), "");
  EXPECT_EQ(ErrorOf(std::string(21, 'a') + "\n", limits),
            "ERR Protocol error: too big inline request");
}

TEST(RequestReader, TakesLittleOfStrangers) {
  RequestLimits limits;
  limits.stranger = true;
  const std::string prefix = "ERR Protocol error: ";
  EXPECT_EQ(ErrorOf("*11\r\n", limits), prefix + "unauthenticated multibulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$16385\r\n", limits), prefix + "unauthenticated bulk length");
  EXPECT_EQ(ErrorOf("*x\r\n", limits), prefix + "invalid multibulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$-1\r\n", limits), prefix + "invalid bulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$16384\r\n" + std::string(16384, 'x') + "\r\n", limits), "");
}

TEST(RequestReader, SplitAtEveryByteGivesTheSameFrames) {
  const std::vector<std::string> inputs = {
      "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n",
      "*3\r\n$3\r\nSET\r\n$12\r\nabcdefghijkl\r\n$0\r\n\r\nPING\r\n*0\r\n\r\nGET 'a b'\n",
      "*12\r\n" +
          [] {
            std::string text;
            for (int i = 0; i < 12; ++i)
              text += "$" + std::to_string(100 + i) + "\r\n" +
                      std::string(static_cast<size_t>(100 + i), 'x') + "\r\n";
            return text;
          }(),
      "*1\r\n$4\r\nPING\r\n*1\r\n$x\r\n",
      "*1\r\n$4\r\nPING\r\n*1\r\nPING\r\n",
      "PING\r\n*z\r\n",
      "PING \"\r\n",
  };
  for (const std::string& input : inputs) {
    const Outcome whole = ReadWhole(input);
    std::vector<size_t> every;
    for (size_t i = 1; i <= input.size(); ++i) {
      every.push_back(i);
      EXPECT_EQ(ReadAll(input, {i, input.size()}), whole) << input << " cut at " << i;
    }
    EXPECT_EQ(ReadAll(input, every), whole) << input;
    std::mt19937 random(7);
    for (int round = 0; round < 50; ++round) {
      std::vector<size_t> cuts;
      for (size_t at = 1 + random() % 9; at < input.size(); at += 1 + random() % 9)
        cuts.push_back(at);
      cuts.push_back(input.size());
      EXPECT_EQ(ReadAll(input, cuts), whole) << input;
    }
  }
}

TEST(RequestReader, SaysHowMuchALargeBulkNeeds) {
  RequestReader reader;
  std::vector<std::string_view> args;
  const std::string head = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n";
  EXPECT_EQ(reader.Read(head.data(), head.size(), {}, &args), RequestReader::Status::kNeedMore);
  EXPECT_EQ(reader.needed(), head.size() + 100002);
}

TEST(ParseInteger, IsAsStrictAsRedis) {
  int64_t value = 7;
  EXPECT_TRUE(ParseInteger("-9223372036854775808", &value));
  EXPECT_EQ(value, INT64_MIN);
  EXPECT_TRUE(ParseInteger("0", &value));
  for (const char* text :
       {"", "-", "+1", "01", "-0", "00", " 1", "1 ", "1a", "9223372036854775808"}) {
    EXPECT_FALSE(ParseInteger(text, &value)) << text;
  }
}

}  // namespace
}  // namespace gemel::request_reader_test

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/command/second_copy.h"

namespace gemel::command_second_copy_test {
namespace {

using Args = std::vector<std::string_view>;

// Words apart by blanks.
Args Split(std::string_view line) {
  Args args;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    args.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return args;
}

const CommandRow& RowOf(const Args& args) {
  static const CommandTable table;
  return *table.Find(args);
}

SecondCopy For(std::string_view line) {
  const Args args = Split(line);
  return SecondCopyFor(RowOf(args), args);
}
std::string_view Refusal(std::string_view line) {
  const Args args = Split(line);
  return RowOf(args).split == Split::kNotSupported ? RowOf(args).refusal : "";
}

constexpr SecondCopy kNone = SecondCopy::kNone;
constexpr SecondCopy kSame = SecondCopy::kSameBytes;
constexpr SecondCopy kState = SecondCopy::kStateCopy;
constexpr SecondCopy kRewrite = SecondCopy::kRewrite;
constexpr SecondCopy kNotYet = SecondCopy::kNotYet;

struct Case {
  const char* line;
  SecondCopy expected;
};

TEST(SecondCopy, ByRow) {
  for (const Case& c :
       {Case{"get k", kNone}, Case{"SET k v EX 10", kSame}, Case{"spop s", kRewrite},
        Case{"zpopmin z", kSame}, Case{"eval x 0", SecondCopy::kConfined},
        Case{"eval_ro x 0", kNone}, Case{"xclaim s g c 0 1-1", kRewrite},
        Case{"xreadgroup group g c streams s >", kRewrite}, Case{"xautoclaim s g c 0 0", kRewrite},
        Case{"eval x 1 k", kState}, Case{"evalsha x 1 k", kState}, Case{"fcall x 1 k", kState},
        Case{"xread streams s 0", kNone}, Case{"copy a b", kSame}, Case{"flushall", kSame},
        Case{"xgroup create s g $", kSame}, Case{"getex k", kSame}, Case{"touch k", kNone}}) {
    EXPECT_EQ(For(c.line), c.expected) << c.line;
  }
}

TEST(SecondCopy, ByArguments) {
  for (const Case& c : {Case{"xadd s 1-1 f v", kSame},
                        Case{"xadd s 5 f v", kSame},
                        Case{"xadd s * f v", kRewrite},
                        Case{"xadd s 5-* f v", kRewrite},
                        Case{"xadd s NOMKSTREAM 1-1 f *", kSame},
                        Case{"xadd s nomkstream * f v", kRewrite},
                        Case{"xadd s MAXLEN 5 1-1 f v", kSame},
                        Case{"xadd s MAXLEN = 5 1-1 f v", kSame},
                        Case{"xadd s MAXLEN ~ 5 1-1 f v", kRewrite},
                        Case{"xadd s MINID ~ 5 LIMIT 2 1-1 f v", kRewrite},
                        Case{"xadd s MINID 5 * f v", kRewrite},
                        Case{"xadd s maxlen = 5 limit 2 1-1 f *", kSame},
                        Case{"xadd s maxlen 5 minid 6", kRewrite},
                        Case{"xtrim s MAXLEN 5", kSame},
                        Case{"zrangestore d s 0 1", kSame},
                        Case{"zrangestore bylex s 0 1", kSame},
                        Case{"zrangestore d s - + rev bylex", kState},
                        Case{"zremrangebylex s - +", kRewrite},
                        Case{"xtrim s MAXLEN = 5", kSame},
                        Case{"xtrim s MINID ~ 5", kRewrite},
                        Case{"sort k", kNone},
                        Case{"sort k by w_* alpha", kNone},
                        Case{"sort k STORE d", kSame},
                        Case{"sort k by w_* store d", kSame},
                        Case{"sort k by w_* ALPHA store d", kState},
                        Case{"sort k by nosort alpha store d", kSame},
                        Case{"sort k by store", kNone},
                        Case{"sort k get store", kNone},
                        Case{"sort k limit 0 1 store d", kSame},
                        Case{"sort_ro k by w_*", kNone},
                        Case{"georadius k 0 0 1 m", kNone},
                        Case{"georadius k 0 0 1 m STOREDIST d", kSame},
                        Case{"georadius store 0 0 1 m", kNone},
                        Case{"georadiusbymember k store 1 m", kNone},
                        Case{"georadiusbymember k m 1 m store d", kSame},
                        Case{"bitfield k GET u8 0", kNone},
                        Case{"bitfield k", kNone},
                        Case{"bitfield k overflow sat get u8 set", kNone},
                        Case{"bitfield k get u8", kSame},  // malformed
                        Case{"bitfield k keepttl u8 0", kSame},
                        Case{"bitfield k get u8 0 Set u8 0 1", kSame},
                        Case{"bitfield k incrby u8 0 1", kSame},
                        Case{"pfcount k", kSame},
                        Case{"pfcount k l", kNone}}) {
    EXPECT_EQ(For(c.line), c.expected) << c.line;
    const Args args = Split(c.line);
    EXPECT_EQ(IsWriteFor(RowOf(args), args), c.expected != kNone) << c.line;
    EXPECT_TRUE(c.expected != kNotYet || !RowOf(args).refusal.empty()) << c.line;
  }
}

TEST(SecondCopy, Refusals) {
  for (const char* line : {"failover", "module list"}) {
    EXPECT_FALSE(Refusal(line).empty()) << line;
  }
  for (const char* line :
       {"get k", "blpop k 0", "xread block 0 streams s 0", "xread streams block 0",
        "xread count block streams s 0", "xreadgroup group block block streams s >", "copy db db",
        "copy a b replace", "copy a b DB 1", "copy a b replace db 0", "sort k store d",
        "xadd s * f v", "spop s"}) {
    EXPECT_EQ(Refusal(line), "") << line;
  }
}

TEST(SecondCopy, UnnamedKeys) {
  const auto unnamed = [](std::string_view line) {
    const Args args = Split(line);
    return ReadsUnnamedKeys(RowOf(args), args);
  };
  for (const char* line : {"sort k by w_*", "sort k get #  get o_*", "sort k get x",
                           "sort_ro k BY w_*->f", "sort k limit 0 1 get a* store d"}) {
    EXPECT_TRUE(unnamed(line)) << line;
  }
  for (const char* line :
       {"sort k", "sort k by nosort", "sort k get #", "sort_ro k alpha", "get k", "copy a b"}) {
    EXPECT_FALSE(unnamed(line)) << line;
  }
}

// What is known of the keys that patterns name.
TEST(SecondCopy, WithWhatUnnamedKeysBegin) {
  const auto begins = [](std::string_view line) {
    const Args args = Split(line);
    std::string all;
    const bool known = UnnamedKeysBegin(args, [&](std::string_view begin) {
      all += std::string(begin) + ";";
      return true;
    });
    return known ? all : "not known";
  };
  EXPECT_EQ(begins("sort k by {t}w_* get # get {t}v_*->f"), "{t}w_;{t}v_;");
  EXPECT_EQ(begins("sort_ro k GET * BY a*b*"), ";a;");
  EXPECT_EQ(begins("sort k by nosort get a*"), "a;");
  EXPECT_EQ(begins("sort k get x get a*"), "not known");
  EXPECT_FALSE(UnnamedKeysBegin(Split("sort k get a* get b*"),
                                [](std::string_view begin) { return begin == "a"; }));
}

}  // namespace
}  // namespace gemel::command_second_copy_test

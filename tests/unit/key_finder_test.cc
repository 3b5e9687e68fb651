#include "backend/command/key_finder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace gemel::key_finder_test {
namespace {

using Args = std::vector<std::string_view>;

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

// Words apart by blanks; '' is the empty one.
Args Split(std::string_view line) {
  Args args;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    args.push_back(line.substr(0, end) == "''" ? std::string_view("") : line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return args;
}

// The keys, apart by commas; "malformed" if FindKeys says so.
std::string Keys(std::string_view line) {
  const Args args = Split(line);
  const CommandRow* row = Table().Find(args);
  std::vector<uint32_t> keys = {99};  // what was there goes
  if (!FindKeys(*row, args, &keys)) {
    EXPECT_TRUE(keys.empty());
    return "malformed";
  }
  std::string joined;
  for (uint32_t key : keys) {
    if (!joined.empty()) joined += ',';
    joined += args[key];
  }
  return joined;
}

struct Case {
  const char* line;
  const char* keys;
};

TEST(KeyFinder, Ranges) {
  for (const Case& c :
       {Case{"get k", "k"}, Case{"ping", ""}, Case{"mget a b c", "a,b,c"},
        Case{"mset a 1 b 2", "a,b"}, Case{"msetnx a 1", "a"}, Case{"bitop and d a b", "d,a,b"},
        Case{"blpop a b 0", "a,b"}, Case{"object encoding k", "k"},
        Case{"xgroup create s g $", "s"}, Case{"lcs a b", "a,b"}, Case{"rename a b", "a,b"},
        Case{"sunsubscribe", ""}, Case{"sort_ro k store d", "k"}}) {
    EXPECT_EQ(Keys(c.line), c.keys) << c.line;
  }
  for (const char* line : {"get", "mget", "mset a", "mset a 1 b", "bitop and", "blpop a",
                           "object encoding", "rename a"}) {
    EXPECT_EQ(Keys(line), "malformed") << line;
  }
}

TEST(KeyFinder, Numkeys) {
  for (const Case& c :
       {Case{"eval s 0", ""}, Case{"eval s 0 a", ""}, Case{"eval s 2 a b c", "a,b"},
        Case{"evalsha_ro s 1 a", "a"}, Case{"fcall f 1 a", "a"},
        Case{"zunion 2 a b weights 1 2", "a,b"}, Case{"sintercard 1 a limit 1", "a"},
        Case{"lmpop 2 a b left", "a,b"}, Case{"zmpop 1 a min", "a"}, Case{"blmpop 0 1 a left", "a"},
        Case{"bzmpop 0 2 a b max", "a,b"}, Case{"zunionstore d 2 a b", "d,a,b"},
        Case{"zdiffstore d 1 a", "d,a"}}) {
    EXPECT_EQ(Keys(c.line), c.keys) << c.line;
  }
  for (const char* line :
       {"eval s", "eval s 3 a b", "eval s -1 a", "eval s x a", "eval s +1 a", "eval s 01 a",
        "eval s '' a", "eval s 1.0 a", "eval s 99999999999999999999 a", "eval s 4294967297 a",
        "zunion 0 a", "zunion 2 a", "zunion", "zunionstore d 0 a", "zunionstore d 3 a b",
        "zunionstore d", "lmpop 0 a left", "blmpop 0", "blmpop 0 9 a left"}) {
    EXPECT_EQ(Keys(line), "malformed") << line;
  }
}

TEST(KeyFinder, Streams) {
  for (const Case& c :
       {Case{"xread streams a 0", "a"}, Case{"XREAD COUNT 2 BLOCK 0 STREAMS a b 0 0", "a,b"},
        Case{"xread count 1 streams streams 0", "streams"},
        Case{"xreadgroup group g c streams a >", "a"},
        Case{"xreadgroup group streams streams streams a >", "a"},
        Case{"xreadgroup group g c count 1 block 0 noack streams a b > >", "a,b"}}) {
    EXPECT_EQ(Keys(c.line), c.keys) << c.line;
  }
  for (const char* line : {"xread", "xread streams", "xread streams a", "xread streams a b 0",
                           "xread count streams streams 0", "xread foo streams a 0",
                           "xread count 1 block 0", "xreadgroup group g", "xread count"}) {
    EXPECT_EQ(Keys(line), "malformed") << line;
  }
}

TEST(KeyFinder, Sort) {
  for (const Case& c :
       {Case{"sort a", "a"}, Case{"sort a store b", "a,b"}, Case{"sort a store b STORE c", "a,c"},
        Case{"sort a by x get y limit 0 1 store c", "a,c"}, Case{"sort a by store b", "a"},
        Case{"sort a get store store d", "a,d"}, Case{"sort a limit store b store c", "a,c"},
        Case{"sort a by", "a"}, Case{"sort a limit 0", "a"}}) {
    EXPECT_EQ(Keys(c.line), c.keys) << c.line;
  }
  EXPECT_EQ(Keys("sort"), "malformed");
  EXPECT_EQ(Keys("sort a store"), "malformed");
}

TEST(KeyFinder, GeoRadius) {
  for (const Case& c :
       {Case{"georadius k 0 0 1 m", "k"}, Case{"georadius k 0 0 1 m store d", "k,d"},
        Case{"georadius k 0 0 1 m withcoord store", "k"}, Case{"georadius k 0 0 store x", "k"},
        Case{"georadius k 0 0 1 m STORE d STOREDIST e", "k,d,e"},
        Case{"georadius k 0 0 1 m store a store b", "k,a,b"},
        Case{"georadiusbymember k store 1 m store d", "k,d"},
        Case{"georadiusbymember k m 1 m withdist STOREDIST q", "k,q"},
        Case{"georadius_ro k 0 0 1 m store d", "k"}}) {
    EXPECT_EQ(Keys(c.line), c.keys) << c.line;
  }
  EXPECT_EQ(Keys("georadius k 0 0 1"), "malformed");
  EXPECT_EQ(Keys("georadius"), "malformed");
}

TEST(KeyFinder, Migrate) {
  for (const Case& c :
       {Case{"migrate h p k 0 1", "k"}, Case{"migrate h p k 0 1 copy auth keys", "k"},
        Case{"migrate h p '' 0 1 keys a b", "a,b"},
        Case{"migrate h p '' 0 1 copy replace auth keys keys z", "z"},
        Case{"migrate h p '' 0 1 auth2 keys keys keys y z", "y,z"}}) {
    EXPECT_EQ(Keys(c.line), c.keys) << c.line;
  }
  EXPECT_EQ(Keys("migrate h p k 0 1 keys a b"), "malformed");
  EXPECT_EQ(Keys("migrate h p '' 0 1 keys"), "malformed");
  EXPECT_EQ(Keys("migrate h p k"), "malformed");
}

TEST(KeyFinder, ErrorsOfMalformedKeys) {
  const auto error = [](std::string_view line) {
    const Args args = Split(line);
    return MalformedKeysError(*Table().Find(args), args);
  };
  EXPECT_EQ(error("mset a 1 b"), "ERR wrong number of arguments for 'mset' command");
  EXPECT_EQ(error("eval s 3 a"), "ERR Number of keys can't be greater than number of args");
  EXPECT_EQ(error("eval s -3 a"), "ERR Number of keys can't be negative");
  EXPECT_EQ(error("eval s x a"), "ERR value is not an integer or out of range");
  EXPECT_EQ(error("eval s -x a"), "ERR value is not an integer or out of range");
  EXPECT_EQ(error("evalsha s 9223372036854775807"),
            "ERR Number of keys can't be greater than number of args");
  EXPECT_EQ(error("evalsha s 9223372036854775808"), "ERR value is not an integer or out of range");
  EXPECT_EQ(error("fcall f 4294967296"), "ERR Number of keys can't be greater than number of args");
  EXPECT_EQ(error("fcall f -1"), "ERR Number of keys can't be negative");
  EXPECT_EQ(error("fcall f -x"), "ERR Bad number of keys provided");
  EXPECT_EQ(error("lmpop 4294967296 a left"), "ERR syntax error");
  EXPECT_EQ(error("lmpop 0 a left"), "ERR numkeys should be greater than 0");
  EXPECT_EQ(error("zinter 3 a"), "ERR syntax error");
  EXPECT_EQ(error("sort a store"), "ERR syntax error");
  EXPECT_EQ(error("xread count 1 foo"), "ERR syntax error");
  EXPECT_EQ(error("xread streams a b 0"),
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
            "specified.");
}

// Whatever the arguments, of whatever number: no crash, keys among the arguments, in order and none
// twice, and an error to hand for the malformed.
TEST(KeyFinder, AnyArguments) {
  const char* const kWords[] = {"streams",
                                "STORE",
                                "storedist",
                                "keys",
                                "block",
                                "count",
                                "group",
                                "limit",
                                "by",
                                "get",
                                "0",
                                "1",
                                "2",
                                "3",
                                "-1",
                                "999999",
                                "",
                                "k",
                                "auth",
                                "auth2",
                                "noack",
                                "4294967295",
                                "99999999999999999999999",
                                "~",
                                "maxlen",
                                "*"};
  std::mt19937 random(20240817);
  std::vector<uint32_t> keys;
  for (const CommandRow& row : Table().rows()) {
    for (int round = 0; round < 300; ++round) {
      Args args = {row.name};
      for (size_t n = random() % 12; n > 0; --n)
        args.push_back(kWords[random() % std::size(kWords)]);
      if (!FindKeys(row, args, &keys)) {
        EXPECT_TRUE(keys.empty());
        EXPECT_TRUE(MalformedKeysError(row, args).starts_with("ERR "));
        continue;
      }
      for (size_t i = 0; i < keys.size(); ++i) {
        ASSERT_LT(keys[i], args.size());
        ASSERT_GT(keys[i], 0u);
        ASSERT_TRUE(i == 0 || keys[i] > keys[i - 1]);
      }
    }
  }
}

}  // namespace
}  // namespace gemel::key_finder_test

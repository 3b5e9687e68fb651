#include "config/config_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace gemel::config_text_test {
namespace {

TEST(ConfigText, ParseSizeKnowsRedisUnits) {
  const std::pair<const char*, uint64_t> good[] = {
      {"0", 0},
      {"1000", 1000},
      {"12b", 12},
      {"1k", 1000},
      {"1kb", 1024},
      {"3m", 3000000},
      {"64mb", 64ull << 20},
      {"2g", 2000000000},
      {"1gb", 1ull << 30},
      {"1GB", 1ull << 30},
      {"1Kb", 1024},
      {"18446744073709551615", std::numeric_limits<uint64_t>::max()},
      {"17179869183gb", 17179869183ull << 30},
  };
  for (auto [text, bytes] : good) EXPECT_EQ(ParseSize(text), bytes) << text;
  for (const char* bad : {"", "mb", "-1", "+1", " 1", "1 mb", "1.5gb", "1tb", "1mbb", "0x10",
                          "18446744073709551616", "17179869184gb", "99999999999999999999kb"}) {
    EXPECT_EQ(ParseSize(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(ParseSize(std::string("1\0", 2)), std::nullopt);
}

TEST(ConfigText, FormatSizeIsReadBack) {
  EXPECT_EQ(FormatSize(0), "0");
  EXPECT_EQ(FormatSize(1), "1");
  EXPECT_EQ(FormatSize(1000), "1000");
  EXPECT_EQ(FormatSize(1024), "1kb");
  EXPECT_EQ(FormatSize(1536), "1536");
  EXPECT_EQ(FormatSize(64ull << 20), "64mb");
  EXPECT_EQ(FormatSize(1024ull << 30), "1024gb");
  for (uint64_t bytes = 1; bytes < 1ull << 40; bytes = bytes * 3 + 1) {
    EXPECT_EQ(ParseSize(FormatSize(bytes)), bytes);
  }
}

TEST(ConfigText, QuoteKeepsToOneShortLine) {
  EXPECT_EQ(Quote(""), "\"\"");
  EXPECT_EQ(Quote("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(Quote(std::string("\0\n\x1b\x7f", 4)), "\"\\x00\\x0a\\x1b\\x7f\"");
  EXPECT_EQ(Quote("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
  EXPECT_EQ(Quote(std::string(64, 'a')), "\"" + std::string(64, 'a') + "\"");
  EXPECT_EQ(Quote(std::string(65, 'a')), "\"" + std::string(64, 'a') + "...\"");
  // Not within a character of two bytes.
  EXPECT_EQ(Quote(std::string(63, 'a') + "\xc3\xa9z"), "\"" + std::string(63, 'a') + "...\"");
  EXPECT_EQ(OneLine("a\tb\"c"), "a\\x09b\"c");
}

TEST(ConfigText, NearestFindsMisspellings) {
  const std::vector<std::string> names = {"primary", "replicas", "weight", "user", "name"};
  EXPECT_EQ(Nearest("primry", names), "primary");
  EXPECT_EQ(Nearest("priamry", names), "primary");
  EXPECT_EQ(Nearest("replica", names), "replicas");
  EXPECT_EQ(Nearest("wieght", names), "weight");
  EXPECT_EQ(Nearest("nmae", names), "name");
  EXPECT_EQ(Nearest("Name", names), "name");
  EXPECT_EQ(Nearest("master", names), "");
  EXPECT_EQ(Nearest("x", names), "");
  EXPECT_EQ(Nearest("", names), "");
  EXPECT_EQ(Nearest(std::string(100000, 'x'), names), "");
  EXPECT_EQ(Nearest("name", {}), "");
}

TEST(ConfigText, Join) {
  EXPECT_EQ(Join({}), "");
  EXPECT_EQ(Join({"a"}), "a");
  EXPECT_EQ(Join({"a", "b", "c"}), "a, b, c");
}

}  // namespace
}  // namespace gemel::config_text_test

// Text of clients and nodes in lines of the log.

#include "backend/bytes/printable.h"

#include <gtest/gtest.h>

#include <random>

namespace gemel::printable_test {
namespace {

TEST(PrintableTest, PlainTextStays) {
  for (const char* text : {"", "a line", "back\\slash \"quotes\" %s {}", "Gr\u00fc\u00dfe",
                           "\u65e5\u672c\u8a9e", "\U0001f600", "a\u00a0b"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(PrintableTest, NothingBreaksTheLineOrTheTerminal) {
  EXPECT_EQ(Printable("a\nb\r\nc\td"), "a\\nb\\r\\nc\\td");
  EXPECT_EQ(Printable("\x1b[2J\x7f\x07"), "\\x1b[2J\\x7f\\x07");
  EXPECT_EQ(Printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Printable("\u009b31m\u0085"), "\\xc2\\x9b31m\\xc2\\x85");  // CSI and NEL
  EXPECT_EQ(Printable("a\u2028b\u2029"), "a\\xe2\\x80\\xa8b\\xe2\\x80\\xa9");
  EXPECT_EQ(Printable("\u202egnp"), "\\xe2\\x80\\xaegnp");  // right to left
  EXPECT_EQ(Printable("\u2066x"), "\\xe2\\x81\\xa6x");
  EXPECT_EQ(Printable("a\u200bb\ufeff"), "a\\xe2\\x80\\x8bb\\xef\\xbb\\xbf");
}

TEST(PrintableTest, WhatIsNoUtf8) {
  EXPECT_EQ(Printable("\xff\x80"), "\\xff\\x80");
  EXPECT_EQ(Printable("\xc0\xaf"), "\\xc0\\xaf");           // longer than need be
  EXPECT_EQ(Printable("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");  // a line feed in disguise
  EXPECT_EQ(Printable("\xf0\x80\x80\x8a"), "\\xf0\\x80\\x80\\x8a");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(Printable("\xe2\x82"), "\\xe2\\x82");  // cut short
  EXPECT_EQ(Printable("\xe2\n\x82"), "\\xe2\\n\\x82");
  EXPECT_EQ(Printable("\xc3\xe2\x82\xac"), "\\xc3\xe2\x82\xac");
}

// Whatever comes in: what goes out has no control character and is its own escape.
TEST(PrintableTest, AnyBytes) {
  std::mt19937 random(20240607);
  const std::string likely = "\n\r\x1b\xc2\x9b\xe2\x80\xa8\xae\xff\xf0 az";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (size_t n = random() % 12; n > 0; --n) {
      text += i % 2 == 0 ? static_cast<char>(random()) : likely[random() % likely.size()];
    }
    const std::string out = Printable(text);
    for (const char c : out) {
      ASSERT_FALSE(static_cast<unsigned char>(c) < ' ' || c == 127) << out;
    }
    ASSERT_EQ(Printable(out), out);
    ASSERT_EQ(out.find("\xc2\x9b"), std::string::npos);
  }
}

}  // namespace
}  // namespace gemel::printable_test

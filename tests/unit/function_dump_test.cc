// The payload of FUNCTION DUMP.

#include "proxy/scripts/function_dump.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gemel::function_dump_test {
namespace {

using Codes = std::vector<std::string>;

// With a footer that fits.
std::string Payload(std::string body) {
  body += std::string("\x0a\x00", 2);
  const uint64_t sum = Crc64(body);
  for (int i = 0; i < 8; ++i) body.push_back(static_cast<char>(sum >> (8 * i)));
  return body;
}

TEST(FunctionDump, SumsAsRedisDoes) {
  EXPECT_EQ(Crc64("123456789"), 0xe9c6d914c4b8d9caULL);  // redis/src/crc64.c
}

TEST(FunctionDump, IsReadAsItWasWritten) {
  for (const Codes& codes : {Codes(), Codes{"a"}, Codes{"", std::string(70000, 'x'), "b\0c"}}) {
    Codes read;
    std::string error;
    EXPECT_TRUE(ReadFunctionDump(DumpFunctions(codes), &read, &error)) << error;
    EXPECT_EQ(read, codes);
  }
}

// What is short, or would not become shorter, is written as it is; lengths have one byte, two, or
// five.
TEST(FunctionDump, IsCompressedWhereThatSavesSpace) {
  const std::string shortest(20, 'x');
  EXPECT_EQ(DumpFunctions({shortest}), Payload("\xf5\x14" + shortest));
  const std::string packed = DumpFunctions({std::string(21, 'x')});
  EXPECT_EQ(packed.substr(0, 2), "\xf5\xc3");
  EXPECT_LT(packed.size(), 21u);
  std::string random;  // nothing in it comes twice
  for (int i = 0; i < 200; ++i) random.push_back(static_cast<char>(i));
  EXPECT_EQ(DumpFunctions({random}), Payload("\xf5\x40\xc8" + random));
  std::string large;
  for (uint32_t i = 0, bits = 1; i < 20000; ++i) {
    bits = bits * 1664525 + 1013904223;
    large.push_back(static_cast<char>(bits >> 24));
  }
  EXPECT_EQ(DumpFunctions({large}), Payload(std::string("\xf5\x80\x00\x00\x4e\x20", 6) + large));
}

TEST(FunctionDump, ReadsWhatRedisCompresses) {
  Codes read;
  std::string error;
  // 3 bytes as they are, 9 that begin 3 before, 1 as it is.
  const std::string packed = std::string("\xf5\xc3\x09\x0d", 4) + std::string("\x02", 1) + "abc" +
                             std::string("\xe0\x00\x02", 3) + std::string("\x00", 1) + "d";
  EXPECT_TRUE(ReadFunctionDump(Payload(packed), &read, &error)) << error;
  EXPECT_EQ(read, Codes{"abcabcabcabcd"});
}

TEST(FunctionDump, DamageIsTold) {
  const std::string good = DumpFunctions({"return 1", "return 2"});
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    Codes read;
    std::string error;
    EXPECT_FALSE(ReadFunctionDump(bad, &read, &error)) << at;
    EXPECT_EQ(error, "DUMP payload version or checksum are wrong");
    EXPECT_TRUE(read.empty());
  }
}

// Whose sum is right.
TEST(FunctionDump, NonsenseIsRefused) {
  for (const std::string& body :
       {std::string("\x01", 1), std::string("\xf5", 1), std::string("\xf5\x05xx", 4),
        std::string("\xf5\x80\xff\xff\xff\xff", 6), std::string("\xf5\x82", 2),
        std::string("\xf5\xc0\x01", 3), std::string("\xf5\xc3\x01\x05\x1f", 5),
        std::string("\xf5\xc3\x02\x05\x20\x09", 6), std::string("\xf5\xc3\xc3\x05", 4),
        std::string("\xf5\x81\xff\xff\xff\xff\xff\xff\xff\xff", 10)}) {
    Codes read;
    std::string error;
    EXPECT_FALSE(ReadFunctionDump(Payload(body), &read, &error));
    EXPECT_FALSE(error.empty());
    EXPECT_TRUE(read.empty());
  }
}

}  // namespace
}  // namespace gemel::function_dump_test

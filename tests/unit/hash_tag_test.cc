// HashKey and HashedPart: where a key lies on the ring, and what of it counts.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/ring/ring.h"

namespace gemel::hash_tag_test {
namespace {

// The positions of the keys of every running cache: if this fails, the code is wrong, not the test.
TEST(HashKey, GoldenVectors) {
  EXPECT_EQ(HashKey(""), 0x2d06800538d394c2ULL);
  EXPECT_EQ(HashKey("a"), 0xe6c632b61e964e1fULL);
  EXPECT_EQ(HashKey("foo"), 0xab6e5f64077e7d8aULL);
  EXPECT_EQ(HashKey("user:1000"), 0xfb6841b2068c0c9fULL);
  EXPECT_EQ(HashKey("{tag}"), 0x99a46a4c6f3b420fULL);
  EXPECT_EQ(HashKey(std::string(300, 'x')), 0xa5d1b4607dc83554ULL);
}

TEST(HashKey, TakesAnyBytes) {
  const std::string zero("\0", 1);
  const std::string zeros("\0\0", 2);
  EXPECT_NE(HashKey(zero), HashKey(zeros));
  EXPECT_NE(HashKey(zero), HashKey(""));
  EXPECT_EQ(HashKey(std::string_view()), HashKey(""));
}

TEST(HashedPart, FollowsRedisCluster) {
  struct Case {
    std::string_view key;
    std::string_view hashed;
  };
  const Case cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"{a}b", "a"},
      {"b{a}", "a"},
      {"x{user1000}.following", "user1000"},
      {"{}x", "{}x"},                // empty tag: the whole key
      {"foo{}{bar}", "foo{}{bar}"},  // only the first opener counts
      {"}{a", "}{a"},                // closer before opener
      {"}{a}", "a"},
      {"{a", "{a"},
      {"a{", "a{"},
      {"{", "{"},
      {"}", "}"},
      {"{}", "{}"},
      {"a}", "a}"},
      {"a{b}c{d}", "b"},
      {"{{a}}", "{a"},  // the first closer ends it
      {"{a}}", "a"},
      {"{ }", " "},
  };
  for (const Case& c : cases) EXPECT_EQ(HashedPart(c.key, "{}"), c.hashed) << c.key;
}

TEST(HashedPart, TakesAnyPair) {
  EXPECT_EQ(HashedPart("a<b>c", "<>"), "b");
  EXPECT_EQ(HashedPart("a{b}c", "<>"), "a{b}c");
  EXPECT_EQ(HashedPart("a$b$c$d$", "$$"), "b");
  EXPECT_EQ(HashedPart("a$$c", "$$"), "a$$c");
  EXPECT_EQ(HashedPart("a$c", "$$"), "a$c");
  EXPECT_EQ(HashedPart("a\xff\x80\xfe", "\xff\xfe"), "\x80");
  const std::string key("x\0y\1z", 5);
  EXPECT_EQ(HashedPart(key, std::string_view("\0\1", 2)), "y");
}

TEST(HashedPart, WithoutTagIsTheWholeKey) {
  EXPECT_EQ(HashedPart("{a}b", ""), "{a}b");
  EXPECT_EQ(HashedPart("{a}b", std::string_view()), "{a}b");
  EXPECT_EQ(HashedPart(std::string_view(), "{}"), "");
}

}  // namespace
}  // namespace gemel::hash_tag_test

// The scripts that gemel keeps for EVALSHA.

#include "proxy/scripts/script_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gemel::script_cache_test {
namespace {

std::vector<std::string> Texts(const ScriptCache& cache) {
  std::vector<std::string> texts;
  for (const ScriptCache::Text& text : cache.All()) texts.push_back(*text);
  return texts;
}

TEST(ScriptCache, KnowsAScriptByRediss) {
  ScriptCache cache;
  EXPECT_EQ(cache.Find("e0e1f9fabfc9d4800c877a703b823ac0578ff8db"), nullptr);
  EXPECT_EQ(cache.Add("return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  ASSERT_NE(cache.Find("e0e1f9fabfc9d4800c877a703b823ac0578ff8db"), nullptr);
  EXPECT_EQ(*cache.Find("E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"), "return 1");
  for (const char* none : {"", "e0e1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8dbff"}) {
    EXPECT_FALSE(cache.Has(none)) << none;
  }
  cache.Clear();
  EXPECT_FALSE(cache.Has("e0e1f9fabfc9d4800c877a703b823ac0578ff8db"));
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ScriptCache, WhatIsKnownChangesNothing) {
  ScriptCache cache;
  cache.Note("return 1");
  const uint64_t version = cache.version();
  cache.Note("return 1");
  EXPECT_EQ(cache.Add("return 1"), ScriptCache::Sha1("return 1"));
  EXPECT_EQ(cache.version(), version);
  EXPECT_EQ(cache.size(), 1u);
  cache.Note("return 2");
  EXPECT_GT(cache.version(), version);
}

TEST(ScriptCache, KnowsWhichScriptsMayScan) {
  for (const uint64_t limit : {uint64_t{1} << 20, uint64_t{0}}) {
    ScriptCache cache;
    cache.SetLimit(limit);
    const std::string scans = "return redis.call('sScan', KEYS[1], 0)";
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(cache.Note(scans));
      EXPECT_FALSE(cache.Note("return 1"));
    }
    bool may_scan = false;
    EXPECT_EQ(cache.Find(ScriptCache::Sha1(scans), &may_scan) != nullptr, limit > 0);
    EXPECT_EQ(may_scan, limit > 0);
    EXPECT_EQ(cache.Find(ScriptCache::Sha1("return 1"), &may_scan) != nullptr, limit > 0);
    EXPECT_FALSE(may_scan);
    EXPECT_EQ(cache.Find(cache.Add("return 'scan'"), &may_scan) != nullptr, limit > 0);
    EXPECT_EQ(may_scan, limit > 0);
  }
}

// Those go first that were not asked for the longest; one that is too large is not kept at all.
TEST(ScriptCache, IsBounded) {
  ScriptCache cache;
  cache.SetLimit(1000);
  const std::string a = cache.Add(std::string(100, 'a'));
  const std::string b = cache.Add(std::string(100, 'b'));
  EXPECT_TRUE(cache.Has(a));
  const std::string c = cache.Add(std::string(100, 'c'));
  EXPECT_EQ(Texts(cache), (std::vector<std::string>{std::string(100, 'a'), std::string(100, 'c')}));
  EXPECT_FALSE(cache.Has(b));
  EXPECT_EQ(cache.Add(std::string(1000, 'd')), ScriptCache::Sha1(std::string(1000, 'd')));
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_LE(cache.bytes(), 1000u);
  cache.Note(std::string(100, 'a'));  // asked for
  cache.Add(std::string(100, 'e'));
  EXPECT_TRUE(cache.Has(a));
  EXPECT_FALSE(cache.Has(c));
}

}  // namespace
}  // namespace gemel::script_cache_test

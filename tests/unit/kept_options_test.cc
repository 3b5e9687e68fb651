#include "proxy/options/kept_options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gemel::kept_options_test {
namespace {

using List = std::vector<KeptOptions::Option>;

TEST(KeptOptions, TheLastValueOfEachNameIsKept) {
  KeptOptions options;
  EXPECT_EQ(options.version(), 0u);
  options.Put({{"Hash-Max-Listpack-Entries", "5"}, {"save", ""}});
  const uint64_t first = options.version();
  EXPECT_GT(first, 0u);
  options.Put({{"hash-max-listpack-entries", "7"}});
  EXPECT_GT(options.version(), first);
  EXPECT_EQ(options.Options(), (List{{"save", ""}, {"hash-max-listpack-entries", "7"}}));
}

TEST(KeptOptions, ComeBackFromTheirTexts) {
  KeptOptions options;
  options.Put({{"save", "3600 1 300 100"}, {"appendonly", "yes"}, {"save", ""}});
  KeptOptions next;
  for (const TextStore::Text& text : options.All()) EXPECT_TRUE(next.Restore(*text));
  EXPECT_EQ(next.Options(), options.Options());
  EXPECT_FALSE(next.Restore("nospace"));
  EXPECT_FALSE(next.Restore(" value"));
  EXPECT_EQ(next.Options().size(), 2u);
}

}  // namespace
}  // namespace gemel::kept_options_test

// What registers are called in ZooKeeper.

#include "backend/engines/znode_names.h"

#include <gtest/gtest.h>

#include <set>

namespace gemel::znode_names_test {
namespace {

TEST(ZnodeNames, EveryNameIsOneOfItsOwnThereAndBack) {
  std::set<std::string> znodes;
  const std::vector<std::string> names = {".",   "..", "...", "a",  "a/b", "/",
                                          "a//", "./", "../", "-_", "A",   "shard/a.b"};
  for (const std::string& name : names) {
    const std::string znode = ZnodeName(name);
    EXPECT_EQ(znode.find('/'), std::string::npos);
    EXPECT_TRUE(znode != "." && znode != "..");
    EXPECT_EQ(RegisterName(znode), name);
    znodes.insert(znode);
  }
  EXPECT_EQ(znodes.size(), names.size());
  EXPECT_EQ(ZnodeName("shard/a"), "shard:a");
}

TEST(ZnodeNames, APrefixIsAPath) {
  std::string error;
  EXPECT_EQ(ZnodePath("gemel/f/", &error), "/gemel/f");
  EXPECT_EQ(ZnodePath("/gemel", &error), "/gemel");
  for (const char* bad : {"", "/", "a//b", "a/./b", "../a", "a b", "a/\x80"}) {
    error.clear();
    EXPECT_FALSE(ZnodePath(bad, &error)) << bad;
    EXPECT_TRUE(error.starts_with("expected ")) << error;
  }
  EXPECT_EQ(ZnodeParents("/gemel/f/x"),
            (std::vector<std::string>{"/gemel", "/gemel/f", "/gemel/f/x"}));
  EXPECT_EQ(ZnodeParents("/gemel"), std::vector<std::string>{"/gemel"});
}

}  // namespace
}  // namespace gemel::znode_names_test

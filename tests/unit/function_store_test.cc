// The libraries of functions that gemel keeps, and what nodes are told of them.

#include "proxy/scripts/function_store.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/resp/request_reader.h"

namespace gemel::function_store_test {
namespace {

FunctionLibrary Library(const std::string& name,
                        std::vector<FunctionLibrary::Function> functions = {{"f"}}) {
  return {name, "#!lua name=" + name + "\nreturn 1", std::move(functions)};
}

// "DELETE name" and "LOAD name" of the frames that bring a node from that version.
std::vector<std::string> Told(const FunctionStore& store, uint64_t* version) {
  std::vector<std::string> frames;
  *version = store.Since(*version, &frames);
  std::vector<std::string> told;
  for (const std::string& frame : frames) {
    std::vector<std::string_view> args;
    SplitFrame(frame, &args);
    EXPECT_EQ(args[0], "FUNCTION");
    if (args[1] == "LOAD") {
      EXPECT_EQ(args[2], "REPLACE");
      EXPECT_NE(args[3].find("KEYS"), std::string::npos) << "it is confined";
      told.push_back("LOAD " + FunctionStore::NameIn(args[3]));
    } else {
      told.push_back(std::string(args[1]) + " " + std::string(args[2]));
    }
  }
  return told;
}

TEST(FunctionStore, FindsTheLibrarysName) {
  EXPECT_EQ(FunctionStore::NameIn("#!lua name=lib\nreturn"), "lib");
  EXPECT_EQ(FunctionStore::NameIn("#!lua NAME=lib_1"), "lib_1");
  EXPECT_EQ(FunctionStore::NameIn("#!lua x  name=lib\n"), "lib");
  EXPECT_EQ(FunctionStore::NameIn("#!lua name=\"foo\"\n"), "foo");
  EXPECT_EQ(FunctionStore::NameIn("#!LUA\t'name=foo'\n"), "foo");
  for (const char* none :
       {"", "#!js name=x\n", "#!\nname=x", "#!lua\nname=x", "name=x", "#!lua name=", "return 1"}) {
    EXPECT_EQ(FunctionStore::NameIn(none), "") << none;
  }
}

TEST(FunctionStore, KnowsWhatSaysThatItDoesNotWrite) {
  EXPECT_TRUE(FunctionStore::SaysNoWrites("#!lua flags=no-writes\nreturn 1"));
  EXPECT_TRUE(FunctionStore::SaysNoWrites("#!lua flags=allow-stale,no-writes\nreturn 1"));
  for (const char* writes : {"", "return 1", "#!lua\nreturn 'flags=no-writes'", "#!lua flags=x\n",
                             "#!lua flags=no-writesx\n", "-- flags=no-writes"}) {
    EXPECT_FALSE(FunctionStore::SaysNoWrites(writes)) << writes;
  }
}

TEST(FunctionStore, KnowsFunctionsWhateverTheirCase) {
  FunctionStore store;
  store.Put(Library("lib", {{"One"}, {"two", false}}));
  EXPECT_TRUE(store.Has("lib"));
  EXPECT_FALSE(store.Has("LIB"));
  EXPECT_TRUE(store.HasFunction("oNE"));
  EXPECT_TRUE(store.HasFunction("TWO"));
  EXPECT_FALSE(store.HasFunction("three"));
  EXPECT_TRUE(store.OnlyReads("Two"));
  for (const char* name : {"one", "three"}) EXPECT_FALSE(store.OnlyReads(name)) << name;
  store.Put(Library("lib", {{"three"}}));
  EXPECT_FALSE(store.HasFunction("one"));
  EXPECT_TRUE(store.HasFunction("three"));
  EXPECT_FALSE(store.Delete("none"));
  EXPECT_TRUE(store.Delete("lib"));
  EXPECT_FALSE(store.HasFunction("three"));
}

TEST(FunctionStore, TellsNodesWhatHasChangedSince) {
  using Words = std::vector<std::string>;
  FunctionStore store;
  uint64_t node = 0;
  EXPECT_EQ(store.version(), 0u);
  EXPECT_EQ(Told(store, &node), Words());
  store.Put(Library("a", {{"f"}}));
  store.Put(Library("b", {{"g"}}));
  EXPECT_EQ(Told(store, &node), (Words{"LOAD a", "LOAD b"}));
  EXPECT_EQ(Told(store, &node), Words());
  store.Put(Library("a", {{"f"}}));
  EXPECT_EQ(Told(store, &node), (Words{"LOAD a"}));
  // The function moves: the one that has it goes first.
  store.Put(Library("c", {{"g2"}}));
  store.Delete("b");
  EXPECT_EQ(Told(store, &node), (Words{"DELETE b", "LOAD c"}));
  uint64_t fresh = 0;
  EXPECT_EQ(Told(store, &fresh), (Words{"DELETE b", "LOAD a", "LOAD c"})) << "it may have b still";
  store.Put(Library("b", {{"g"}}));
  store.Clear();
  EXPECT_EQ(Told(store, &node), (Words{"DELETE a", "DELETE b", "DELETE c"}));
  store.Renew("a");
  EXPECT_EQ(Told(store, &node), (Words{"DELETE a"}));
  store.Put(Library("a"));
  EXPECT_EQ(Told(store, &node), (Words{"LOAD a"}));
  store.Renew("a");
  EXPECT_EQ(Told(store, &node), (Words{"LOAD a"}));
  EXPECT_EQ(node, store.version());
}

TEST(FunctionStore, IsBounded) {
  FunctionStore store;
  store.SetLimit(3000);
  EXPECT_TRUE(store.Fits({Library("a")}, false));
  store.Put(Library("a"));
  store.Put(Library("b"));
  EXPECT_FALSE(store.Fits({Library("c")}, false));
  EXPECT_TRUE(store.Fits({Library("b")}, false)) << "in the place of the other";
  EXPECT_TRUE(store.Fits({Library("c")}, true));
  EXPECT_FALSE(store.Fits({Library("c"), Library("d"), Library("e")}, true));
  store.Delete("a");
  EXPECT_TRUE(store.Fits({Library("c")}, false));
}

TEST(FunctionStore, ComesBackFromItsTexts) {
  FunctionStore store;
  store.Put(Library("b", {{"One"}, {"two", false}}));
  store.Put(Library("a", {}));
  FunctionStore again;
  for (const TextStore::Text& text : store.All()) EXPECT_TRUE(again.Restore(*text));
  ASSERT_EQ(again.Libraries().size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again.Libraries()[i].name, store.Libraries()[i].name);
    EXPECT_EQ(again.Libraries()[i].code, store.Libraries()[i].code);
    EXPECT_EQ(again.Libraries()[i].functions, store.Libraries()[i].functions);
  }
  for (const char* none : {"", "x", "f \nreturn 1"}) EXPECT_FALSE(again.Restore(none)) << none;
}

}  // namespace
}  // namespace gemel::function_store_test

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
  EXPECT_TRUE(store.Find("oNE"));
  EXPECT_TRUE(store.Find("TWO"));
  EXPECT_FALSE(store.Find("three"));
  EXPECT_FALSE(store.Find("Two")->writes);
  EXPECT_TRUE(store.Find("one")->writes);
  store.Put(Library("lib", {{"three"}}));
  EXPECT_FALSE(store.Find("one"));
  EXPECT_TRUE(store.Find("three"));
  EXPECT_FALSE(store.Delete("none"));
  EXPECT_TRUE(store.Delete("lib"));
  EXPECT_FALSE(store.Find("three"));
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

// --- of a fleet ---

TEST(FunctionStore, MembersComeToKeepTheSame) {
  FunctionStore one;
  FunctionStore two;
  one.Put(Library("a", {{"f"}, {"g", false}}));
  two.Put(Library("b"));
  EXPECT_TRUE(two.Merge(one.Shared()));
  EXPECT_TRUE(one.Merge(two.Shared()));
  EXPECT_EQ(one.Shared(), two.Shared());
  ASSERT_TRUE(two.Find("g"));
  EXPECT_FALSE(two.Find("g")->writes);
  EXPECT_TRUE(one.Has("a") && one.Has("b"));
  EXPECT_FALSE(one.Merge(two.Shared()));
  // What is deleted stays so, though the other had it.
  EXPECT_TRUE(one.Delete("a"));
  EXPECT_FALSE(one.Merge(two.Shared()));
  EXPECT_TRUE(two.Merge(one.Shared()));
  EXPECT_FALSE(two.Has("a"));
  // And comes again when it is loaded anew.
  two.Put(Library("a"));
  EXPECT_TRUE(one.Merge(two.Shared()));
  EXPECT_TRUE(one.Has("a"));
  EXPECT_EQ(one.Shared(), two.Shared());
}

TEST(FunctionStore, OfTwoChangesAtATimeBothTakeTheSameOne) {
  FunctionStore one;
  FunctionStore two;
  FunctionLibrary other = Library("a");
  other.code += " + 1";
  one.Put(Library("a"));
  two.Put(other);
  const std::string first = one.Shared();
  one.Merge(two.Shared());
  two.Merge(first);
  EXPECT_EQ(one.Shared(), two.Shared());
}

TEST(FunctionStore, WhatWasKeptBeforeTheStartCountsLast) {
  FunctionStore kept;
  kept.Put(Library("a"));
  FunctionStore restarted;
  ASSERT_TRUE(restarted.Restore(*kept.All()[0]));
  FunctionStore fleet;
  fleet.Put(Library("a"));
  fleet.Delete("a");
  EXPECT_FALSE(fleet.Merge(restarted.Shared()));
  EXPECT_TRUE(restarted.Merge(fleet.Shared()));
  EXPECT_FALSE(restarted.Has("a"));
}

// It is told to delete what it had kept, before it has heard of the others.
TEST(FunctionStore, WhatIsDeletedRightBehindTheStartStaysSo) {
  uint64_t now = 1000;
  const auto clock = [&now] { return now; };
  FunctionStore fleet;
  fleet.set_clock(clock);
  fleet.Put(Library("a"));
  now = 2000;
  FunctionStore restarted;
  restarted.set_clock(clock);
  ASSERT_TRUE(restarted.Restore(*fleet.All()[0]));
  EXPECT_TRUE(restarted.Delete("a"));
  EXPECT_FALSE(restarted.Merge(fleet.Shared()));
  EXPECT_FALSE(restarted.Has("a"));
  EXPECT_TRUE(fleet.Merge(restarted.Shared()));
  EXPECT_FALSE(fleet.Has("a"));
  // What is known to be later is, whatever the clock says.
  now = 1;
  fleet.Put(Library("a"));
  EXPECT_TRUE(restarted.Merge(fleet.Shared()));
  EXPECT_TRUE(restarted.Has("a"));
}

TEST(FunctionStore, NodesAreToldOfWhatCameFromAnotherMember) {
  FunctionStore one;
  FunctionStore two;
  one.Put(Library("a"));
  uint64_t version = 0;
  two.Merge(one.Shared());
  EXPECT_EQ(Told(two, &version), (std::vector<std::string>{"LOAD a"}));
  one.Delete("a");
  two.Merge(one.Shared());
  EXPECT_EQ(Told(two, &version), (std::vector<std::string>{"DELETE a"}));
}

TEST(FunctionStore, GarbageIsNotTakenOver) {
  FunctionStore good;
  good.Put(Library("a"));
  good.Put(Library("b"));
  good.Delete("b");
  const std::string shared = good.Shared();
  for (size_t size = 0; size < shared.size(); ++size) {
    FunctionStore store;
    store.Merge(shared.substr(0, size));
    EXPECT_LE(store.Libraries().size(), 1u);
  }
  for (size_t i = 0; i < shared.size(); ++i) {
    std::string bad = shared;
    bad[i] = static_cast<char>(bad[i] ^ 0x55);
    FunctionStore store;
    store.Merge(bad);
    for (const FunctionLibrary& library : store.Libraries()) {
      EXPECT_EQ(library.name, FunctionStore::NameIn(library.code));
    }
  }
}

}  // namespace
}  // namespace gemel::function_store_test

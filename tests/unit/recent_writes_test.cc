// Which keys may have been written since a removal that is heard of only now.

#include "backend/removals/recent_writes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::recent_writes_test {
namespace {

std::vector<std::string> Spread(const RecentWrites& recent, std::vector<std::string> keys) {
  EXPECT_TRUE(recent.Spread(&keys));
  std::sort(keys.begin(), keys.end());
  return keys;
}

void Together(RecentWrites* recent, std::vector<std::string_view> keys) {
  recent->AddTogether(keys, 0, keys.size());
}

using Keys = std::vector<std::string>;

TEST(RecentWrites, WhatWasSentBeforeItBeganIsNotKnown) {
  RecentWrites recent;
  recent.Add("a");
  EXPECT_FALSE(recent.MayHave("a")) << "nothing is recorded";
  EXPECT_TRUE(recent.empty());
  recent.Begin();
  EXPECT_TRUE(recent.MayHave("whatever"));
  recent.Close();
  recent.Add("b");
  EXPECT_TRUE(recent.MayHave("whatever")) << "the barrier has not ended";
  recent.Drop();
  EXPECT_FALSE(recent.MayHave("whatever"));
  EXPECT_TRUE(recent.MayHave("b")) << "it came behind the barrier";
  recent.Close();
  EXPECT_TRUE(recent.MayHave("b"));
  recent.Drop();
  EXPECT_FALSE(recent.MayHave("b"));
  EXPECT_TRUE(recent.empty());
}

TEST(RecentWrites, OneThatWasWrittenIsNeverMissed) {
  RecentWrites recent;
  recent.Begin();
  recent.Close();
  recent.Drop();
  constexpr int kKeys = 3000;
  for (int i = 0; i < kKeys; ++i) recent.Add("key:" + std::to_string(i));
  int others = 0;
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_TRUE(recent.MayHave("key:" + std::to_string(i)));
    others += recent.MayHave("other:" + std::to_string(i)) ? 1 : 0;
  }
  EXPECT_LT(others, kKeys / 20) << "too many are taken for written";
}

TEST(RecentWrites, ADoubtSpreadsInTheOrderOfTheWrites) {
  RecentWrites recent;
  recent.Begin();
  Together(&recent, {"y", "z"});
  Together(&recent, {"a", "b"});
  recent.Close();
  Together(&recent, {"b", "c"});
  Together(&recent, {"d", "e"});
  EXPECT_EQ(Spread(recent, {"a"}), (Keys{"a", "b", "c"}));
  EXPECT_EQ(Spread(recent, {"c"}), (Keys{"b", "c"})) << "what was before is not concerned";
  EXPECT_EQ(Spread(recent, {"e"}), (Keys{"d", "e"}));
  EXPECT_EQ(Spread(recent, {"x"}), (Keys{"x"}));
  recent.Drop();
  EXPECT_EQ(Spread(recent, {"a"}), (Keys{"a"}));
}

TEST(RecentWrites, ADoubtSpreadsToWhatIsWrittenAlone) {
  RecentWrites recent;
  recent.Begin();
  recent.AddTogether(std::vector<std::string_view>{"dest", "a", "b"}, 0, 1);
  EXPECT_EQ(Spread(recent, {"a"}), (Keys{"a", "dest"}));
  EXPECT_EQ(Spread(recent, {"dest"}), (Keys{"dest"}));
  recent.AddTogether(std::vector<std::string_view>{"dest", "copy"}, 1, 2);
  EXPECT_EQ(Spread(recent, {"b"}), (Keys{"b", "copy", "dest"}));
}

TEST(RecentWrites, WritesOfSeveralAreRecordedAlways) {
  RecentWrites recent;
  Together(&recent, {"a", "b"});
  EXPECT_FALSE(recent.empty());
  EXPECT_TRUE(recent.MayHave("a"));
  EXPECT_FALSE(recent.MayHave("c"));
  recent.Begin();
  EXPECT_EQ(Spread(recent, {"a"}), (Keys{"a", "b"}));
  recent.End();
  recent.Close();
  recent.Drop();
  EXPECT_TRUE(recent.empty());
}

TEST(RecentWrites, TooManyWritesOfSeveralAreSaid) {
  RecentWrites recent;
  recent.Begin();
  const std::string large(1000, 'k');
  for (int i = 0; i < 5000; ++i) {
    const std::string key = large + std::to_string(i);
    Together(&recent, {key, "b"});
  }
  Keys keys{"a"};
  EXPECT_FALSE(recent.Spread(&keys));
  recent.Close();
  recent.Drop();
  EXPECT_TRUE(recent.Spread(&keys));
}

TEST(RecentWrites, RemembersOnWhichCopiesAKeyIsGone) {
  RecentWrites recent;
  recent.Begin();
  recent.NoteGone("a", 1);
  recent.Close();
  recent.NoteGone("a", 2);
  EXPECT_EQ(recent.GoneOn("a"), 3u);
  EXPECT_EQ(recent.GoneOn("b"), 0u);
  recent.Drop();
  EXPECT_EQ(recent.GoneOn("a"), 2u);
}

TEST(RecentWrites, WhatWasBehindABarrierThatIsGivenUpIsBehindTheNextOne) {
  RecentWrites recent;
  recent.Begin();
  recent.Close();
  recent.Reopen();
  EXPECT_TRUE(recent.MayHave("whatever")) << "what was sent before it began is not known";
  recent.Close();
  recent.Drop();
  EXPECT_FALSE(recent.MayHave("whatever"));
  recent.Add("a");
  Together(&recent, {"x", "y"});
  recent.NoteGone("gone", 1);
  recent.NoteGone("gone before", 1);
  recent.AddOverwritten("old");
  recent.Close();
  recent.Add("b");
  Together(&recent, {"y", "z"});
  recent.NoteGone("gone", 2);
  recent.AddOverwritten("new");
  recent.Reopen();
  const auto expect_all = [&] {
    for (const char* key : {"a", "b", "x", "z"}) EXPECT_TRUE(recent.MayHave(key)) << key;
    EXPECT_EQ(Spread(recent, {"x"}), (Keys{"x", "y", "z"})) << "in the order of the writes";
    EXPECT_EQ(Spread(recent, {"z"}), (Keys{"y", "z"}));
    EXPECT_EQ(recent.GoneOn("gone"), 3u);
    EXPECT_EQ(recent.GoneOn("gone before"), 1u);
    EXPECT_TRUE(recent.IsOverwritten("old"));
    EXPECT_TRUE(recent.IsOverwritten("new"));
  };
  expect_all();
  recent.Close();
  expect_all();
  recent.Add("c");
  recent.Drop();
  for (const char* key : {"a", "b", "x", "z"}) EXPECT_FALSE(recent.MayHave(key)) << key;
  EXPECT_TRUE(recent.MayHave("c"));
  EXPECT_EQ(Spread(recent, {"x"}), (Keys{"x"}));
  EXPECT_EQ(recent.GoneOn("gone"), 0u);
  EXPECT_FALSE(recent.IsOverwritten("old") || recent.IsOverwritten("new"));
}

TEST(RecentWrites, ThatThereWereTooManyIsKeptWhenABarrierIsGivenUp) {
  RecentWrites recent;
  recent.Begin();
  recent.Close();
  recent.Drop();
  const std::string large(1000, 'k');
  for (int i = 0; i < 5000; ++i) {
    const std::string key = large + std::to_string(i);
    Together(&recent, {key, "b"});
  }
  recent.Close();
  Together(&recent, {"c", "d"});
  recent.Reopen();
  Keys keys{"a"};
  EXPECT_FALSE(recent.Spread(&keys));
}

// Two halves that are within the bound are not beyond it together.
TEST(RecentWrites, WhatIsReopenedIsBoundedAsBefore) {
  RecentWrites recent;
  recent.Begin();
  const std::string large(1000, 'k');
  const auto write = [&](int count) {
    for (int i = 0; i < count; ++i) Together(&recent, {large, "b"});
  };
  write(3000);
  recent.Close();
  write(500);
  recent.Reopen();
  Keys keys{"a"};
  EXPECT_TRUE(recent.Spread(&keys));
  write(1000);
  EXPECT_FALSE(recent.Spread(&keys)) << "it counts what it had before";
}

TEST(RecentWrites, WhichStatesWereReplacedIsForgottenBehindABarrier) {
  RecentWrites recent;
  EXPECT_FALSE(recent.IsOverwritten("a"));
  recent.AddOverwritten("a");
  EXPECT_FALSE(recent.empty()) << "there is something to forget";
  EXPECT_TRUE(recent.IsOverwritten("a"));
  EXPECT_FALSE(recent.IsOverwritten("b"));
  EXPECT_FALSE(recent.MayHave("a")) << "that is another question";
  recent.Close();
  EXPECT_TRUE(recent.IsOverwritten("a"));
  recent.AddOverwritten("b");
  recent.Drop();
  EXPECT_FALSE(recent.IsOverwritten("a"));
  EXPECT_TRUE(recent.IsOverwritten("b")) << "it came behind the barrier";
  recent.Close();
  recent.Drop();
  EXPECT_FALSE(recent.IsOverwritten("b"));
  EXPECT_TRUE(recent.empty());
}

TEST(RecentWrites, OfTooManyStatesAnyMayHaveBeenReplaced) {
  RecentWrites recent;
  constexpr int kBound = 1 << 16;
  for (int i = 0; i < kBound - 1; ++i) recent.AddOverwritten("key:" + std::to_string(i));
  EXPECT_FALSE(recent.IsOverwritten("another"));
  recent.AddOverwritten("one more");
  recent.AddOverwritten("that is not kept");
  EXPECT_TRUE(recent.IsOverwritten("that is not kept"));
  recent.Close();
  recent.Reopen();
  EXPECT_TRUE(recent.IsOverwritten("that is not kept"));
  recent.Close();
  EXPECT_TRUE(recent.IsOverwritten("that is not kept"));
  recent.Drop();
  EXPECT_FALSE(recent.IsOverwritten("that is not kept"));
}

TEST(RecentWrites, WhoToldIsKnownUntilABarrierBehindTheLastStateThatWasSent) {
  RecentWrites recent;
  recent.NoteTold("a", 1);
  recent.NoteTold("b", 1);
  recent.NoteTold("c", 1);
  EXPECT_FALSE(recent.empty());
  recent.Close();
  recent.AddOverwritten("b");
  recent.NoteTold("b", 2);
  EXPECT_EQ(recent.ToldBy("b"), 3u);
  recent.Drop([](std::string_view key) { return key == "c"; });
  EXPECT_EQ(recent.ToldBy("a"), 0u);
  EXPECT_EQ(recent.ToldBy("b"), 3u);
  EXPECT_EQ(recent.ToldBy("c"), 1u);
  recent.Close();
  recent.Reopen();
  EXPECT_EQ(recent.ToldBy("b"), 3u);
  recent.Close();
  recent.Drop();
  EXPECT_EQ(recent.ToldBy("b"), 0u);
  EXPECT_EQ(recent.ToldBy("c"), 0u);
  EXPECT_TRUE(recent.empty());
}

}  // namespace
}  // namespace gemel::recent_writes_test

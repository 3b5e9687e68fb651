// What the log of raft's voters amounts to.

#include "backend/raft/raft_state.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel {
namespace {

RaftCommand Set(uint64_t client, uint64_t seq, const std::string& name, uint64_t expected,
                const std::string& text) {
  return {client, seq, 0, name, expected, text};
}

TEST(RaftState, WritesWhereTheVersionIsTheExpectedOne) {
  RaftState state;
  EXPECT_EQ(state.Apply(Set(1, 1, "a", 0, "one")), (RaftState::Result{true, 1}));
  EXPECT_EQ(state.Apply(Set(1, 2, "a", 0, "two")), (RaftState::Result{false, 1}));
  EXPECT_EQ(state.Apply(Set(2, 1, "b", 0, "three")), (RaftState::Result{true, 2}));
  EXPECT_EQ(state.Apply(Set(2, 2, "a", 1, "four")), (RaftState::Result{true, 3}));
  EXPECT_EQ(state.Read("a"), (RegisterValue{"four", 3}));
  EXPECT_EQ(state.Read("c"), RegisterValue());
  EXPECT_EQ(state.List("").size(), 2U);
  EXPECT_EQ(state.List("b").size(), 1U);
  EXPECT_EQ(state.List("", 2), (std::vector<NamedRegister>{{"a", {"four", 3}}}));
  EXPECT_TRUE(state.List("", 3).empty());
}

TEST(RaftState, WhatIsSentTwiceIsDoneOnceAndAnsweredAlike) {
  RaftState state;
  const RaftCommand first = Set(1, 5, "a", 0, "one");
  const RaftState::Result result = state.Apply(first);
  EXPECT_EQ(state.Apply(first), result);
  state.Apply(Set(2, 1, "a", 1, "two"));
  EXPECT_EQ(state.Apply(first), result) << "also when another has written since";
  const RaftCommand refused = Set(1, 6, "a", 3, "never");
  EXPECT_FALSE(state.Apply(refused).done);
  state.Apply(Set(2, 2, "a", 2, "three"));
  EXPECT_EQ(state.Read("a").version, 3U);
  EXPECT_FALSE(state.Apply(refused).done) << "though it would fit now";
  EXPECT_EQ(state.Read("a").text, "three");
}

TEST(RaftState, WhatNobodyWaitsForIsNeitherKeptNorDone) {
  RaftState state;
  state.Apply(Set(1, 1, "a", 0, "one"));
  RaftCommand later = Set(1, 9, "b", 0, "two");
  later.floor = 9;
  state.Apply(later);
  EXPECT_FALSE(state.Apply(Set(1, 2, "c", 0, "late")).done);
  EXPECT_EQ(state.Read("c"), RegisterValue());
}

TEST(RaftState, ForgetsWhoWroteLeastRecently) {
  RaftState state;
  state.Apply(Set(1, 1, "a", 0, "one"));
  for (uint64_t i = 0; i < RaftState::kMostClients; ++i) {
    state.Apply(Set(100 + i, 1, "b" + std::to_string(i), 0, ""));
  }
  // It meets its own write: no more than a conflict.
  EXPECT_EQ(state.Apply(Set(1, 1, "a", 0, "one")), (RaftState::Result{false, 1}));
}

TEST(RaftState, ASnapshotHasAllOfIt) {
  RaftState state;
  state.Apply(Set(1, 1, "a", 0, std::string("\0x", 2)));
  state.Apply(Set(1, 2, "b", 7, "no"));
  state.Apply(Set(2, 1, "b", 0, ""));
  RaftState other;
  other.Apply(Set(9, 9, "gone", 0, ""));
  ASSERT_TRUE(other.Restore(state.Snapshot()));
  EXPECT_EQ(other, state);
  EXPECT_EQ(other.Apply(Set(1, 1, "a", 0, "again")), (RaftState::Result{true, 1}));
  const std::string bytes = state.Snapshot();
  for (size_t size = 0; size < bytes.size(); ++size) {
    RaftState kept = state;
    EXPECT_FALSE(kept.Restore(bytes.substr(0, size))) << size;
    std::string damaged = bytes;
    damaged[size] = static_cast<char>(damaged[size] ^ 1);
    EXPECT_FALSE(kept.Restore(damaged)) << size;
    EXPECT_EQ(kept, state);
  }
}

TEST(RaftMessages, AreReadAsTheyWereWritten) {
  for (size_t size = 0; size < 20; ++size) {
    RaftCommand command = Set(1, 2, "a/b", 3, std::string(size, '\0'));
    command.floor = 4;
    EXPECT_EQ(command.Encode().size() % 8, 0U);
    EXPECT_EQ(RaftCommand::Decode(command.Encode()), command);
    RaftAsk ask{RaftAsk::Kind::kWrite, 2, "", command};
    EXPECT_EQ(RaftAsk::Decode(ask.Encode()), ask);
  }
  const RaftAsk list{RaftAsk::Kind::kList, 7, "a/", {}, 9};
  EXPECT_EQ(RaftAsk::Decode(list.Encode()), list);
  for (const auto kind : {RaftAsk::Kind::kAddVoter, RaftAsk::Kind::kRemoveVoter}) {
    const RaftAsk voter{kind, 3, "127.0.0.1:1", {}};
    EXPECT_EQ(RaftAsk::Decode(voter.Encode()), voter);
  }
  const RaftAnswer refused{RaftAnswer::Kind::kRefused, 3, 0, "", {{"why", {"no", 0}}}, {}};
  EXPECT_EQ(RaftAnswer::Decode(refused.Encode()), refused);
  const RaftAsk standing{RaftAsk::Kind::kStanding, 0, "", {}};
  EXPECT_EQ(RaftAsk::Decode(standing.Encode()), standing);
  const RaftAnswer stands{RaftAnswer::Kind::kStanding, 0, 0, "127.0.0.1:1", {}, {3, 200, 190}};
  EXPECT_EQ(RaftAnswer::Decode(stands.Encode()), stands);
  const RaftAnswer answer{RaftAnswer::Kind::kConflict,     7, 8, "127.0.0.1:1",
                          {{"a", {"text", 9}}, {"b", {}}}, {}};
  const std::string bytes = answer.Encode();
  EXPECT_EQ(RaftAnswer::Decode(bytes), answer);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(RaftAnswer::Decode(bytes.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(RaftCommand::Decode("no command"), std::nullopt);
}

}  // namespace
}  // namespace gemel

// Voters whose disk is full or damaged, and voters between whom nothing comes through.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/io/raft_fixture.h"
#include "tests/io/register_counter.h"

namespace gemel::raft_test {
namespace raft_faults_test {

using engines_test::ReadAtLast;
using engines_test::ReadFrom;
using engines_test::WriteTo;

constexpr size_t kDiskBytes = 24 << 20;

// Far more than is free in what a voter has prepared for its log.
constexpr int kMuch = 24;
constexpr size_t kMuchBytes = size_t{400} << 10;

class RaftFaultsTest : public RaftTest {
 protected:
  explicit RaftFaultsTest(VotersOptions options = {.snapshot_after = 100}) : RaftTest(options) {}

  void PutMuch(Registers* view, const std::string& of) {
    for (int i = 0; i < kMuch; ++i) {
      const std::string text = of + std::to_string(i) + std::string(kMuchBytes, 'x');
      ASSERT_GT(Put(view, "much", text), 0U) << i;
    }
  }
  // With one of the others that voter is a majority: what was agreed is on its disk.
  void ExpectVotes(size_t voter, Registers* view, const std::string& text) {
    const size_t other = (voter + 1) % 3;
    voters_.Kill(other);
    EXPECT_EQ(ReadAtLast(&turning_, view, "a")->text, text);
    EXPECT_GT(Put(view, "a", text + " and more"), 0U);
    ASSERT_EQ(voters_.Start(other), "");
  }
};

class RaftFullDiskTest : public RaftFaultsTest {
 protected:
  RaftFullDiskTest() : RaftFaultsTest({.snapshot_after = 1024, .disk_bytes = kDiskBytes}) {}
};

TEST_F(RaftFullDiskTest, ALeaderWhoseDiskIsFullIsFollowedByAnotherUntilThereIsRoom) {
  if (voters_.Start(0) == kNoDisk) GTEST_SKIP() << "no process here may have a disk of its own";
  StartAll();
  const std::unique_ptr<Registers> view = View(5000);
  Put(view.get(), "a", "before");
  const size_t full = Leader();
  voters_.FillDisk(full);
  PutMuch(view.get(), "full");
  EXPECT_TRUE(turning_.RunUntil([&] {
    const size_t leader = voters_.Leader();
    return leader < 3 && leader != full;
  }));
  EXPECT_NE(
      voters_.Warning(full).find("takes nothing: this member keeps nothing of what is agreed"),
      std::string::npos)
      << voters_.Warning(full);
  Put(view.get(), "a", "without it");
  voters_.FreeDisk(full);
  EXPECT_TRUE(turning_.RunUntil([&] {
    return voters_.Warning(full).find("takes again what it is given") != std::string::npos;
  })) << voters_.Warning(full);
}

TEST_F(RaftFullDiskTest, WhatTwoOfThreeCannotKeepIsNotDone) {
  if (voters_.Start(0) == kNoDisk) GTEST_SKIP() << "no process here may have a disk of its own";
  StartAll();
  const std::unique_ptr<Registers> view = View(5000);
  const uint64_t version = Put(view.get(), "a", "before");
  const size_t leader = Leader();
  const size_t full = (leader + 1) % 3;
  voters_.FillDisk(full);
  PutMuch(view.get(), "full");
  voters_.Kill((leader + 2) % 3);
  const std::unique_ptr<Registers> hasty = View(500);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(WriteTo(&turning_, hasty.get(), "a", version, "never kept").outcome, Outcome::kDone);
    EXPECT_EQ(ReadFrom(&turning_, hasty.get(), "a"), std::nullopt) << "it may be another by now";
  }
  voters_.FreeDisk(full);
  EXPECT_GT(Put(view.get(), "a", "after"), version);
}

TEST_F(RaftFaultsTest, AVoterWhoseSnapshotIsDamagedDoesNotBeginAndTheOthersGoOn) {
  StartAll();
  const std::unique_ptr<Registers> view = View(5000);
  const auto snapshots = [&] {
    std::vector<std::string> all;
    for (const auto& file : std::filesystem::directory_iterator(voters_.folder(1))) {
      const std::string name = file.path().filename().string();
      if (name.starts_with("snapshot-") && !name.ends_with(".meta")) all.push_back(file.path());
    }
    return all;
  };
  for (int i = 0; snapshots().empty() && i < 2000; ++i) {
    Put(view.get(), "r/" + std::to_string(i % 50), "of the damaged " + std::to_string(i));
  }
  ASSERT_FALSE(snapshots().empty());
  voters_.Kill(1);
  for (const std::string& path : snapshots()) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    // A letter of a text: what is said of it is said by its sum alone.
    const size_t at = bytes.find("of the damaged");
    ASSERT_NE(at, std::string::npos) << path;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put('O');
  }
  const std::string why = voters_.Start(1);
  EXPECT_NE(why.find("raft's folder " + voters_.folder(1) + " cannot be used: "), std::string::npos)
      << why;
  EXPECT_GT(Put(view.get(), "a", "without it"), 0U);
}

// Each place has a voter and a member that asks.
class RaftPartitionTest : public RaftTest {
 protected:
  RaftPartitionTest() : RaftTest({.wired = true}) {}

  ~RaftPartitionTest() override { go_ = false; }

  void Begin() {
    StartAll();
    for (size_t i = 0; i < 3; ++i) {
      adders_.push_back(std::make_unique<RegisterCounter>(View(1500, Wires::PlaceName(i)), &go_));
      adders_.back()->Turn();
    }
    ExpectMore({0, 1, 2}, 20);
  }
  void ExpectMore(const std::vector<size_t>& places, uint64_t more) {
    for (const size_t place : places) {
      const uint64_t wanted = adders_[place]->done() + more;
      EXPECT_TRUE(turning_.RunUntil([&] { return adders_[place]->done() >= wanted; }))
          << "the member at " << place;
    }
  }
  // What is cut off from those that lead on does nothing, and they do.
  void ExpectOthersGoOn(size_t cut_off) {
    const std::vector<size_t> others = {(cut_off + 1) % 3, (cut_off + 2) % 3};
    ExpectMore(others, 20);
    const uint64_t done = adders_[cut_off]->done();
    ExpectMore(others, 20);
    EXPECT_EQ(adders_[cut_off]->done(), done) << "it was told that something was done";
  }
  void HealAndCheck() {
    voters_.wires().Heal();
    ExpectMore({0, 1, 2}, 10);
    go_ = false;
    uint64_t done = 0;
    uint64_t unknown = 0;
    for (const auto& adder : adders_) {
      ASSERT_TRUE(turning_.RunUntil([&] { return adder->idle(); }));
      done += adder->done();
      unknown += adder->unknown();
    }
    std::vector<std::string> seen;
    for (size_t i = 0; i < 3; ++i) {
      const std::unique_ptr<Registers> view = View(2000, Wires::PlaceName(i));
      seen.push_back(ReadAtLast(&turning_, view.get(), "n")->text);
    }
    EXPECT_EQ(seen, std::vector<std::string>(3, seen[0]));
    EXPECT_GE(std::stoull(seen[0]), done);
    EXPECT_LE(std::stoull(seen[0]), done + unknown);
    // All voters have all of it in the end.
    EXPECT_TRUE(turning_.RunUntil([&] {
      return voters_.LastApplied(0) == voters_.LastApplied(1) &&
             voters_.LastApplied(1) == voters_.LastApplied(2);
    }));
  }

  bool go_ = true;
  std::vector<std::unique_ptr<RegisterCounter>> adders_;
};

TEST_F(RaftPartitionTest, TheLeaderIsCutOff) {
  Begin();
  const size_t leader = Leader();
  for (const size_t other : {(leader + 1) % 3, (leader + 2) % 3}) {
    voters_.wires().Cut(leader, other);
    voters_.wires().Cut(other, leader);
  }
  ExpectOthersGoOn(leader);
  HealAndCheck();
}

TEST_F(RaftPartitionTest, OneThatDoesNotLeadIsCutOffAndDisturbsNobodyWhenItIsBack) {
  Begin();
  const size_t cut_off = (Leader() + 1) % 3;
  for (const size_t other : {(cut_off + 1) % 3, (cut_off + 2) % 3}) {
    voters_.wires().Cut(cut_off, other);
    voters_.wires().Cut(other, cut_off);
  }
  ExpectOthersGoOn(cut_off);
  HealAndCheck();
}

TEST_F(RaftPartitionTest, TheLeaderHearsAndIsNotHeard) {
  Begin();
  const size_t leader = Leader();
  for (const size_t other : {(leader + 1) % 3, (leader + 2) % 3}) {
    voters_.wires().Cut(leader, other);
  }
  ExpectOthersGoOn(leader);
  HealAndCheck();
}

TEST_F(RaftPartitionTest, TheLeaderIsHeardAndDoesNotHear) {
  Begin();
  const size_t leader = Leader();
  for (const size_t other : {(leader + 1) % 3, (leader + 2) % 3}) {
    voters_.wires().Cut(other, leader);
  }
  ExpectOthersGoOn(leader);
  HealAndCheck();
}

// Each of the others reaches it, and they do not reach each other: some majority there is.
TEST_F(RaftPartitionTest, TwoReachEachOtherByWayOfTheThirdAlone) {
  Begin();
  const size_t leader = Leader();
  const size_t other = (leader + 1) % 3;
  voters_.wires().Cut(leader, other);
  voters_.wires().Cut(other, leader);
  ExpectMore({leader, (leader + 2) % 3}, 20);
  HealAndCheck();
}

}  // namespace raft_faults_test
}  // namespace gemel::raft_test

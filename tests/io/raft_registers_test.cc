// Registers by raft: three voters in processes of their own, which die, hang, and come back.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/raft/uv_raft_node.h"
#include "tests/io/engine_views.h"
#include "tests/io/raft_fixture.h"
#include "tests/io/raft_voters.h"
#include "tests/io/register_counter.h"
#include "tests/registers_conformance.h"

namespace gemel::raft_test {
namespace {

using engines_test::Open;
using engines_test::OptionsFor;
using engines_test::ReadAtLast;
using engines_test::ReadFrom;
using engines_test::Ready;
using engines_test::Turning;
using engines_test::WriteTo;

class RaftHarness {
 public:
  static constexpr bool kTells = true;

  RaftHarness() {
    Start();
    EXPECT_TRUE(Ready(&turning_, voters_.Options()));
  }

  std::unique_ptr<Registers> View() {
    return Open(&turning_.loop_, voters_.Options("asker" + std::to_string(++views_)));
  }
  bool TurnUntil(const std::function<bool()>& condition) { return turning_.RunUntil(condition); }
  void set_reachable(bool reachable) {
    if (reachable) return Start();
    for (size_t i = 0; i < 3; ++i) voters_.Kill(i);
  }

 private:
  void Start() {
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(voters_.Start(i), "");
  }

  Turning turning_;
  Voters voters_;
  int views_ = 0;
};

class RaftRegistersTest : public RaftTest {};

TEST_F(RaftRegistersTest, NoIncrementIsLostWhileLeadersChange) {
  StartAll();
  RegisterCounters adders;
  for (int i = 0; i < 3; ++i) adders.Add(View());
  for (int round = 0; round < 6; ++round) {
    ASSERT_TRUE(
        turning_.RunUntil([&, wanted = adders.done() + 40] { return adders.done() >= wanted; }));
    const size_t leader = Leader();
    if (round % 2 == 0) {
      voters_.Kill(leader);
    } else {
      voters_.Pause(leader);
    }
    ASSERT_TRUE(
        turning_.RunUntil([&, wanted = adders.done() + 10] { return adders.done() >= wanted; }));
    if (round % 2 == 0) {
      ASSERT_EQ(voters_.Start(leader), "");
    } else {
      voters_.Resume(leader);
    }
  }
  adders.Stop();
  ASSERT_TRUE(turning_.RunUntil([&] { return adders.idle(); }));
  const std::unique_ptr<Registers> view = View();
  const uint64_t number = std::stoull(ReadAtLast(&turning_, view.get(), "n")->text);
  EXPECT_GE(number, adders.done());
  EXPECT_LE(number, adders.done() + adders.unknown());
  EXPECT_GE(adders.done(), 200U);
}

TEST_F(RaftRegistersTest, WithoutAMajorityNothingIsDone) {
  StartAll();
  const std::unique_ptr<Registers> view = View(600);
  const uint64_t version = Put(view.get(), "a", "one");
  voters_.Kill(0);
  voters_.Pause(1);
  EXPECT_EQ(ReadFrom(&turning_, view.get(), "a"), std::nullopt);
  EXPECT_NE(view->trouble(), "");
  const Outcome outcome = WriteTo(&turning_, view.get(), "a", version, "two").outcome;
  EXPECT_TRUE(outcome == Outcome::kUnreachable || outcome == Outcome::kUnknown);
  ASSERT_EQ(voters_.Start(0), "");
  EXPECT_GT(Put(view.get(), "a", "three"), version);
  EXPECT_EQ(view->trouble(), "");
  voters_.Resume(1);
}

TEST_F(RaftRegistersTest, ALeaderThatWasStoppedDoesNotAnswerOfThePast) {
  StartAll();
  const std::unique_ptr<Registers> view = View();
  uint64_t version = Put(view.get(), "a", "0");
  for (int round = 1; round <= 5; ++round) {
    const size_t leader = Leader();
    voters_.Pause(leader);
    version = Put(view.get(), "a", std::to_string(round));
    // One who comes now may find the one that believes that it leads.
    voters_.Resume(leader);
    for (int i = 0; i < 3; ++i) {
      const std::unique_ptr<Registers> late = View();
      const auto read = ReadAtLast(&turning_, late.get(), "a");
      ASSERT_TRUE(read);
      EXPECT_EQ(*read, (RegisterValue{std::to_string(round), version}));
    }
  }
}

TEST_F(RaftRegistersTest, AllThatWasAnsweredOutlivesTheDeathOfAllAndASnapshot) {
  StartAll();
  const std::unique_ptr<Registers> view = View();
  voters_.Kill(2);  // it will have missed more than the log keeps
  size_t done = 0;
  uint64_t asked = 0;
  uint64_t failed = 0;
  constexpr uint64_t kWrites = 1500;
  std::function<void()> next;
  // On a busy machine one may not be answered in time: it is asked again, and is there if it came
  // to be the first time.
  std::function<void(std::string, int)> put = [&](const std::string& name, int tries) {
    view->Write(name, 0, "of " + name, [&, name, tries](Outcome outcome, uint64_t) {
      const bool there = outcome == Outcome::kDone || (tries > 0 && outcome == Outcome::kConflict);
      if (!there && tries < 30) return put(name, tries + 1);
      failed += there ? 0 : 1;
      ++done;
      next();
    });
  };
  next = [&] {
    if (asked == kWrites) return;
    put("r/" + std::to_string(asked++), 0);
  };
  for (int i = 0; i < 64; ++i) next();
  ASSERT_TRUE(turning_.RunUntil([&] { return done == kWrites; }));
  EXPECT_EQ(failed, 0U);
  const auto snapshots = [&](size_t i) {
    size_t found = 0;
    for (const auto& file : std::filesystem::directory_iterator(voters_.folder(i))) {
      found += file.path().filename().string().starts_with("snapshot-");
    }
    return found;
  };
  ASSERT_TRUE(turning_.RunUntil([&] { return snapshots(0) > 0 && snapshots(1) > 0; }));
  for (size_t i = 0; i < 2; ++i) voters_.Kill(i);
  for (size_t i = 0; i < 3; ++i) ASSERT_EQ(voters_.Start(i), "");
  std::optional<std::vector<NamedRegister>> all;
  ASSERT_TRUE(e2e::Eventually([&] {
    bool answered = false;
    view->List("r/", [&](Outcome outcome, const std::vector<NamedRegister>& found) {
      answered = true;
      if (outcome == Outcome::kDone) all = found;
    });
    return turning_.RunUntil([&] { return answered; }) && all.has_value();
  }));
  ASSERT_EQ(all->size(), kWrites);
  for (const NamedRegister& each : *all) ASSERT_EQ(each.value.text, "of " + each.name);
  // The one that was away has it all as well: with one of the others it is a majority.
  voters_.Kill(0);
  EXPECT_EQ(ReadAtLast(&turning_, view.get(), "r/7")->text, "of r/7");
}

TEST_F(RaftRegistersTest, AVoterWhoseLogIsDamagedDoesNotBeginAndTheOthersGoOn) {
  StartAll();
  const std::unique_ptr<Registers> view = View();
  for (int i = 0; i < 20; ++i) Put(view.get(), "a", "of the damaged " + std::to_string(i));
  voters_.Kill(1);
  // It closes what was open of its log on the next start.
  ASSERT_EQ(voters_.Start(1), "");
  Put(view.get(), "a", "more");
  voters_.Kill(1);
  size_t damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(voters_.folder(1))) {
    // Closed ones: what is written last of an open one is left out as unfinished.
    if (!file.path().filename().string().starts_with("0000")) continue;
    std::fstream segment(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(segment), {}};
    const size_t at = bytes.find("of the damaged");
    if (at == std::string::npos) continue;
    segment.clear();
    segment.seekp(static_cast<std::streamoff>(at));
    segment.put('O');
    ++damaged;
  }
  ASSERT_GT(damaged, 0U);
  const std::string why = voters_.Start(1);
  EXPECT_NE(why.find("raft's folder " + voters_.folder(1) + " cannot be used: "), std::string::npos)
      << why;
  EXPECT_GT(Put(view.get(), "a", "without it"), 0U);
}

TEST_F(RaftRegistersTest, PeopleSeeWhoLeadsAndHowFarEachVoterIs) {
  using Contact = EngineStatus::Contact;
  StartAll();
  const std::unique_ptr<Registers> view = View();
  Put(view.get(), "a", "one");
  EXPECT_NE(view->Status().answer_ms, std::nullopt);
  const auto sees = [&](size_t leader, Contact of_third, size_t third) {
    return turning_.RunUntil([&] {
      const EngineStatus status = view->Status();
      bool as_it_is = status.leader == voters_.addresses()[leader];
      for (size_t i = 0; i < 3; ++i) {
        const EngineStatus::Server& server = status.servers[i];
        as_it_is &= server.name == voters_.addresses()[i];
        as_it_is &= server.contact == (i == third ? of_third : Contact::kReached);
        as_it_is &= server.contact != Contact::kReached || server.lag == 0U;
      }
      return as_it_is;
    });
  };
  const size_t first = Leader();
  EXPECT_TRUE(sees(first, Contact::kReached, 3));
  const size_t other = (first + 1) % 3;
  voters_.Pause(other);
  EXPECT_TRUE(sees(first, Contact::kNot, other));
  Put(view.get(), "a", "two");
  voters_.Resume(other);
  EXPECT_TRUE(sees(first, Contact::kReached, 3)) << "it has caught up";
  voters_.Kill(first);
  Put(view.get(), "a", "three");
  EXPECT_TRUE(sees(Leader(), Contact::kNot, first));
}

TEST_F(RaftRegistersTest, StrangersAreTurnedAway) {
  StartAll();
  EngineOptions options = voters_.Options();
  options.secret = "another one than theirs";
  options.time_limit_ms = 300;
  const std::unique_ptr<Registers> stranger = Open(&turning_.loop_, options);
  EXPECT_EQ(ReadFrom(&turning_, stranger.get(), "a"), std::nullopt);
  EXPECT_NE(stranger->trouble().find("secret"), std::string::npos) << stranger->trouble();
  options = voters_.Options();
  options.fleet = "g";
  options.time_limit_ms = 300;
  const std::unique_ptr<Registers> other = Open(&turning_.loop_, options);
  EXPECT_EQ(ReadFrom(&turning_, other.get(), "a"), std::nullopt);
  EXPECT_NE(other->trouble().find("another fleet"), std::string::npos) << other->trouble();
}

// A member that is a voter asks the one in its own process like any other.
TEST_F(RaftRegistersTest, MembersThatVoteAskThemselvesToo) {
  std::vector<std::unique_ptr<Registers>> members;
  for (size_t i = 0; i < 3; ++i) {
    EngineOptions options = voters_.Options("member" + std::to_string(i));
    options.voter = voters_.addresses()[i];
    options.folder = voters_.folder(i);
    members.push_back(Open(&turning_.loop_, options));
  }
  uint64_t told = 0;
  members[2]->set_on_change([&] { ++told; });
  const uint64_t version = Put(members[0].get(), "a", "one");
  EXPECT_TRUE(turning_.RunUntil([&] { return told > 0; }));
  for (const auto& member : members) {
    EXPECT_EQ(*ReadAtLast(&turning_, member.get(), "a"), (RegisterValue{"one", version}));
  }
  members[0].reset();
  EXPECT_GT(Put(members[1].get(), "a", "two"), version);
}

TEST_F(RaftRegistersTest, WhatIsNoGroupOfVotersIsRefused) {
  std::string error;
  EngineOptions options = OptionsFor("raft", {"127.0.0.1:1", "127.0.0.1:2"});
  EXPECT_EQ(OpenRegisters(&turning_.loop_, options, &error), nullptr);
  EXPECT_EQ(error,
            "the engine \"raft\" needs 3 or 5 different servers, the addresses of its voters, and "
            "knows 2");
}

}  // namespace
}  // namespace gemel::raft_test

namespace gemel::conformance {
using raft_test::RaftHarness;
INSTANTIATE_TYPED_TEST_SUITE_P(Raft, RegistersConformance, RaftHarness);
}  // namespace gemel::conformance

// Who votes is changed while the voters serve.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/io/raft_fixture.h"
#include "tests/io/register_counter.h"

namespace gemel::raft_test {
namespace raft_voters_change_test {

using engines_test::ReadAtLast;
using engines_test::ReadFrom;

// Three that found it, and two that may come.
class RaftVotersChangeTest : public RaftTest {
 protected:
  RaftVotersChangeTest() : RaftTest({.count = 5, .founders = 3, .snapshot_after = 100}) {}

  void StartFounders() {
    for (size_t i = 0; i < 3; ++i) ASSERT_EQ(voters_.Start(i), "");
    ASSERT_TRUE(engines_test::Ready(&turning_, voters_.Options()));
  }
  // What became of it.
  std::string Change(Registers* view, bool add, size_t voter) {
    return Change(view, add, voters_.addresses()[voter]);
  }
  std::string Change(Registers* view, bool add, const std::string& address) {
    view->ChangeServers(add, address);
    const std::string going = address + (add ? " is being added" : " is being removed");
    EXPECT_TRUE(turning_.RunUntil([&] { return view->Status().change != going; }));
    return view->Status().change.value_or("").substr(address.size());
  }
  // Of the view, in the order of their numbers here.
  std::vector<size_t> Servers(Registers* view) const {
    std::vector<size_t> all;
    for (const EngineStatus::Server& server : view->Status().servers) {
      const auto& known = voters_.addresses();
      all.push_back(
          static_cast<size_t>(std::find(known.begin(), known.end(), server.name) - known.begin()));
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  bool Sees(Registers* view, const std::vector<size_t>& servers) {
    return turning_.RunUntil([&] { return Servers(view) == servers; });
  }
};

TEST_F(RaftVotersChangeTest, TwoAreAddedAndTheFirstIsRemovedUnderWritesAndNothingIsLost) {
  StartFounders();
  RegisterCounters adders;
  for (int i = 0; i < 3; ++i) adders.Add(View());
  const auto expect_more = [&](uint64_t more) {
    const uint64_t wanted = adders.done() + more;
    EXPECT_TRUE(turning_.RunUntil([&] { return adders.done() >= wanted; }));
  };
  // More than the log keeps: who comes needs a snapshot.
  expect_more(1000);
  const std::unique_ptr<Registers> view = View();
  const std::unique_ptr<Registers> other = View();
  for (const size_t voter : {3, 4}) {
    ASSERT_EQ(voters_.Start(voter), "");
    EXPECT_EQ(Change(view.get(), true, voter), " was added");
    expect_more(50);
  }
  EXPECT_TRUE(Sees(view.get(), {0, 1, 2, 3, 4}));
  EXPECT_TRUE(Sees(other.get(), {0, 1, 2, 3, 4})) << "it learns it from the voters";
  EXPECT_EQ(Change(other.get(), false, 0), " was removed");
  EXPECT_TRUE(Sees(view.get(), {1, 2, 3, 4}));
  expect_more(50);
  voters_.Kill(0);
  // The new ones count: of the four one may fail.
  voters_.Kill(1);
  expect_more(50);
  adders.Stop();
  ASSERT_TRUE(turning_.RunUntil([&] { return adders.idle(); }));
  const uint64_t number = std::stoull(ReadAtLast(&turning_, view.get(), "n")->text);
  EXPECT_GE(number, adders.done());
  EXPECT_LE(number, adders.done() + adders.unknown());
  // Who knows the founders alone finds the others by the one of them that is left, and all begin
  // again with what their logs say.
  const std::unique_ptr<Registers> late = View();
  EXPECT_EQ(ReadAtLast(&turning_, late.get(), "n")->text, std::to_string(number));
  EXPECT_TRUE(Sees(late.get(), {1, 2, 3, 4}));
  for (const size_t voter : {2, 3, 4}) voters_.Kill(voter);
  for (const size_t voter : {1, 2, 3, 4}) ASSERT_EQ(voters_.Start(voter), "");
  EXPECT_EQ(ReadAtLast(&turning_, late.get(), "n")->text, std::to_string(number));
}

TEST_F(RaftVotersChangeTest, TheOneThatLeadsIsRemoved) {
  StartFounders();
  const std::unique_ptr<Registers> view = View();
  ASSERT_EQ(voters_.Start(3), "");
  ASSERT_EQ(Change(view.get(), true, 3), " was added");
  const size_t leader = Leader();
  Put(view.get(), "a", "before");
  EXPECT_EQ(Change(view.get(), false, leader), " was removed");
  EXPECT_NE(Leader(), leader);
  EXPECT_EQ(ReadAtLast(&turning_, view.get(), "a")->text, "before");
  // It goes on running, and disturbs nobody.
  Put(view.get(), "a", "after");
  turning_.RunFor(1500);
  EXPECT_EQ(ReadAtLast(&turning_, view.get(), "a")->text, "after");
  std::vector<size_t> left;
  for (size_t i = 0; i < 4; ++i) {
    if (i != leader) left.push_back(i);
  }
  EXPECT_TRUE(Sees(view.get(), left));
  // And comes back.
  EXPECT_EQ(Change(view.get(), true, leader), " was added");
  EXPECT_TRUE(Sees(view.get(), {0, 1, 2, 3}));
}

TEST_F(RaftVotersChangeTest, WhatWouldLeaveNoMajorityIsRefused) {
  StartFounders();
  const std::unique_ptr<Registers> view = View();
  EXPECT_EQ(Change(view.get(), false, 0),
            " was not removed: of 3 voters none is removed, for of two none may fail: add another "
            "one first");
  EXPECT_EQ(Change(view.get(), false, 4), " was removed") << "it is none: as it is wanted";
  EXPECT_EQ(Change(view.get(), true, 1), " was added") << "it is one";
  // Nobody is there.
  const std::string why = Change(view.get(), true, 3);
  EXPECT_NE(why.find(" was not added: " + voters_.addresses()[3] + " did not catch up"),
            std::string::npos)
      << why;
  EXPECT_GT(Put(view.get(), "a", "all the same"), 0U);
  EXPECT_TRUE(Sees(view.get(), {0, 1, 2}));
  ASSERT_EQ(voters_.Start(3), "");
  EXPECT_EQ(Change(view.get(), true, 3), " was added");
  ASSERT_EQ(voters_.Start(4), "");
  EXPECT_EQ(Change(view.get(), true, 4), " was added");
  // Three of five are up, and of the four that would be left two.
  const size_t leader = Leader();
  std::vector<size_t> others;
  for (size_t i = 0; i < 5; ++i) {
    if (i != leader) others.push_back(i);
  }
  voters_.Kill(others[0]);
  voters_.Kill(others[1]);
  EXPECT_EQ(Change(view.get(), false, others[2]),
            " was not removed: of the 4 voters that there would be only 2 are up, which is no "
            "majority: nothing was changed");
  EXPECT_GT(Put(view.get(), "a", "as before"), 0U);
  EXPECT_EQ(Change(view.get(), false, others[0]), " was removed") << "one that is down may go";
}

// One that is not added yet has nothing, and founds nothing.
TEST_F(RaftVotersChangeTest, WhoIsNoneOfTheFoundersWaitsUntilItIsAdded) {
  ASSERT_EQ(voters_.Start(3), "");
  ASSERT_EQ(voters_.Start(4), "");
  EngineOptions options = voters_.Options();
  options.servers = {voters_.addresses()[3], voters_.addresses()[4], voters_.addresses()[0]};
  options.time_limit_ms = 700;
  const std::unique_ptr<Registers> hasty = engines_test::Open(&turning_.loop_, options);
  EXPECT_EQ(ReadFrom(&turning_, hasty.get(), "a"), std::nullopt);
  StartFounders();
  const std::unique_ptr<Registers> view = View();
  EXPECT_GT(Put(view.get(), "a", "text"), 0U);
  EXPECT_EQ(Change(view.get(), true, 3), " was added");
  EXPECT_EQ(ReadAtLast(&turning_, hasty.get(), "a")->text, "text") << "it learns who votes";
}

}  // namespace raft_voters_change_test
}  // namespace gemel::raft_test

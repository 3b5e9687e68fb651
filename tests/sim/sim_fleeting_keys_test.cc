// That the check of keys that may go finds what may not be, and lets pass what may.

#include <gtest/gtest.h>

#include "backend/resp/resp_writer.h"
#include "tests/sim/sim_history.h"

namespace gemel::sim {
namespace {

class FleetingKeysTest : public testing::Test {
 protected:
  FleetingKeysTest() {
    options_.removals = [this](const std::string&) { return removals_; };
    options_.excused = [this] { ++excused_; };
  }
  SimOp* Op(uint64_t from_us, uint64_t to_us) {
    SimOp* op = history_.Add();
    op->key_kind = KeyKind::kFleetingSet;
    op->key = "s0:v0";
    op->client = ++clients_;
    op->invoked_us = from_us;
    op->ended_us = to_us;
    op->outcome = SimOp::Outcome::kOk;
    return op;
  }
  void Write(const std::string& token, uint64_t from_us, uint64_t to_us) {
    SimOp* op = Op(from_us, to_us);
    op->token = token;
    op->told = ":1\r\n";
  }
  void Read(const std::string& text, uint64_t from_us, uint64_t to_us) {
    SimOp* op = Op(from_us, to_us);
    op->is_read = true;
    if (text.empty()) {
      op->told = "$-1\r\n";
    } else {
      AppendBulk(&op->told, text);
    }
  }
  void Removed(uint64_t at_us, uint64_t told_us, uint64_t lost_us = UINT64_MAX) {
    removals_.push_back({&node_, "s0:v0", Gone::kEvicted, at_us, told_us, lost_us});
  }
  // What is found if that is left at the end.
  std::string Check(const std::string& last) {
    std::string found;
    std::map<std::string, std::string> content;
    if (!last.empty()) content["s0:v0"] = last;
    history_.Check(content, options_, [&](const std::string& text) { found += text + "\n"; });
    return found;
  }
  bool Finds(const std::string& last, const std::string& what) {
    return Check(last).find(what) != std::string::npos;
  }

  static constexpr uint64_t kNever = UINT64_MAX;
  Loop loop_{1};
  Node node_{&loop_, "10.0.0.1:6379"};
  History history_;
  std::vector<Removal> removals_;
  CheckOptions options_;
  uint64_t clients_ = 0;
  int excused_ = 0;
};

TEST_F(FleetingKeysTest, AMissNeedsARemovalSinceTheWrite) {
  Removed(5, 6);
  Write("1.1;", 3010, 3020);
  EXPECT_EQ(Check("1.1;"), "");
  EXPECT_TRUE(Finds("", "no copy had removed"));
  Removed(3015, 3016);
  EXPECT_EQ(Check(""), "");
}

TEST_F(FleetingKeysTest, OrOneThatIsHeardWhileItIsWritten) {
  Write("1.1;", 3010, 3020);
  EXPECT_TRUE(Finds("", "no copy had removed"));
  Removed(5, 3000);
  EXPECT_EQ(Check(""), "") << "the deletion on the other copies may be behind the write";
}

TEST_F(FleetingKeysTest, NorMayALaterMemberBeMissingBesideAnEarlierOne) {
  Write("1.1;", 10, 20);
  Write("2.1;", 30, 40);
  Removed(35, 36);
  EXPECT_TRUE(Finds("1.1;", "write s0:v0 2.1;"));
  EXPECT_EQ(Check("2.1;"), "") << "the key was made anew by it";
}

TEST_F(FleetingKeysTest, NorMayARemovalHaveSparedWhatWasThereBefore) {
  Write("1.1;", 10, 20);
  Write("2.1;", 30, 40);
  Removed(50, 51);
  EXPECT_TRUE(Finds("2.1;", "no copy had removed"));
  EXPECT_EQ(Check(""), "");
}

TEST_F(FleetingKeysTest, WhatIsGoneStaysGone) {
  Write("1.1;", 10, 20);
  Removed(30, 31);
  Read("", 40, 50);
  EXPECT_EQ(Check(""), "");
  EXPECT_TRUE(Finds("1.1;", "saw again what was gone"));
  Read("1.1;", 10000, 10010);
  EXPECT_TRUE(Finds("", "saw again what was gone"));
}

TEST_F(FleetingKeysTest, AWordUnderWayIsAnExcuseUntilItHasCome) {
  Write("1.1;", 10, 20);
  Removed(30, 5000);
  Read("", 40, 50);
  Read("1.1;", 4000, 4010);
  EXPECT_EQ(Check(""), "");
  EXPECT_GT(excused_, 0);
  Read("1.1;", 8000, 8010);
  EXPECT_TRUE(Finds("", "saw again what was gone"));
}

TEST_F(FleetingKeysTest, AWordThatWasLostWithItsNodeIsOneForReadsBeforeThat) {
  Write("1.1;", 10, 20);
  Removed(30, kNever, 100);
  Read("", 40, 50);
  EXPECT_EQ(Check("1.1;"), "");
  EXPECT_GT(excused_, 0);
  Read("", 200, 210);
  EXPECT_TRUE(Finds("1.1;", "saw again what was gone"));
}

TEST_F(FleetingKeysTest, WhatWasDeletedDoesNotComeBackEither) {
  Write("1.1;", 10, 20);
  Op(30, 40)->is_delete = true;
  EXPECT_EQ(Check(""), "");
  EXPECT_TRUE(Finds("1.1;", "after DEL"));
}

}  // namespace
}  // namespace gemel::sim

// The steps of a reload in a fleet: proposed, clients held, agreed by all, over, let go.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "proxy/reload/reload_order.h"
#include "proxy/reload/reload_steps.h"

namespace gemel::reload_steps_fleet_test {
namespace {

using Fleet = ReloadSteps::Plan::Fleet;

class ReloadStepsFleetTest : public ::testing::Test, public ReloadSteps::Host {
 protected:
  ReloadSteps::Plan PlanOf(Fleet fleet, bool ring = true) {
    ReloadSteps::Plan plan;
    plan.cause = "a test";
    if (ring) plan.ring.emplace();
    plan.removed = {{"a", 7}};
    plan.fleet = fleet;
    return plan;
  }
  std::string Told() { return std::exchange(told_, {}); }

  void Propose(Edit, EditDone) override { told_ += "edit; "; }
  std::shared_ptr<const Topology> Durable() const override { return durable_; }
  std::shared_ptr<const Topology> Planned() const override { return planned_; }
  void MakeRings(std::shared_ptr<const Topology> topology) override {
    EXPECT_EQ(topology, planned_);
    told_ += "rings; ";
  }
  void ChangeWorkers(std::shared_ptr<const Topology> topology) override {
    EXPECT_EQ(topology, durable_);
    told_ += "change; ";
  }
  void ProposePlan() override { told_ += "propose; "; }
  void HoldClients() override { told_ += "hold; "; }
  void LetClientsGo() override { told_ += "let go; "; }
  void AgreeOnPlan() override { told_ += "agree; "; }
  void OnTakenEffect() override { told_ += "in effect; "; }
  void OnRefused(const std::string& why) override { told_ += "refused: " + why + "; "; }
  void Note(NoteLevel, const std::string&) override {}

  const std::shared_ptr<const Topology> durable_ = std::make_shared<const Topology>();
  const std::shared_ptr<const Topology> planned_ = std::make_shared<const Topology>();
  std::string told_;
  ReloadSteps steps_{this};
};

TEST_F(ReloadStepsFleetTest, WhoProposesGoesAllTheWay) {
  steps_.Begin(PlanOf(Fleet::kProposes));
  EXPECT_EQ(Told(), "propose; ");
  steps_.OnProposed({}, /*waits=*/true);
  EXPECT_EQ(Told(), "rings; ");
  steps_.OnRingsMade();
  EXPECT_EQ(Told(), "hold; ");
  steps_.OnHeld(true);
  EXPECT_EQ(Told(), "agree; ");
  EXPECT_FALSE(steps_.changing());
  steps_.OnAgreed({});
  EXPECT_EQ(Told(), "change; ");
  EXPECT_EQ(steps_.leaving().size(), 1u);
  steps_.OnChanged();
  EXPECT_EQ(Told(), "let go; in effect; ");
}

TEST_F(ReloadStepsFleetTest, WhatLeavesKeysWhereTheyAreHoldsNobody) {
  steps_.Begin(PlanOf(Fleet::kProposes, /*ring=*/false));
  steps_.OnProposed({}, /*waits=*/false);
  EXPECT_EQ(Told(), "propose; change; ");
  steps_.OnChanged();
  EXPECT_EQ(Told(), "in effect; ");
}

TEST_F(ReloadStepsFleetTest, WhoWasAwayGoesOverToWhatIsInEffect) {
  steps_.Begin(PlanOf(Fleet::kFollows));
  EXPECT_EQ(Told(), "rings; ");
  steps_.OnRingsMade();
  EXPECT_EQ(Told(), "change; ");
  steps_.OnChanged();
  EXPECT_EQ(Told(), "in effect; ");
}

TEST_F(ReloadStepsFleetTest, WhatIsNotProposedIsRefused) {
  steps_.Begin(PlanOf(Fleet::kProposes));
  steps_.OnProposed("another one is under way", false);
  EXPECT_EQ(Told(), "propose; refused: another one is under way; ");
}

TEST_F(ReloadStepsFleetTest, WhereRequestsDoNotEndItIsNotAgreedTo) {
  steps_.Begin(PlanOf(Fleet::kWaits));
  steps_.OnRingsMade();
  steps_.OnHeld(false);
  EXPECT_TRUE(Told().starts_with("rings; hold; let go; refused: "));
}

TEST_F(ReloadStepsFleetTest, WhatIsGivenUpLetsClientsGoByTheOldPlan) {
  steps_.Begin(PlanOf(Fleet::kWaits));
  steps_.OnRingsMade();
  steps_.OnHeld(true);
  steps_.OnAgreed("it was given up");
  EXPECT_EQ(Told(), "rings; hold; agree; let go; refused: it was given up; ");
}

// Others go by the next plan then.
TEST_F(ReloadStepsFleetTest, StoppedOnceAllHaveAgreedItLetsNobodyGo) {
  steps_.Begin(PlanOf(Fleet::kWaits));
  steps_.OnRingsMade();
  steps_.OnHeld(true);
  steps_.Stop();
  steps_.OnAgreed({});
  EXPECT_EQ(Told(), std::string("rings; hold; agree; refused: ") + kReloadStopped + "; ");
}

TEST_F(ReloadStepsFleetTest, StoppedBeforeItAgreesItLetsThemGo) {
  steps_.Begin(PlanOf(Fleet::kWaits));
  steps_.OnRingsMade();
  steps_.Stop();
  steps_.OnHeld(true);
  EXPECT_EQ(Told(), std::string("rings; hold; let go; refused: ") + kReloadStopped + "; ");
}

}  // namespace
}  // namespace gemel::reload_steps_fleet_test

// How the acceptors of registers by CASPaxos change: nodes come and go with a plan, and one whose
// data is to be overwritten is left out before.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "backend/paxos/paxos_registers.h"
#include "tests/paxos_network.h"

namespace gemel::paxos_change_test {
namespace {

using Names = std::vector<std::string>;

class PaxosChange : public ::testing::Test {
 protected:
  explicit PaxosChange(size_t nodes = 7)
      : network_(1, nodes, PaxosMutant::kNone), port_(&network_) {}

  std::unique_ptr<PaxosRegisters> View(const Names& nodes) {
    PaxosOptions options;
    options.nodes = nodes;
    options.proposer = options.seed = ++views_;
    return std::make_unique<PaxosRegisters>(&port_, options, "here");
  }
  bool Put(Registers* view, const std::string& text) {
    for (int tries = 0; tries < 20; ++tries) {
      std::optional<RegisterValue> now;
      bool read = false;
      view->Read("a", [&](RegisterOutcome outcome, const RegisterValue& value) {
        if (outcome == RegisterOutcome::kDone) now = value;
        read = true;
      });
      network_.RunUntil([&] { return read; }, 5000);
      if (!now) continue;
      std::optional<RegisterOutcome> wrote;
      view->Write("a", now->version, text,
                  [&](RegisterOutcome outcome, uint64_t) { wrote = outcome; });
      network_.RunUntil([&] { return wrote.has_value(); }, 5000);
      if (wrote == RegisterOutcome::kDone) return true;
    }
    return false;
  }
  std::string Get(Registers* view) {
    std::string text = "none";
    bool read = false;
    view->Read("a", [&](RegisterOutcome, const RegisterValue& value) {
      text = value.text;
      read = true;
    });
    network_.RunUntil([&] { return read; }, 5000);
    return text;
  }
  // Asks now and then until the view has those acceptors.
  bool Come(PaxosRegisters* view, Names wanted, int tries = 30) {
    std::sort(wanted.begin(), wanted.end());
    for (int i = 0; i < tries; ++i) {
      Names have = view->nodes();
      std::sort(have.begin(), have.end());
      if (have == wanted) return true;
      Get(view);
      network_.RunUntil([] { return false; }, 200);
    }
    return false;
  }
  NodeRelease Release(PaxosRegisters* view, const std::string& node) {
    std::optional<NodeRelease> is;
    EXPECT_TRUE(view->Release(node, [&](const NodeRelease& release) { is = release; }));
    EXPECT_FALSE(is) << "answered inside the call";
    EXPECT_TRUE(network_.RunUntil([&] { return is.has_value(); }, 20000));
    return is.value_or(NodeRelease{});
  }

  PaxosNetwork network_;
  PaxosNetwork::Port port_;
  uint64_t views_ = 0;
};

TEST_F(PaxosChange, NodesComeAndGoWithThePlan) {
  const auto view = View({"n0", "n1", "n2", "n3"});
  const auto other = View({"n0", "n1", "n2", "n3"});
  ASSERT_TRUE(Put(view.get(), "x"));
  ASSERT_EQ(Get(other.get()), "x");
  view->Follow(2, {"n0", "n1", "n2", "n3", "n4", "n5"});
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n2", "n3", "n4", "n5"}));
  view->Follow(3, {"n4", "n5", "n2"});
  EXPECT_TRUE(Come(view.get(), {"n2", "n4", "n5"}));
  // They alone count, and have all that was agreed.
  for (const size_t gone : {0, 1, 3}) network_.SetDown(gone, true);
  EXPECT_EQ(Get(view.get()), "x");
  EXPECT_TRUE(Put(view.get(), "y"));
  // Who has not heard of it, and knows one that stays, finds them; so does who comes new.
  EXPECT_EQ(Get(other.get()), "y");
  EXPECT_EQ(Get(View({"n1", "n2"}).get()), "y");
}

TEST_F(PaxosChange, WhoFollowsAnOlderPlanUndoesNothing) {
  const auto view = View({"n0", "n1", "n2"});
  const auto behind = View({"n0", "n1", "n2"});
  ASSERT_TRUE(Put(view.get(), "x"));
  behind->Follow(1, {"n0", "n1", "n2"});
  view->Follow(2, {"n0", "n1", "n3"});
  ASSERT_TRUE(Come(view.get(), {"n0", "n1", "n3"}));
  const uint64_t epoch = view->epoch();
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(Put(behind.get(), std::to_string(i)));
    network_.RunUntil([] { return false; }, 200);
  }
  Get(view.get());
  EXPECT_EQ(view->epoch(), epoch);
  view->Follow(1, {"n0", "n1", "n2"});
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n3"}));
}

TEST_F(PaxosChange, NobodyGoesBeforeEnoughHaveCome) {
  const auto view = View({"n0", "n1", "n2"});
  ASSERT_TRUE(Put(view.get(), "x"));
  for (const size_t down : {4, 5}) network_.SetDown(down, true);
  view->Follow(2, {"n3", "n4", "n5"});
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n2", "n3"}));
  EXPECT_FALSE(Come(view.get(), {"n3"}, 5));
  network_.SetDown(4, false);
  network_.SetDown(5, false);
  EXPECT_TRUE(Come(view.get(), {"n3", "n4", "n5"}));
  EXPECT_EQ(Get(view.get()), "x");
}

TEST_F(PaxosChange, ANodeThatIsOverwrittenIsLeftOutAndComesBack) {
  const auto view = View({"n0", "n1", "n2", "n3"});
  const auto other = View({"n0", "n1", "n2", "n3"});
  ASSERT_TRUE(Put(view.get(), "x"));
  ASSERT_EQ(Get(other.get()), "x");
  EXPECT_TRUE(Release(view.get(), "n3").done);
  EXPECT_TRUE(Come(other.get(), {"n0", "n1", "n2"}));
  // Nobody takes it back before.
  EXPECT_FALSE(Come(other.get(), {"n0", "n1", "n2", "n3"}, 5));
  // Another has to wait: of four only one may be missing.
  const NodeRelease second = Release(other.get(), "n1");
  EXPECT_FALSE(second.done);
  EXPECT_TRUE(second.too_few);
  EXPECT_NE(second.why.find("3 of 4 nodes"), std::string::npos) << second.why;
  network_.acceptor(3).CopyOf(network_.acceptor(0));
  EXPECT_TRUE(Come(other.get(), {"n0", "n1", "n2", "n3"}));
  EXPECT_TRUE(network_.RunUntil([&] { return network_.Whole(); }, 5000));
  // It counts: without one of the others there is a majority.
  network_.SetDown(0, true);
  EXPECT_TRUE(Put(view.get(), "y"));
  network_.SetDown(0, false);
  EXPECT_TRUE(Release(other.get(), "n1").done);
}

TEST_F(PaxosChange, ANodeThatIsNotOverwrittenAfterAllComesBackAfterAWhile) {
  const auto view = View({"n0", "n1", "n2", "n3"});
  ASSERT_TRUE(Put(view.get(), "x"));
  ASSERT_TRUE(Release(view.get(), "n3").done);
  EXPECT_TRUE(Release(view.get(), "n3").done) << "it is none any more";
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n2", "n3"}, 300));
}

// It was restarted, say, and is to get a copy of another's data.
TEST_F(PaxosChange, ANodeThatWasLostBeforeIsNotTakenBackBeforeItIsOverwritten) {
  const auto view = View({"n0", "n1", "n2", "n3"});
  ASSERT_TRUE(Put(view.get(), "x"));
  network_.Restart(3, false);
  ASSERT_TRUE(Release(view.get(), "n3").done);
  EXPECT_FALSE(Come(view.get(), {"n0", "n1", "n2", "n3"}, 5));
  EXPECT_TRUE(network_.acceptor(3).nonce().empty());
  network_.acceptor(3).CopyOf(network_.acceptor(0));
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n2", "n3"}));
  // Another time it is held anew.
  network_.Restart(3, false);
  ASSERT_TRUE(Release(view.get(), "n3").done);
  EXPECT_FALSE(Come(view.get(), {"n0", "n1", "n2", "n3"}, 5));
}

// It had offered itself, which was copied and comes home once it is an acceptor by that offer.
TEST_F(PaxosChange, NorDoesAnOfferThatComesHome) {
  PaxosAcceptor node;
  PaxosAsk offer{PaxosAsk::Kind::kOffer};
  offer.epoch = 1;
  offer.text = "n";
  EXPECT_EQ(node.Handle(offer).offer, "n");
  const PaxosAcceptor old = node;
  PaxosAsk install{PaxosAsk::Kind::kInstall, "n", 1, "id"};
  install.text = "config";
  EXPECT_EQ(node.Handle(install).kind, PaxosAnswer::Kind::kOk);
  node.CopyOf(old);
  EXPECT_EQ(node.Handle(install).kind, PaxosAnswer::Kind::kStranger);
  const PaxosAnswer seen = node.Handle({});
  EXPECT_NE(seen.run, seen.me) << "it is void";
  offer.nonce = seen.offer;
  offer.text = "other";
  EXPECT_EQ(node.Handle(offer).offer, "other");
}

// Nor may it be taken back by what it got before it is released again.
TEST_F(PaxosChange, ANodeThatIsReleasedAgainIsNotTakenBackBeforeItIsOverwrittenAgain) {
  const auto view = View({"n0", "n1", "n2", "n3"});
  ASSERT_TRUE(Put(view.get(), "x"));
  ASSERT_TRUE(Release(view.get(), "n3").done);
  network_.acceptor(3).CopyOf(network_.acceptor(0));
  ASSERT_TRUE(Release(view.get(), "n3").done);
  EXPECT_FALSE(Come(view.get(), {"n0", "n1", "n2", "n3"}, 5));
  network_.acceptor(3).Lose();
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n2", "n3"}));
}

// Of a node that does not say what it has, it is not known what it had.
TEST_F(PaxosChange, ANodeThatIsReleasedWhileItIsSilentIsNotTakenBackAtOnce) {
  const auto view = View({"n0", "n1", "n2", "n3"});
  ASSERT_TRUE(Put(view.get(), "x"));
  network_.SetDown(3, true);
  ASSERT_TRUE(Release(view.get(), "n3").done);
  network_.SetDown(3, false);
  EXPECT_FALSE(Come(view.get(), {"n0", "n1", "n2", "n3"}, 5));
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n2", "n3"}, 300));
}

TEST_F(PaxosChange, WhoFoundByOtherNodesEachFindEachOther) {
  const auto one = View({"n0", "n1", "n2"});
  const auto other = View({"n0", "n1", "n3"});
  // Both at once, in each other's way.
  one->Read("a", [](RegisterOutcome, const RegisterValue&) {});
  ASSERT_TRUE(Put(other.get(), "x"));
  EXPECT_EQ(Get(one.get()), "x");
  EXPECT_EQ(one->nodes(), other->nodes());
}

// It had offered itself to who founds, and has not followed yet.
TEST_F(PaxosChange, ANodeThatWasRestartedOffersWhatItKept) {
  for (const bool keeps : {true, false}) {
    SCOPED_TRACE(keeps);
    network_.keeps = keeps;
    for (const size_t i : {0, 1, 2}) network_.Restart(i, false);
    network_.SetDown(2, true);
    PaxosAsk offer{PaxosAsk::Kind::kOffer};
    offer.text = "n";
    network_.acceptor(0).Handle(offer);
    network_.Restart(0, true);
    network_.SetDown(2, false);
    ASSERT_TRUE(Put(View({"n0", "n1", "n2"}).get(), "x"));
    EXPECT_EQ(network_.acceptor(0).nonce() == "n", keeps);
  }
}

TEST_F(PaxosChange, ANodeThatIsLostWhileTheyAreFoundedDoesNotHoldItUp) {
  for (const auto& [kind, text] :
       {std::pair(PaxosAsk::Kind::kOffer, "n"), std::pair(PaxosAsk::Kind::kInstall, "")}) {
    const PaxosConfig first{0, {{"n0", "n"}, {"n1", "m"}, {"n2", "o"}}, {}};
    for (size_t i = 0; i < 2; ++i) {
      PaxosAsk ask{kind, first.now[i].nonce, 0, first.Id()};
      ask.text = text[0] == 0 ? first.Encode() : first.now[i].nonce;
      if (kind == PaxosAsk::Kind::kOffer) ask.nonce.clear();
      network_.acceptor(i).Handle(ask);
    }
  }
  ASSERT_EQ(network_.acceptor(1).nonce(), "m");
  const auto view = View({"n0", "n1", "n2"});
  EXPECT_TRUE(Put(view.get(), "x"));
  EXPECT_TRUE(network_.RunUntil([&] { return network_.Whole(); }, 5000));
  EXPECT_EQ(network_.acceptor(1).nonce(), "m") << "it was founded anew";
}

// What it had came home after it was restarted.
TEST_F(PaxosChange, NorDoesAnOldCopyOfAnEarlierProcess) {
  const auto view = View({"n0", "n1", "n2"});
  ASSERT_TRUE(Put(view.get(), "x"));
  network_.acceptor(6).CopyOf(network_.acceptor(0));
  network_.Restart(0, true);
  ASSERT_TRUE(Put(view.get(), "y"));
  network_.acceptor(0).CopyOf(network_.acceptor(6));
  network_.SetDown(2, true);
  EXPECT_EQ(Get(view.get()), "") << "it was taken back with what it had before";
}

TEST_F(PaxosChange, TwoOfSixMayBeOverwrittenAtATime) {
  const auto view = View({"n0", "n1", "n2", "n3", "n4", "n5"});
  ASSERT_TRUE(Put(view.get(), "x"));
  EXPECT_TRUE(Release(view.get(), "n5").done);
  EXPECT_TRUE(Release(view.get(), "n4").done);
  EXPECT_TRUE(Release(view.get(), "n3").too_few);
  network_.acceptor(5).Lose();
  network_.acceptor(4).Lose();
  EXPECT_TRUE(Come(view.get(), {"n0", "n1", "n2", "n3", "n4", "n5"}));
  EXPECT_EQ(Get(view.get()), "x");
}

TEST_F(PaxosChange, WithoutAMajorityNothingIsReleased) {
  const auto view = View({"n0", "n1", "n2", "n3"});
  ASSERT_TRUE(Put(view.get(), "x"));
  for (const size_t down : {0, 1}) network_.SetDown(down, true);
  const NodeRelease release = Release(view.get(), "n3");
  EXPECT_FALSE(release.done);
  EXPECT_FALSE(release.too_few);
  EXPECT_NE(release.why.find("cannot be reached"), std::string::npos) << release.why;
}

// What it had was copied to another node, and is copied back from there later.
TEST_F(PaxosChange, AnOldCopyThatComesHomeDoesNotCount) {
  const auto view = View({"n0", "n1", "n2"});
  ASSERT_TRUE(Put(view.get(), "x"));
  network_.acceptor(6).CopyOf(network_.acceptor(0));
  ASSERT_TRUE(Put(view.get(), "y"));
  network_.acceptor(0).CopyOf(network_.acceptor(6));
  EXPECT_TRUE(network_.acceptor(0).came_home());
  network_.SetDown(2, true);
  EXPECT_EQ(Get(view.get()), "") << "one of three alone has it as it was agreed";
  network_.SetDown(2, false);
  for (int i = 0; i < 20 && network_.acceptor(0).came_home(); ++i) {
    Get(view.get());
    network_.RunUntil([] { return false; }, 300);
  }
  EXPECT_FALSE(network_.acceptor(0).came_home()) << "it is not readmitted";
  EXPECT_EQ(Get(view.get()), "y");
}

// Addresses by which one server is reached twice.
class OneServerTwice : public PaxosPort {
 public:
  explicit OneServerTwice(PaxosPort* port) : port_(port) {}
  void Ask(const std::string& node, const PaxosAsk& ask, Done done) override {
    port_->Ask(node == "alias" ? "n0" : node, ask, std::move(done));
  }
  void After(uint64_t ms, std::function<void()> call) override {
    port_->After(ms, std::move(call));
  }
  bool Keeps(const std::string& node) const override { return port_->Keeps(node); }

 private:
  PaxosPort* port_;
};

TEST_F(PaxosChange, OneServerByTwoNamesCountsOnce) {
  OneServerTwice port(&port_);
  PaxosOptions options{{"n0", "alias", "n1", "n2"}, 1, 1, 1000};
  PaxosRegisters view(&port, options, "here");
  ASSERT_TRUE(Put(&view, "x"));
  EXPECT_EQ(view.nodes().size(), 3U);
  const uint64_t epoch = view.epoch();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(Put(&view, std::to_string(i)));
    network_.RunUntil([] { return false; }, 300);
  }
  EXPECT_EQ(view.epoch(), epoch) << "nor does it come to count twice later";
  PaxosRegisters few(&port, {{"n3", "n4", "n0", "alias"}, 2, 2, 1000}, "here");
  EXPECT_TRUE(Put(&few, "y")) << "who has registers is found";
}

TEST_F(PaxosChange, FewerThanThreeServersFoundNothing) {
  OneServerTwice port(&port_);
  PaxosRegisters view(&port, {{"n0", "alias", "n1"}, 1, 1, 1000}, "here");
  EXPECT_FALSE(Put(&view, "x"));
  EXPECT_EQ(view.epoch(), 0U);
  EXPECT_NE(view.trouble().find("2 servers by several names"), std::string::npos) << view.trouble();
}

TEST(PaxosConfig, WhoIsLeftOutAndByWhichPlan) {
  PaxosConfig config{3, {{"a:1", "n1"}, {"b:1", "n2"}}, {}};
  const std::string before = config.Encode();
  config.plan = 7;
  config.out = {{"c:1", "n3"}};
  PaxosConfig back;
  ASSERT_TRUE(PaxosConfig::Decode(config.Encode(), &back));
  EXPECT_EQ(back, config);
  ASSERT_TRUE(PaxosConfig::Decode(before, &back));
  EXPECT_EQ(back.plan, 0U);
  EXPECT_FALSE(PaxosConfig::Decode(before + "plan x -\n", &back));
}

}  // namespace
}  // namespace gemel::paxos_change_test

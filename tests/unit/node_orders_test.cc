// What is asked of the nodes beside the data path, and what they are given that connect.

#include "backend/served/node_orders.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/settings/node_options.h"
#include "tests/unit/shard_world.h"

namespace gemel::node_orders_test {
namespace {

using List = std::vector<std::pair<std::string, std::string>>;

class FakeSource : public OptionSource {
 public:
  uint64_t version() const override { return version_; }
  List Options() const override { return options_; }
  void Set(List options) {
    options_ = std::move(options);
    ++version_;
  }

 private:
  uint64_t version_ = 0;
  List options_;
};

struct Sink : RequestSink {
  bool answered = false;
  void OnReply(Request*, const Reply&) override { answered = true; }
};

class NodeOrdersTest : public ShardWorld, public ControlPort {
 protected:
  ~NodeOrdersTest() override {
    options_.reset();
    settings_.reset();
    orders_.reset();
  }
  void Begin() {
    MakeUp(2);
    orders_ = std::make_unique<NodeOrders>(shard_.get(), this, this);
    settings_ =
        std::make_unique<NodeSettings>(shard_->ports().settings, this, this, RemovalsConfig());
    options_ = std::make_unique<NodeOptions>(shard_->ports().settings, this, this, settings_.get(),
                                             &source_, true);
  }
  NodesOrder& Send(NodesOrder order) {
    request_.kind = RequestKind::kNodes;
    request_.sink = &sink_;
    sink_.answered = false;
    request_.Extra().cargo = std::make_unique<NodesOrder>(std::move(order));
    shard_->Submit(&request_);
    return static_cast<NodesOrder&>(*request_.extra->cargo);
  }

  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    std::string text = std::to_string(copy) + ":";
    for (const std::string& arg : args) text += " " + arg;
    asked_.push_back({std::move(text), std::move(done)});
  }
  // The oldest command is that one, and is answered so.
  void Answer(const std::string& command, const std::string& text, bool ok = true,
              bool refused = false) {
    ASSERT_FALSE(asked_.empty()) << command;
    auto [asked, done] = std::move(asked_.front());
    asked_.pop_front();
    EXPECT_EQ(asked, command);
    done(ok ? ControlReply{true, false, "", text} : ControlReply{false, refused, text, ""});
  }

  FakeSource source_;
  std::deque<std::pair<std::string, ControlDone>> asked_;
  std::unique_ptr<NodeOrders> orders_;
  std::unique_ptr<NodeSettings> settings_;
  std::unique_ptr<NodeOptions> options_;
  Request request_;
  Sink sink_;
};

TEST_F(NodeOrdersTest, EveryNodeIsAskedAndAllAreWaitedFor) {
  Begin();
  NodesOrder order;
  order.commands = {{"A"}, {"B", "x"}};
  const NodesOrder& sent = Send(order);
  Answer("0: A", "a0");
  Answer("0: B x", "no", false, true);
  Answer("1: A", "a1");
  EXPECT_FALSE(sink_.answered);
  Answer("1: B x", "b1");
  EXPECT_TRUE(sink_.answered);
  ASSERT_EQ(sent.answers.size(), 2u);
  EXPECT_TRUE(sent.answers[0].primary && !sent.answers[1].primary);
  EXPECT_EQ(sent.answers[0].replies[0].text, "a0");
  EXPECT_EQ(sent.answers[0].replies[1].error, "no");
  EXPECT_EQ(sent.answers[1].replies[1].text, "b1");
}

TEST_F(NodeOrdersTest, WhoIsAwayIsNotAskedAndSomeMayBeNamed) {
  Begin();
  NodesOrder order;
  order.of_nodes["n1"] = {{"C"}};
  const NodesOrder& named = Send(order);
  Answer("1: C", "c");
  EXPECT_TRUE(sink_.answered && asked_.empty());
  ASSERT_EQ(named.answers.size(), 1u);
  EXPECT_EQ(named.answers[0].node, "n1");
  shard_->link(1)->Fail("away");
  const NodesOrder& rest = Send({});
  EXPECT_TRUE(sink_.answered && asked_.empty());
  ASSERT_EQ(rest.answers.size(), 2u);
  EXPECT_TRUE(!rest.answers[0].away && rest.answers[1].away);
}

TEST_F(NodeOrdersTest, IsAskedAgainUntilItHasEnded) {
  Begin();
  NodesOrder order;
  order.commands = {{"S"}};
  order.poll = {"P"};
  order.while_has = "not yet";
  const NodesOrder& sent = Send(order);
  Answer("0: S", "s");
  Answer("1: S", "s");
  EXPECT_TRUE(!sink_.answered && asked_.empty());
  orders_->Tick(now_ms_ += 100);
  Answer("0: P", "it has not yet ended");
  Answer("1: P", "end");
  orders_->Tick(now_ms_ += 100);
  orders_->Tick(now_ms_ += 100);
  EXPECT_EQ(asked_.size(), 1u) << "one question at a time";
  Answer("0: P", "gone", false);
  EXPECT_TRUE(sink_.answered);
  EXPECT_EQ(sent.answers[0].replies.back().error, "gone");
  EXPECT_EQ(sent.answers[1].replies.back().text, "end");
}

TEST_F(NodeOrdersTest, ANodeThatLeavesIsNotWaitedFor) {
  Begin();
  NodesOrder order;
  order.commands = {{"A"}};
  Send(order);
  Answer("0: A", "a");
  orders_->ForgetCopy(1);
  EXPECT_TRUE(sink_.answered);
  Answer("1: A", "late");  // of an earlier round
  Send(order);
  EXPECT_FALSE(sink_.answered);
  orders_->Stop();
  EXPECT_TRUE(sink_.answered);
  Send(order);
  EXPECT_TRUE(sink_.answered) << "an error: nobody takes it any more";
}

TEST_F(NodeOrdersTest, MayWaitForATime) {
  Begin();
  NodesOrder order;
  order.delay_ms = 1000;
  Send(order);
  orders_->Tick(now_ms_ += 999);
  EXPECT_FALSE(sink_.answered);
  orders_->Tick(now_ms_ += 1);
  EXPECT_TRUE(sink_.answered && asked_.empty());
}

TEST_F(NodeOrdersTest, NodesGetTheOptionsThatTheyHaveOtherwise) {
  Begin();
  options_->Tick(now_ms_ += 200);
  EXPECT_TRUE(asked_.empty()) << "there are none";
  source_.Set({{"hz", "20"}, {"save", ""}});
  options_->Tick(now_ms_ += 200);
  Answer("0: CONFIG GET hz", "hz\n10");
  Answer("0: CONFIG GET save", "save\n");
  Answer("1: CONFIG GET hz", "hz\n20");
  Answer("1: CONFIG GET save", "save\n3600 1");
  Answer("0: CONFIG SET hz 20", "OK");
  Answer("1: CONFIG SET save ", "OK");
  options_->Tick(now_ms_ += 200);
  EXPECT_TRUE(asked_.empty()) << "once on a connection";
  source_.Set({{"hz", "30"}});
  options_->Tick(now_ms_ += 200);
  Answer("0: CONFIG GET hz", "no answer", false);
  Answer("1: CONFIG GET hz", "hz\n20");
  Answer("1: CONFIG SET hz 30", "ERR it cannot", false, true);
  options_->Tick(now_ms_ += 200);
  EXPECT_TRUE(asked_.empty());
  options_->Tick(now_ms_ += 1000);
  Answer("0: CONFIG GET hz", "hz\n30");
  EXPECT_TRUE(asked_.empty()) << "what refuses is not asked again";
  EXPECT_NE(notes_.find("n1 does not take hz '30', which a client has set: ERR it cannot"),
            std::string::npos)
      << notes_;
  options_->set_enabled(false);
  source_.Set({{"hz", "40"}});
  options_->Tick(now_ms_ += 200);
  EXPECT_TRUE(asked_.empty());
}

}  // namespace
}  // namespace gemel::node_orders_test

// Registers by CASPaxos on real Redis servers, which die, hang, and come back empty.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "backend/paxos/acceptor_script.h"
#include "backend/paxos/uv_paxos_port.h"
#include "backend/paxos/uv_paxos_registers.h"
#include "tests/e2e/redis_node.h"
#include "tests/io/loop_fixture.h"
#include "tests/io/register_counter.h"
#include "tests/paxos_acceptor.h"
#include "tests/registers_conformance.h"

namespace gemel::paxos_test {
namespace {

using e2e::RedisNode;
using e2e::Words;

std::optional<HiredisNode> At(const std::string& address) {
  std::string error;
  return HiredisNode{*ParseAddress(address, &error), {}, {}, kPaxosDatabase};
}

class Turning : public LoopTest {
 public:
  using LoopTest::loop_;
  using LoopTest::RunUntil;

 private:
  void TestBody() override {}
};

// Nodes that keep what they answered.
class Nodes {
 public:
  explicit Nodes(const Words& options = {"--appendonly", "yes", "--appendfsync", "always"},
                 size_t count = 3) {
    for (size_t i = 0; i < count; ++i) all_.push_back(std::make_unique<RedisNode>(options));
  }

  size_t size() const { return all_.size(); }

  RedisNode& operator[](size_t i) { return *all_[i]; }
  std::unique_ptr<Registers> View(uv_loop_t* loop, uint32_t time_limit_ms = 2000,
                                  std::vector<std::string>* warnings = nullptr) {
    UvPaxosOptions options;
    for (const auto& node : all_) options.nodes.push_back(node->address());
    options.node_of = At;
    options.fleet = "f";
    options.time_limit_ms = time_limit_ms;
    if (warnings != nullptr) {
      options.on_warning = [warnings](const std::string& what) { warnings->push_back(what); };
    }
    return OpenPaxosRegisters(loop, std::move(options));
  }

 private:
  std::vector<std::unique_ptr<RedisNode>> all_;
};

template <size_t kNodes>
class PaxosHarness {
 public:
  static constexpr bool kTells = false;

  std::unique_ptr<Registers> View() { return nodes_.View(&turning_.loop_); }
  bool TurnUntil(const std::function<bool()>& condition) { return turning_.RunUntil(condition); }
  void set_reachable(bool reachable) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (reachable) {
        nodes_[i].Start();
      } else {
        nodes_[i].Kill();
      }
    }
  }

 private:
  Turning turning_;
  Nodes nodes_{{"--appendonly", "yes", "--appendfsync", "always"}, kNodes};
};

class PaxosRegistersTest : public LoopTest {
 protected:
  using Outcome = RegisterOutcome;

  // Until it is known; the version.
  uint64_t Put(Registers* view, const std::string& name, const std::string& text) {
    for (int tries = 0; tries < 100; ++tries) {
      const RegisterValue now = Read(view, name);
      if (now.text == text) return now.version;
      if (Write(view, name, now.version, text).first == Outcome::kDone) return now.version + 1;
    }
    ADD_FAILURE() << "cannot be written: " << view->trouble();
    return 0;
  }
  std::pair<Outcome, uint64_t> Write(Registers* view, const std::string& name, uint64_t expected,
                                     const std::string& text) {
    std::optional<std::pair<Outcome, uint64_t>> is;
    view->Write(name, expected, text, [&](Outcome outcome, uint64_t version) {
      is = {outcome, version};
    });
    EXPECT_TRUE(RunUntil([&] { return is.has_value(); }));
    return is.value_or(std::pair(Outcome::kUnknown, uint64_t{0}));
  }
  std::optional<RegisterValue> TryRead(Registers* view, const std::string& name) {
    std::optional<RegisterValue> value;
    bool answered = false;
    view->Read(name, [&](Outcome outcome, const RegisterValue& read) {
      answered = true;
      if (outcome == Outcome::kDone) value = read;
    });
    EXPECT_TRUE(RunUntil([&] { return answered; }));
    return value;
  }
  RegisterValue Read(Registers* view, const std::string& name) {
    for (int tries = 0; tries < 50; ++tries) {
      if (const auto value = TryRead(view, name)) return *value;
    }
    ADD_FAILURE() << "cannot be read: " << view->trouble();
    return {};
  }
  // Whether the node counts itself among the acceptors.
  bool IsMember(RedisNode* node) {
    e2e::Client client = node->Connect();
    client("SELECT", std::to_string(kPaxosDatabase));
    return client("HEXISTS", PaxosKey("f"), "nonce") == ":1";
  }
};

TEST_F(PaxosRegistersTest, NoIncrementIsLostWhileNodesFail) {
  Nodes nodes(Words{});
  bool go = true;
  std::vector<std::unique_ptr<RegisterCounter>> counters;
  for (int i = 0; i < 3; ++i) {
    counters.push_back(std::make_unique<RegisterCounter>(nodes.View(&loop_, 1000), &go));
    counters.back()->Turn();
  }
  const auto done = [&] {
    uint64_t sum = 0;
    for (const auto& counter : counters) sum += counter->done();
    return sum;
  };
  const auto more = [&] {
    return RunUntil([&, wanted = done() + 50] { return done() >= wanted; });
  };
  ASSERT_TRUE(more());
  nodes[0].Kill();
  ASSERT_TRUE(more());
  nodes[0].Start();  // empty
  ASSERT_TRUE(RunUntil([&] { return IsMember(&nodes[0]); })) << "it is not readmitted";
  ASSERT_TRUE(more());
  // Without the one that came back there would be no majority now.
  nodes[1].Pause();
  ASSERT_TRUE(more());
  nodes[1].Resume();
  ASSERT_TRUE(more());
  e2e::Client client = nodes[2].Connect();
  client("FLUSHALL");
  ASSERT_TRUE(RunUntil([&] { return IsMember(&nodes[2]); })) << "it is not readmitted";
  ASSERT_TRUE(more());
  go = false;
  uint64_t unknown = 0;
  ASSERT_TRUE(
      RunUntil([&] { return counters[0]->idle() && counters[1]->idle() && counters[2]->idle(); }));
  for (const auto& counter : counters) unknown += counter->unknown();
  const std::unique_ptr<Registers> view = nodes.View(&loop_);
  const RegisterValue value = Read(view.get(), "n");
  const uint64_t number = std::stoul(value.text);
  EXPECT_EQ(number, value.version);
  EXPECT_GE(number, done());
  EXPECT_LE(number, done() + unknown);
}

TEST_F(PaxosRegistersTest, WithoutAMajorityNothingIsDone) {
  Nodes nodes;
  const std::unique_ptr<Registers> view = nodes.View(&loop_, 600);
  const uint64_t version = Put(view.get(), "a", "one");
  nodes[0].Kill();
  nodes[1].Pause();
  EXPECT_EQ(TryRead(view.get(), "a"), std::nullopt);
  EXPECT_NE(view->trouble(), "");
  const Outcome outcome = Write(view.get(), "a", version, "two").first;
  EXPECT_TRUE(outcome == Outcome::kUnreachable || outcome == Outcome::kUnknown);
  bool back = false;
  view->set_on_change([&] { back = true; });
  nodes[0].Start();  // with what it had answered
  EXPECT_EQ(Put(view.get(), "a", "three"), version + 1);
  EXPECT_TRUE(back) << "contact is there again";
  EXPECT_EQ(view->trouble(), "");
  nodes[1].Resume();
}

TEST_F(PaxosRegistersTest, PeopleSeeThatNobodyLeadsAndWhichNodesAnswer) {
  using Contact = EngineStatus::Contact;
  Nodes nodes;
  const std::unique_ptr<Registers> view = nodes.View(&loop_);
  const EngineStatus before = view->Status();
  EXPECT_TRUE(before.leaderless);
  EXPECT_EQ(before.leader, "");
  ASSERT_EQ(before.servers.size(), 3U);
  for (const EngineStatus::Server& server : before.servers) {
    EXPECT_EQ(server.contact, Contact::kNotAsked);
  }
  Put(view.get(), "a", "one");
  EXPECT_NE(view->Status().answer_ms, std::nullopt);
  nodes[0].Kill();
  const std::string killed = nodes[0].address();
  EXPECT_TRUE(RunUntil([&] {
    TryRead(view.get(), "a");
    for (const EngineStatus::Server& server : view->Status().servers) {
      if ((server.contact == Contact::kReached) == (server.name == killed)) return false;
    }
    return true;
  }));
}

TEST_F(PaxosRegistersTest, AFleetThatLostItsRegistersIsNotFoundedAnewByWhoKnewThem) {
  Nodes nodes(Words{});
  std::vector<std::string> warnings;
  const std::unique_ptr<Registers> view = nodes.View(&loop_, 600, &warnings);
  Put(view.get(), "a", "one");
  EXPECT_EQ(warnings.size(), 3U);
  for (size_t i = 0; i < 3; ++i) nodes[i].Connect()("FLUSHALL");
  EXPECT_EQ(TryRead(view.get(), "a"), std::nullopt);
  EXPECT_NE(view->trouble().find("it has lost its registers"), std::string::npos)
      << view->trouble();
}

TEST_F(PaxosRegistersTest, ManyFoundAtOnce) {
  Nodes nodes;
  std::vector<std::unique_ptr<Registers>> views;
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 5; ++i) {
    views.push_back(nodes.View(&loop_, 5000));
    views.back()->Write("a", 0, std::to_string(i),
                        [&](Outcome outcome, uint64_t) { outcomes.push_back(outcome); });
  }
  ASSERT_TRUE(RunUntil([&] { return outcomes.size() == views.size(); }));
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), Outcome::kDone), 1);
  for (const auto& view : views) EXPECT_EQ(Read(view.get(), "a").version, 1U);
}

// Random questions, many of them wrong, to the script on a server and to the model of it.
TEST_F(PaxosRegistersTest, TheScriptIsAsItsModel) {
  RedisNode node;
  UvPaxosPort port(&loop_, "gemel:paxos:f", At, 5000, nullptr);
  PaxosAcceptor model;
  std::mt19937 random(7);
  const auto draw = [&](uint32_t below) { return random() % below; };
  const std::string texts[] = {"", "x", "a\r\nb", std::string("\0z", 2)};
  std::vector<size_t> kinds(8);
  for (int i = 0; i < 4000; ++i) {
    PaxosAsk ask;
    if (draw(400) == 0) {
      node.Connect()("FLUSHALL");
      model.Lose();
    }
    // Of HELLO, OFFER, INSTALL and RESUME there are to be few, or nothing else gets through.
    ask.kind = static_cast<PaxosAsk::Kind>(draw(10) == 0 ? draw(4) : 2 + draw(6));
    ask.nonce = draw(20) == 0 ? "other" : "nonce";
    ask.epoch = draw(10) == 0 ? 0 : 1 + static_cast<uint64_t>(i) / 400 + (draw(10) == 0);
    ask.config_id = draw(20) == 0 ? "id2" : "id1";
    ask.name = draw(2) == 0 ? "r1" : "r2";
    if (ask.kind == PaxosAsk::Kind::kOffer) ask.name = draw(3) == 0 ? "nonce" : "";
    if (ask.kind == PaxosAsk::Kind::kNames) ask.name = "r";
    ask.ballot = {1 + draw(20) + static_cast<uint64_t>(i) / 10, draw(3)};
    ask.text = ask.kind == PaxosAsk::Kind::kOffer ? "nonce" : texts[draw(4)];
    std::optional<PaxosAnswer> real;
    port.Ask(node.address(), ask, [&](const PaxosAnswer& answer) { real = answer; });
    ASSERT_TRUE(RunUntil([&] { return real.has_value(); }));
    PaxosAnswer wanted = model.Handle(ask);
    // The run is a random word of the server's.
    EXPECT_EQ(real->run.empty(), wanted.run.empty());
    real->run = wanted.run;
    EXPECT_EQ(real->me.empty(), wanted.me.empty());
    real->me = wanted.me;
    std::sort(real->names.begin(), real->names.end());
    ASSERT_EQ(*real, wanted) << i << ": " << ask.ToArgs()[0] << ' ' << real->why;
    kinds[static_cast<size_t>(real->kind)]++;
  }
  for (const auto kind :
       {PaxosAnswer::Kind::kOk, PaxosAnswer::Kind::kConflict, PaxosAnswer::Kind::kStranger,
        PaxosAnswer::Kind::kOther, PaxosAnswer::Kind::kBehind, PaxosAnswer::Kind::kAbout}) {
    EXPECT_GT(kinds[static_cast<size_t>(kind)], 10U) << static_cast<int>(kind);
  }
}

TEST_F(PaxosRegistersTest, AReplicaDoesNotAnswerForItself) {
  Nodes nodes;
  const std::unique_ptr<Registers> view = nodes.View(&loop_, 600);
  Put(view.get(), "a", "one");
  const std::string master = std::to_string(nodes[1].port());
  nodes[0].Connect()("REPLICAOF", "127.0.0.1", master);
  ASSERT_TRUE(e2e::Eventually([&] {
    return nodes[0].Connect()("INFO", "replication").Text().find("status:up") != std::string::npos;
  }));
  Put(view.get(), "a", "two");
  // It is not the second acceptor now, though it has all that the second has.
  nodes[2].Kill();
  EXPECT_EQ(TryRead(view.get(), "a"), std::nullopt);
  nodes[0].Connect()("REPLICAOF", "NO", "ONE");
  EXPECT_EQ(TryRead(view.get(), "a"), std::nullopt);
  nodes[2].Start();
  EXPECT_EQ(Read(view.get(), "a").text, "two");
}

bool BecomesReplicaOf(RedisNode* node, const RedisNode& master) {
  node->Connect()("REPLICAOF", "127.0.0.1", std::to_string(master.port()));
  return e2e::Eventually([&] {
    return node->Connect()("INFO", "replication").Text().find("status:up") != std::string::npos;
  });
}

// What a node had was copied to another one, and comes back from there after it was written to.
TEST_F(PaxosRegistersTest, AnOldCopyThatComesHomeDoesNotCount) {
  Nodes nodes;
  RedisNode other;
  const std::unique_ptr<Registers> view = nodes.View(&loop_, 600);
  Put(view.get(), "a", "one");
  ASSERT_TRUE(BecomesReplicaOf(&other, nodes[0]));
  other.Connect()("REPLICAOF", "NO", "ONE");
  Put(view.get(), "a", "two");
  const auto nonce = [&] {
    e2e::Client client = nodes[0].Connect();
    client("SELECT", std::to_string(kPaxosDatabase));
    return client("HGET", PaxosKey("f"), "nonce").bytes;
  };
  const std::string before = nonce();
  ASSERT_TRUE(BecomesReplicaOf(&nodes[0], other));
  nodes[2].Kill();
  nodes[0].Connect()("REPLICAOF", "NO", "ONE");
  EXPECT_EQ(nonce(), before) << "it looks as it did";
  EXPECT_EQ(TryRead(view.get(), "a"), std::nullopt);
  nodes[2].Start();
  EXPECT_EQ(Read(view.get(), "a").text, "two");
  EXPECT_TRUE(RunUntil([&] {
    TryRead(view.get(), "a");
    return IsMember(&nodes[0]) && nonce() != before;
  })) << "it is not readmitted";
}

TEST_F(PaxosRegistersTest, NodesWhoseMemoryIsFullTakeThemStill) {
  Nodes nodes;
  const std::unique_ptr<Registers> view = nodes.View(&loop_);
  Put(view.get(), "a", "one");
  for (size_t i = 0; i < 3; ++i) {
    e2e::Client client = nodes[i].Connect();
    client("CONFIG", "SET", "maxmemory", "1000");
    EXPECT_TRUE(client("SET", "k", "v").Text().starts_with("-OOM"));
  }
  const RegisterValue now = Read(view.get(), "a");
  EXPECT_EQ(Write(view.get(), "a", now.version, "two").first, Outcome::kDone);
}

TEST_F(PaxosRegistersTest, WhoMayEvictThemDoesNotCount) {
  Nodes nodes({"--maxmemory-policy", "allkeys-lfu"});
  std::vector<std::string> warnings;
  const std::unique_ptr<Registers> view = nodes.View(&loop_, 600, &warnings);
  EXPECT_EQ(TryRead(view.get(), "a"), std::nullopt);
  EXPECT_NE(
      view->trouble().find("may evict the registers as any key (maxmemory-policy allkeys-lfu)"),
      std::string::npos)
      << view->trouble();
  EXPECT_EQ(std::count_if(warnings.begin(), warnings.end(),
                          [](const std::string& each) {
                            return each.find("does not count among those") != std::string::npos;
                          }),
            3);
  for (size_t i = 0; i < 3; ++i) {
    nodes[i].Connect()("CONFIG", "SET", "maxmemory-policy", "volatile-lru");
  }
  Put(view.get(), "a", "one");
  // It is one of three that counts not at the moment.
  nodes[1].Connect()("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
  Put(view.get(), "a", "two");
  nodes[2].Kill();
  EXPECT_EQ(TryRead(view.get(), "a"), std::nullopt);
  nodes[1].Connect()("CONFIG", "SET", "maxmemory-policy", "noeviction");
  EXPECT_EQ(Read(view.get(), "a").text, "two");
}

TEST_F(PaxosRegistersTest, SomebodysScriptFlushIsNotNoticed) {
  Nodes nodes;
  const std::unique_ptr<Registers> view = nodes.View(&loop_);
  uint64_t version = Put(view.get(), "a", "0");
  for (int i = 1; i < 5; ++i) {
    for (size_t j = 0; j < 3; ++j) nodes[j].Connect()("SCRIPT", "FLUSH");
    EXPECT_EQ(Write(view.get(), "a", version++, std::to_string(i)).first, Outcome::kDone);
  }
  EXPECT_EQ(view->trouble(), "");
}

// From nodes of one plan to those of another that has none of them.
TEST_F(PaxosRegistersTest, TheAcceptorsGoWithThePlan) {
  Nodes nodes;
  Nodes next;
  UvPaxosOptions options;
  for (size_t i = 0; i < 3; ++i) options.nodes.push_back(nodes[i].address());
  options.node_of = At;
  options.fleet = "f";
  options.follows = options.shared = true;
  const std::unique_ptr<Registers> view = OpenPaxosRegisters(&loop_, options);
  const std::unique_ptr<Registers> other = OpenPaxosRegisters(&loop_, options);
  Put(view.get(), "a", "one");
  EXPECT_EQ(Read(other.get(), "a").text, "one");
  std::vector<std::string> names;
  for (size_t i = 0; i < 3; ++i) names.push_back(next[i].address());
  view->Follow(2, names);
  EXPECT_TRUE(RunUntil([&] {
    TryRead(view.get(), "a");
    return view->Status().servers.size() == 3 && IsMember(&next[0]) && IsMember(&next[1]) &&
           IsMember(&next[2]);
  }));
  EXPECT_EQ(Read(other.get(), "a").text, "one") << "who was not told finds them";
  for (size_t i = 0; i < 3; ++i) nodes[i].Kill();
  Put(other.get(), "a", "two");
  EXPECT_EQ(Read(view.get(), "a").text, "two");
  std::optional<NodeRelease> release;
  EXPECT_TRUE(view->Release(names[0], [&](const NodeRelease& is) { release = is; }));
  EXPECT_TRUE(RunUntil([&] { return release.has_value(); }));
  EXPECT_TRUE(release && release->too_few) << "three are the least";
}

}  // namespace
}  // namespace gemel::paxos_test

namespace gemel::conformance {
using paxos_test::PaxosHarness;
INSTANTIATE_TYPED_TEST_SUITE_P(Paxos, RegistersConformance, PaxosHarness<3>);
// As on two shards of two.
INSTANTIATE_TYPED_TEST_SUITE_P(PaxosOfFour, RegistersConformance, PaxosHarness<4>);
}  // namespace gemel::conformance

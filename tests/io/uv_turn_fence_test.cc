// Owners of a shard, one after the other, at a real node: nothing of an earlier one is applied once
// a later one's link is up.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backend/link/turn_fence.h"
#include "backend/resp/resp_writer.h"
#include "backend/uv/hiredis_control.h"
#include "backend/uv/uv_link.h"
#include "tests/e2e/redis_node.h"
#include "tests/io/loop_fixture.h"

namespace gemel {
namespace {

using e2e::Client;
using e2e::RedisNode;
using e2e::Words;

// What a member's process is to others.
struct Member : OtherProxies {
  explicit Member(const std::string& name) {
    me = {"id-" + name, "state-" + name, "machine", 12, 345, 100, "web1", "127.0.0.1:6379"};
    me.fleet_id = "f1";
    me.member = name;
  }
  const ProxyInstance& self() const override { return me; }
  bool IsGone(const SeenProxy&) override { return false; }
  void OnRival(const ProxyInstance& other, const std::string&, bool) override {
    ADD_FAILURE() << Describe(other);
  }
  void OnLaterTurn(const std::string& shard, uint64_t epoch) override {
    told.push_back(shard + " " + std::to_string(epoch));
  }
  std::string NameOf(uint64_t epoch) const {
    return ConnectionName(me, "a", true, {me.fleet_id, epoch, me.member});
  }

  ProxyInstance me;
  std::vector<std::string> told;
};

// A link of a turn that writes its epoch as soon as it is up.
class TurnLink : public LinkOwner {
 public:
  TurnLink(UvLinkContext* context, const RedisNode& node, Member* member, uint64_t epoch)
      : epoch_(epoch),
        link_(this, 0, &pool_, OptionsOf(node, member, epoch)),
        transport_(context, &link_, Address{"127.0.0.1", node.port(), {}}) {
    link_.set_transport(&transport_);
  }
  ~TurnLink() override { link_.Stop(); }

  void Start(uint64_t now_ms) { link_.Start(now_ms); }
  bool up() const { return link_.up(); }
  bool is_down() const { return link_.state() == Link::State::kDown; }
  bool wrote() const { return wrote_; }
  const std::string& why() const { return why_; }

 private:
  static LinkOptions OptionsOf(const RedisNode& node, Member* member, uint64_t epoch) {
    LinkOptions options;
    options.name = node.address();
    options.client_name = member->NameOf(epoch);
    options.others = member;
    return options;
  }
  void OnLinkUp(Link* link, const NodeIdentity&) override {
    std::string frame;
    const std::string epoch = std::to_string(epoch_);
    AppendCommand(&frame, std::vector<std::string_view>{"SET", "owner", epoch});
    link->Send(&item_, frame);
  }
  void OnLinkReply(Link*, LinkItem*, const Reply&, std::string_view) override { wrote_ = true; }
  void OnLinkLost(Link*, LinkItem*, std::string_view) override {}
  void OnLinkDown(Link*, const std::string& reason, bool) override { why_ = reason; }

  const uint64_t epoch_;
  LinkItem item_{LinkItem::Kind::kRequest};
  ChunkPool pool_;
  Link link_;
  UvLink transport_;
  bool wrote_ = false;
  std::string why_;
};

class UvTurnFenceTest : public LoopTest {
 protected:
  UvTurnFenceTest() : streams_(&loop_) {
    context_.streams = &streams_;
    uv_check_init(&loop_, &check_);
    check_.data = this;
    uv_check_start(&check_,
                   [](uv_check_t* check) { static_cast<UvTurnFenceTest*>(check->data)->OnTurn(); });
  }
  ~UvTurnFenceTest() override {
    uv_close(reinterpret_cast<uv_handle_t*>(&check_), nullptr);
    uv_run(&loop_, UV_RUN_NOWAIT);
  }
  void OnTurn() {
    streams_.ReceiveAll();
    const std::vector<UvLink*> dirty = std::exchange(context_.dirty, {});
    for (UvLink* link : dirty) link->Flush();
    streams_.SendAll();
  }
  void Turns(int count) {
    for (int i = 0; i < count; ++i) {
      OnTurn();
      uv_run(&loop_, UV_RUN_NOWAIT);
    }
  }
  // Until what it has to say first lies in the node's socket.
  void Begin(TurnLink* link) {
    link->Start(uv_now(&loop_));
    Turns(20);
  }

  UvStreamGroup streams_;
  UvLinkContext context_;
  RedisNode node_;
  Member first_{"m1"};
  Member second_{"m2"};

 private:
  uv_check_t check_;
};

// The rest of what an earlier owner sent is in the node's socket, which reads it bit by bit.
TEST_F(UvTurnFenceTest, NothingOfAnEarlierOwnerIsAppliedOnceALaterOneIsUp) {
  constexpr int kRounds = 100;
  constexpr int kWrites = 8000;
  Client other = node_.Connect();
  int interrupted = 0;
  for (uint64_t round = 0; round < kRounds; ++round) {
    ASSERT_EQ(other("DEL", "n").Text().substr(0, 1), ":");
    Client earlier = node_.Connect();
    ASSERT_EQ(earlier("CLIENT", "SETNAME", first_.NameOf(2 * round + 1)), "OK");
    node_.Pause();
    for (int i = 0; i < kWrites; ++i) earlier.Append({"INCR", "n"});
    earlier.Flush();
    TurnLink later(&context_, node_, &second_, 2 * round + 2);
    Begin(&later);
    node_.Resume();
    ASSERT_TRUE(RunUntil([&] { return later.wrote() || later.is_down(); }));
    ASSERT_TRUE(later.up()) << later.why();
    const std::string applied = other("GET", "n").Text();
    int answered = 0;
    try {
      for (; answered < kWrites; ++answered) earlier.Read();
    } catch (const std::runtime_error&) {
    }
    interrupted += applied != std::to_string(kWrites) ? 1 : 0;
    ASSERT_EQ(other("GET", "n").Text(), applied) << "round " << round;
    ASSERT_EQ(other("GET", "owner").Text(), std::to_string(2 * round + 2));
  }
  EXPECT_GT(interrupted, 0);
}

// Each is at any point of its handshake when the node hangs, whoever began first.
TEST_F(UvTurnFenceTest, OfTwoTurnsThatConnectAtOnceTheLaterOneWritesLast) {
  constexpr int kRounds = 100;
  Client other = node_.Connect();
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t epoch = 2 * static_cast<uint64_t>(round) + 1;
    TurnLink earlier(&context_, node_, &first_, epoch);
    TurnLink later(&context_, node_, &second_, epoch + 1);
    TurnLink* begins = round % 2 == 0 ? &earlier : &later;
    begins->Start(uv_now(&loop_));
    Turns(round / 2 % 10);
    node_.Pause();
    Begin(begins == &earlier ? &later : &earlier);
    node_.Resume();
    ASSERT_TRUE(RunUntil([&] { return later.wrote() && earlier.is_down(); }))
        << "round " << round << ": " << later.why();
    ASSERT_TRUE(later.up()) << later.why();
    ASSERT_EQ(other("GET", "owner").Text(), std::to_string(epoch + 1)) << "round " << round;
    refused += earlier.why() == "member m2 owns shard 'a' now" ? 1 : 0;
  }
  // Each of the two ways to end happened.
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, kRounds);
  EXPECT_EQ(first_.told.size(), static_cast<size_t>(refused));
  EXPECT_TRUE(second_.told.empty());
}

class UvControlFenceTest : public UvTurnFenceTest {
 protected:
  std::unique_ptr<HiredisControl> Make(Member* member, uint64_t epoch,
                                       const std::string& user = {}) {
    HiredisNode node{{"127.0.0.1", node_.port(), {}}, user, user, 0};
    node.client_name = member->NameOf(epoch);
    node.others = member;
    return std::make_unique<HiredisControl>(&loop_, std::vector<HiredisNode>{std::move(node)});
  }
  // "ok TEXT", "refused ERROR" by the node, or "failed ERROR"
  std::string Say(HiredisControl* control, Words words) {
    std::optional<ControlReply> got;
    control->Command(0, std::move(words), [&](const ControlReply& reply) { got = reply; });
    EXPECT_TRUE(RunUntil([&] { return got.has_value(); }));
    if (!got) return {};
    return got->ok ? "ok " + got->text : (got->refused ? "refused " : "failed ") + got->error;
  }
};

TEST_F(UvControlFenceTest, AControlConnectionOfALaterTurnEndsThoseOfEarlierOnes) {
  const auto earlier = Make(&first_, 1);
  EXPECT_EQ(Say(earlier.get(), {"SET", "k", "1"}), "ok OK");
  Client raw = node_.Connect();
  ASSERT_EQ(raw("CLIENT", "SETNAME", first_.NameOf(1) + ":side"), "OK");
  const auto later = Make(&second_, 2);
  std::vector<std::string> got;
  for (const char* value : {"2", "3", "4"}) {
    later->Command(0, {"GETSET", "k", value},
                   [&](const ControlReply& reply) { got.push_back(reply.text); });
  }
  ASSERT_TRUE(RunUntil([&] { return got.size() == 3; }));
  EXPECT_EQ(got, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_TRUE(raw.IsClosed());
  // Cut, it connects anew, and finds that its turn is over.
  const std::string over = "failed member m2 owns shard 'a' now";
  std::string said;
  EXPECT_TRUE(RunUntil([&] {
    return (said = Say(earlier.get(), {"SET", "k", "1"})) == over;
  })) << said;
  EXPECT_EQ(first_.told.back(), "a 2");
  EXPECT_EQ(Say(later.get(), {"GET", "k"}), "ok 4");
}

TEST_F(UvControlFenceTest, WithoutPermissionNothingIsSent) {
  Client admin = node_.Connect();
  ASSERT_EQ(admin("ACL", "SETUSER", "u", "on", ">u", "~*", "+@all", "-client"), "OK");
  const auto control = Make(&second_, 2, "u");
  const std::string said = Say(control.get(), {"SET", "k", "1"});
  EXPECT_TRUE(said.starts_with("failed the node does not carry out CLIENT SETNAME (NOPERM"))
      << said;
  EXPECT_TRUE(said.ends_with(": allow its user +client")) << said;
  EXPECT_EQ(admin("EXISTS", "k"), ":0");
}

// A node that runs a script says nothing of its clients; that must not keep it running.
TEST_F(UvControlFenceTest, AScriptIsEndedAlsoWhereNobodyCanBeLookedFor) {
  ASSERT_EQ(node_.Connect()("CONFIG", "SET", "busy-reply-threshold", "20"), "OK");
  Client raw = node_.Connect();
  raw.Append({"EVAL", "while true do end", "0"});
  raw.Flush();
  const auto control = Make(&second_, 2);
  std::string said;
  EXPECT_TRUE(RunUntil([&] {
    said = Say(control.get(), {"SET", "k", "1"});
    return said.starts_with("failed the node does not carry out CLIENT SETNAME: BUSY ");
  })) << said;
  EXPECT_EQ(Say(control.get(), {"SCRIPT", "KILL"}), "ok OK");
  EXPECT_TRUE(raw.Read().IsError());
  EXPECT_EQ(Say(control.get(), {"SET", "k", "1"}), "ok OK");
}

}  // namespace
}  // namespace gemel

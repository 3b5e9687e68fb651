// A shard of which an operator asks something, on fake transports.

#ifndef GEMEL_TESTS_UNIT_SHARD_CONTROL_WORLD_H_
#define GEMEL_TESTS_UNIT_SHARD_CONTROL_WORLD_H_

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "backend/shard/shard_control.h"
#include "tests/unit/order_of.h"
#include "tests/unit/shard_world.h"

namespace gemel::shard_control_test {

class ShardControlTest : public ShardWorld {
 protected:
  ShardControlTest() { base_.grace_ms = 40; }

  // A shard whose copies n0, n1, ... are all in sync and up, with run_ids r0, r1, ...
  void Make(uint32_t copies, bool failback = false) {
    base_.failback = failback;
    MakeUp(copies);
  }
  void Up(uint32_t copy, const std::string& run_id, uint64_t keys = 5) {
    WaitUntilConnecting(copy);
    ShardWorld::Up(copy, run_id, keys);
  }
  // The node is gone, and the next attempt to connect is refused.
  void Kill(uint32_t copy) {
    if (shard_->link(copy)->up()) Lose(copy);
    WaitUntilConnecting(copy);
    Lose(copy, true);
  }
  void WaitUntilConnecting(uint32_t copy) {
    for (int i = 0; i < 50 && shard_->link(copy)->state() == Link::State::kDown; ++i) Tick(50);
    ASSERT_EQ(shard_->link(copy)->state(), Link::State::kConnecting);
  }
  Asked* Order(std::string_view verb, std::string_view node) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->kind = RequestKind::kControl;
    request->Extra().cargo = OrderOf(verb, node);
    shard_->Submit(request);
    return request;
  }
  std::string Refusal(std::string_view verb, std::string_view node) {
    const std::string told = Order(verb, node)->told;
    EXPECT_TRUE(queue_->idle()) << told;
    EXPECT_FALSE(shard_->ports().resync.paused()) << told;
    return told;
  }
  // The copy that stays shows that it lives, before the other one leaves.
  void Prove(uint32_t copy) {
    EXPECT_EQ(Sent(copy), Command({"PING"}));
    EXPECT_TRUE(queue_->idle());
    Reply(copy, "+PONG\r\n");
  }
  // A write is answered with OK, from exactly these copies.
  void ExpectWrites(CopyMask copies) {
    for (uint32_t i = 0; i < shard_->copy_count(); ++i) Sent(i);
    const std::string set = Command({"SET", "k", "v"});
    Asked* request = Ask({"SET", "k", "v"});
    for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
      EXPECT_EQ(Sent(i), (copies & Bit(i)) != 0 ? set : "") << "copy " << i;
      if ((copies & Bit(i)) != 0) Reply(i, "+OK\r\n");
    }
    EXPECT_EQ(request->told, "+OK\r\n");
  }
  void Tick(uint64_t ms) { shard_->Tick(now_ms_ += ms, 0); }
  // Marks a stale copy in sync, as a resync does.
  void MakeInSync(uint32_t copy) {
    shard_->ports().resync.Pause([] {});
    shard_->ports().resync.ProposeInSync(copy, [](bool ok) { EXPECT_TRUE(ok); });
    RunEdits();
    shard_->ports().resync.Resume();
  }
  bool Noted(const std::string& part) const { return notes_.find(part) != std::string::npos; }
};

inline constexpr char kOk[] = "+OK\r\n";

}  // namespace gemel::shard_control_test

#endif  // GEMEL_TESTS_UNIT_SHARD_CONTROL_WORLD_H_

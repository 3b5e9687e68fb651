// A shard whose nodes tell what they remove.

#ifndef GEMEL_TESTS_UNIT_REMOVALS_WORLD_H_
#define GEMEL_TESTS_UNIT_REMOVALS_WORLD_H_

#include <deque>
#include <string>
#include <vector>

#include "tests/unit/shard_world.h"

namespace gemel {

class RemovalsWorld : public ShardWorld {
 protected:
  void Begin(uint32_t copies, Ack ack = Ack::kAll, ReadFrom from = ReadFrom::kPrimary) {
    Make(copies, ack, from);
    feeds_.resize(copies);
    for (uint32_t i = 0; i < copies; ++i) shard_->feed_link(i)->set_transport(&feeds_[i]);
    for (uint32_t i = 0; i < copies; ++i) Up(i, "r" + std::to_string(i));
    for (uint32_t i = 0; i < copies; ++i) Follow(i);
    shard_->Tick(now_ms_ += 2000, 0);
    AnswerPings();
  }
  // Where clients have been answered by another copy than the primary.
  void BeginSeenElsewhere(uint32_t copies, Ack ack = Ack::kAll) {
    Begin(copies, ack, ReadFrom::kReplica);
    Record();
    ReadElsewhere();
  }
  void ReadElsewhere() {
    Ask({"GET", "any"});
    for (uint32_t i = 0; i < feeds_.size(); ++i) {
      if (Sent(i).empty()) continue;
      EXPECT_NE(i, 0u);
      Reply(i, "$-1\r\n");
    }
  }
  // As before Begin: for another round of the same test.
  void Anew() {
    shard_.reset();
    feeds_.clear();
    transports_.clear();
    edits_.clear();
  }
  // The feed is connected, and the node says how many keys it has evicted.
  void Follow(uint32_t copy, uint64_t evicted = 0, const std::string& run_id = {}) {
    Link* link = shard_->feed_link(copy);
    if (link->state() == Link::State::kDown) shard_->Tick(now_ms_ += 100, 0);
    ASSERT_EQ(link->state(), Link::State::kConnecting);
    link->OnConnected(now_ms_);
    Answer(link, SubscriberHandshake(run_id.empty() ? "r" + std::to_string(copy) : run_id),
           now_ms_);
    if (!link->up()) Answer(link, ":1\r\n", now_ms_);  // it ended the connection before
    ASSERT_TRUE(link->up());
    std::string stats;
    AppendBulk(&stats, "# Stats\r\nevicted_keys:" + std::to_string(evicted) + "\r\n");
    Answer(link,
           "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n" + stats +
               "*3\r\n$10\r\npsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$10\r\npsubscribe\r\n$1\r\nb\r\n:"
               "2\r\n",
           now_ms_);
    ASSERT_TRUE(shard_->removals().feeds().IsFollowed(copy));
    FeedSent(copy);
  }
  // What was sent to a feed since it was last looked at.
  std::string FeedSent(uint32_t copy) { return feeds_[copy].Sent(shard_->feed_link(copy)); }
  static std::string Event(const std::string& event, const std::string& key, int database = 0) {
    return Command({"pmessage", "__keyevent@*__:" + event,
                    "__keyevent@" + std::to_string(database) + "__:" + event, key});
  }
  void Tell(uint32_t copy, const std::vector<std::string>& keys,
            const std::string& event = "expired") {
    std::string bytes;
    for (const std::string& key : keys) bytes += Event(event, key);
    Answer(shard_->feed_link(copy), bytes, now_ms_);
  }
  // What was sent so far is known to be older than what the nodes will tell.
  void PassBarriers() {
    for (int round = 0; round < 4; ++round) {
      shard_->Tick(now_ms_ += 20, 0);
      AnswerPings();
    }
  }
  void AnswerPings() {
    for (uint32_t i = 0; i < feeds_.size(); ++i) {
      const std::string sent = FeedSent(i);
      for (size_t at = 0; (at = sent.find("PING", at)) != std::string::npos; ++at) Pong(i);
    }
  }
  void Pong(uint32_t copy) {
    Answer(shard_->feed_link(copy), "*2\r\n$4\r\npong\r\n$0\r\n\r\n", now_ms_);
  }
  // The nodes have told all that they removed before a key came into doubt, if they have answered
  // what they were sent until then: a barrier that is under way ends, and one that begins then.
  void EndBarrier() {
    for (int round = 0; round < 3; ++round) {
      shard_->Tick(now_ms_ += 2, 0);
      AnswerPings();
    }
  }
  // Nothing is done about a key in doubt before all is heard.
  void ExpectRepairOnceHeard(uint32_t source, const std::string& key) {
    EXPECT_EQ(Sent(source), "") << "not all is heard";
    EndBarrier();
    ExpectRepair(source, key);
  }
  // Something was removed lately, so that writes are recorded, and nothing is unknown any more.
  void Record() {
    for (uint32_t i = 0; i < feeds_.size(); ++i) Sent(i);
    // It may have been written before anything was recorded.
    Tell(0, {"long-gone"});
    ExpectRepairOnceHeard(0, "long-gone");
    Reply(0, "$-1\r\n:-2\r\n");
    for (uint32_t i = 1; i < feeds_.size(); ++i) {
      EXPECT_EQ(Sent(i), Command({"DEL", "long-gone"}));
      Reply(i, ":1\r\n");
    }
    PassBarriers();
    PassBarriers();
    EXPECT_TRUE(shard_->Idle());
  }
  // A write to which all copies answer alike: whether it is older than what they tell next is not
  // known.
  void Add(const std::string& key) {
    Asked* write = Ask({"SADD", key, "m"});
    for (uint32_t i = 0; i < feeds_.size(); ++i) {
      EXPECT_EQ(Sent(i), Command({"SADD", key, "m"}));
      Reply(i, ":1\r\n");
    }
    EXPECT_EQ(write->told, ":1\r\n");
  }

  std::deque<FakeTransport> feeds_;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_REMOVALS_WORLD_H_

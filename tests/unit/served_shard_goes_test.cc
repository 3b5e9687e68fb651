// A shard that goes to another member of the fleet.

#include "tests/unit/served_shard_world.h"

namespace gemel::served_shard_test {
namespace {

class ServedShardGoesTest : public ServedShardTest {
 protected:
  void Submit(RequestKind kind, const std::vector<std::string_view>& args) {
    Request& request = requests_.emplace_back();
    request.sink = this;
    request.row = table_.Find(args);
    request.kind = kind;
    const std::string frame = gemel::Command(args);
    request.frame = frame;
    served_->shard()->Submit(&request);
  }
  std::deque<Request> requests_;
};

TEST_F(ServedShardGoesTest, LeavesOnceAllIsAnsweredAndNodesReplicateNoMore) {
  has_events_ = true;
  events_[0] = events_[1] = "Kg";
  MakeUp({1});
  ASSERT_TRUE(served_->resyncing()) << notes_;
  answers_ = false;
  asked_.clear();
  Submit(RequestKind::kWrite, {"SET", "k", "v"});
  served_->Leave(now_ms_);
  EXPECT_EQ(Told(), "REPLICAOF NO 1; ");
  EXPECT_FALSE(served_->resyncing());
  Submit(RequestKind::kWrite, {"SET", "k", "w"});
  Turn(3);
  EXPECT_FALSE(served_->Left(now_ms_));
  EXPECT_EQ(asked_.size(), 1u) << "nothing else is asked";
  Answer(served_->shard()->link(0), "+OK\r\n", now_ms_);
  EXPECT_EQ(answered_, "+OK\r\n");
  Turn(3);
  EXPECT_FALSE(served_->Left(now_ms_)) << "the node has not answered";
  AnswerNext();
  EXPECT_TRUE(served_->Left(now_ms_));
  EXPECT_EQ(events_[0], "gxeKE") << "the next owner wants the same";
  EXPECT_EQ(Told(), "");
  EXPECT_TRUE(served_->GiveBack());
  EXPECT_EQ(Told(), "given back; ");
  served_->Stop();
  served_.reset();
  EXPECT_EQ(Told(), "no probe 0; no probe 1; close all; ");
}

TEST_F(ServedShardGoesTest, WaitsNoLongerThanSoLong) {
  MakeUp();
  served_->Leave(now_ms_);
  Submit(RequestKind::kRead, {"GET", "k"});
  Turn(2);
  EXPECT_TRUE(served_->Left(now_ms_));
  EXPECT_TRUE(served_->GiveBack());
  EXPECT_EQ(Told(), "given back; ");
}

TEST_F(ServedShardGoesTest, ALostLeaseEndsAllConnectionsAtOnce) {
  MakeUp({1});
  ASSERT_TRUE(served_->resyncing()) << notes_;
  Submit(RequestKind::kWrite, {"SET", "k", "v"});
  Submit(RequestKind::kRead, {"GET", "k"});
  Submit(RequestKind::kAudit, {"PING"});
  served_->Cut();
  EXPECT_EQ(Told(), "given back; close all; ");
  EXPECT_NE(answered_.find("lost its lease of shard 'a'"), std::string::npos) << answered_;
  EXPECT_NE(answered_.find("-ERR this member"), std::string::npos)
      << "who waits for an audit is told: " << answered_;
  served_.reset();
  EXPECT_EQ(Told(), "") << "nothing is asked of the host twice";
  while (!asked_.empty()) AnswerNext();  // too late, and for nobody
}

TEST_F(ServedShardGoesTest, ALeaseMayBeLostWhileTheShardLeaves) {
  MakeUp();
  Submit(RequestKind::kWrite, {"SET", "k", "v"});
  served_->Leave(now_ms_);
  Submit(RequestKind::kWrite, {"SET", "k", "w"});
  served_->Cut();
  EXPECT_EQ(Told(), "given back; close all; ");
  EXPECT_NE(answered_.find("may or may not have been applied"), std::string::npos) << answered_;
}

// --- ScriptEnd ---

}  // namespace
}  // namespace gemel::served_shard_test

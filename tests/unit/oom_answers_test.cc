// Copies that are full, and may evict nothing.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel {
namespace {

constexpr char kOom[] = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

class OomAnswersTest : public ShardWorld {
 protected:
  void Begin(CopyMask refuse, Ack ack = Ack::kAll) {
    MakeUp(2, ack);
    shard_->ports().settings.set_refuses_when_full(refuse);
  }
  Asked* Set() {
    Asked* request = Ask({"SET", "k", "v"});
    EXPECT_EQ(Sent(0), Command({"SET", "k", "v"}));
    EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
    return request;
  }
};

TEST_F(OomAnswersTest, ThePrimarysIsTheAnswerAndTheOthersUndoTheWrite) {
  Begin(3);
  const Asked* request = Set();
  Reply(1, "+OK\r\n");
  Reply(0, kOom);
  EXPECT_EQ(request->told, "");
  ExpectRepair(0, "k");
  Reply(0, "$-1\r\n:-2\r\n");
  EXPECT_EQ(Sent(1), Command({"DEL", "k"}));
  Reply(1, ":1\r\n");
  EXPECT_EQ(request->told, kOom);
  EXPECT_EQ(edits_, "");
}

TEST_F(OomAnswersTest, NobodyElseAnswersEarlyThen) {
  Begin(3, Ack::kAny);
  const Asked* request = Set();
  Reply(1, "+OK\r\n");
  EXPECT_EQ(request->told, "") << "the primary may refuse it";
  Reply(0, "+OK\r\n");
  EXPECT_EQ(request->told, "+OK\r\n");
}

TEST_F(OomAnswersTest, APrimaryThatIsNotKnownToHaveALimitLeaves) {
  Begin(0);
  Set();
  Reply(1, "+OK\r\n");
  Reply(0, kOom);
  EXPECT_NE(edits_.find("promote n1"), std::string::npos) << edits_;
}

TEST_F(OomAnswersTest, AnotherCopyThatIsFullForAMomentGetsWhatItRefused) {
  Begin(3);
  const Asked* request = Set();
  Reply(0, "+OK\r\n");
  Reply(1, kOom);
  ExpectRepair(0, "k");
  Reply(0, "$1\r\nx\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "x", "REPLACE"}));
  EXPECT_EQ(request->told, "");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(request->told, "+OK\r\n");
  EXPECT_EQ(edits_, "");
}

TEST_F(OomAnswersTest, AWriteThatThePrimaryExecutesFirstIsAnsweredSo) {
  Begin(3);
  const Asked* request = Ask({"MIX", "k", "*", "f", "v"});
  std::string sent = Sent(0);
  for (int round = 0; round < 3 && sent.find("MIX") == std::string::npos; ++round) {
    Reply(0, ":100\r\n");  // how large the key is
    sent += Sent(0);
  }
  ASSERT_NE(sent.find("MIX"), std::string::npos) << sent;
  Reply(
      0,
      std::string("+OK\r\n") + kOom +
          "+QUEUED\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of previous errors.\r\n");
  EXPECT_EQ(request->told, kOom);
  EXPECT_EQ(Sent(1).find("MIX"), std::string::npos);
  EXPECT_EQ(edits_, "");
}

}  // namespace
}  // namespace gemel

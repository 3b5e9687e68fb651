// A shard whose copies tell of keys that are in doubt: the world of the tests of KeyDoubts.

#ifndef GEMEL_TESTS_UNIT_KEY_DOUBTS_WORLD_H_
#define GEMEL_TESTS_UNIT_KEY_DOUBTS_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/removals_world.h"

namespace gemel::key_doubts_test {

class KeyDoubtsTest : public RemovalsWorld {
 protected:
  static std::string Dump(const std::string& payload) {
    std::string reply;
    AppendBulk(&reply, payload);
    return reply;
  }
  // A key that was written just now is told by these copies, and all is heard.
  void Doubt(uint32_t copies, const std::vector<uint32_t>& told, const std::string& event) {
    Anew();
    Begin(copies);
    Record();
    Add("a");
    for (const uint32_t copy : told) Tell(copy, {"a"}, event);
    for (uint32_t i = 0; i < copies; ++i) EXPECT_EQ(Sent(i), "") << "not all is heard";
    EndBarrier();
  }
  void ExpectWeighed(const std::vector<uint32_t>& told) {
    for (uint32_t i = 0; i < feeds_.size(); ++i) {
      const bool asked = std::find(told.begin(), told.end(), i) != told.end();
      EXPECT_EQ(Sent(i), asked ? Command({"DUMP", "a"}) : "") << i;
    }
  }
  void ExpectDeleted(const std::string& key, const std::vector<uint32_t>& copies) {
    for (const uint32_t copy : copies) {
      EXPECT_EQ(Sent(copy), Command({"DEL", key})) << copy;
      Reply(copy, ":1\r\n");
    }
    EXPECT_FALSE(shard_->removals().doubts().Has(key));
    EXPECT_TRUE(shard_->Idle());
    EXPECT_EQ(edits_, "");
  }
  void ExpectMadeEqual(uint32_t source, const std::string& key) {
    ExpectRepair(source, key);
    Reply(source, "$3\r\nabc\r\n:-1\r\n");
    for (uint32_t i = 0; i < feeds_.size(); ++i) {
      if (i == source) continue;
      EXPECT_EQ(Sent(i), Command({"RESTORE", key, "0", "abc", "REPLACE"})) << i;
      Reply(i, "+OK\r\n");
    }
    EXPECT_FALSE(shard_->removals().doubts().Has(key));
    EXPECT_TRUE(shard_->Idle());
    EXPECT_EQ(edits_, "");
  }
  // The primary executes a write of "k" first, and the others get the key's state.
  void SendState(int64_t expiry_ms = -1) {
    Ask({"MIX", "k", "*", "f", "v"});
    EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}));
    Reply(0, ":100\r\n");
    Sent(0);
    Reply(0, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$3\r\n1-1\r\n$1\r\nD\r\n:" +
                 std::to_string(expiry_ms) + "\r\n");
    for (uint32_t i = 1; i < feeds_.size(); ++i) {
      EXPECT_NE(Sent(i).find("RESTORE"), std::string::npos);
      Reply(i, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    }
  }
};

}  // namespace gemel::key_doubts_test

#endif  // GEMEL_TESTS_UNIT_KEY_DOUBTS_WORLD_H_

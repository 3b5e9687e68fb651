// A shard with writes that one copy executes first.

#ifndef GEMEL_TESTS_UNIT_SHARD_FIRST_WORLD_H_
#define GEMEL_TESTS_UNIT_SHARD_FIRST_WORLD_H_

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/shard_world.h"

namespace gemel {

class ShardFirstWorld : public ShardWorld {
 protected:
  using Args = std::vector<std::string_view>;

  void Begin(uint32_t copies = 2, Ack ack = Ack::kAll) {
    MakeUp(copies, ack);
    for (uint32_t i = 0; i < copies; ++i) Sent(i);
  }
  Asked* Add(uint32_t session = 1) { return Ask({"MIX", "k", "*", "f", "v"}, session); }
  static std::string Block() {
    return Command({"MULTI"}) + Command({"MIX", "k", "*", "f", "v"}) + Command({"DUMP", "k"}) +
           Command({"PEXPIRETIME", "k"}) + Command({"EXEC"});
  }
  static std::string Follow() {
    return Command({"MULTI"}) + Command({"RESTORE", "k", "0", "D", "REPLACE"}) + Command({"EXEC"});
  }
  static std::string Queued(int n) {
    std::string text = "+OK\r\n";
    for (int i = 0; i < n; ++i) text += "+QUEUED\r\n";
    return text;
  }
  // The primary says how large it is, and gets the block.
  void Size(uint32_t copy = 0) {
    EXPECT_EQ(Sent(copy), Command({"MEMORY", "USAGE", "k"}));
    Reply(copy, ":100\r\n");
    EXPECT_EQ(Sent(copy), Block());
  }
  void Execute(uint32_t copy = 0) {
    Reply(copy, Queued(3) + "*3\r\n$3\r\n1-1\r\n$1\r\nD\r\n:-1\r\n");
  }
  void HaveIt(uint32_t copy = 1) {
    EXPECT_EQ(Sent(copy), Follow());
    Reply(copy, Queued(1) + "*1\r\n+OK\r\n");
  }
  void UpWithVersions(const std::string& first, const std::string& second) {
    Make(2);
    for (uint32_t i = 0; i < 2; ++i) {
      std::string replies = HandshakeReplies("r" + std::to_string(i));
      const std::string& version = i == 0 ? first : second;
      // As long as the usual one, so that the bulk stays well-formed.
      ASSERT_EQ(version.size(), 6u);
      replies.replace(replies.find("7.0.15"), 6, version);
      gemel::MakeUp(shard_->link(i), &transports_[i], replies, now_ms_);
    }
    shard_->Tick(now_ms_ += 2000, 0);
    for (uint32_t i = 0; i < 2; ++i) Sent(i);
  }
  static constexpr const char* kId = "$3\r\n1-1\r\n";
};

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_SHARD_FIRST_WORLD_H_

// A copy whose node refuses REPLICAOF is made equal key by key, against nodes of a model.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "backend/resp/request_reader.h"
#include "tests/unit/shard_world.h"

namespace gemel::shard_scan_copy_test {
namespace {

class ShardScanCopyTest : public ShardWorld {
 protected:
  using Data = std::map<std::string, std::string>;

  // The primary with `primary`, and a copy that is another process than it was, with `copy`.
  void MakeStaleCopy(Data primary, Data copy, uint32_t copies = 2) {
    MakeUp(copies);
    data_.resize(copies);
    todo_.resize(copies);
    data_[0] = std::move(primary);
    data_[1] = std::move(copy);
    for (uint32_t i = 2; i < copies; ++i) data_[i] = data_[0];
    Lose(1);
    Up(1, "another");
    RunEdits();
    for (uint32_t i = 0; i < copies; ++i) Sent(i);
    ASSERT_TRUE(shard_->ports().resync.WantsResync(1));
  }
  void Begin() {
    std::string why;
    ASSERT_TRUE(shard_->ports().resync.CopyByScan(1, &why)) << why;
    EXPECT_FALSE(shard_->ports().resync.WantsResync(1));
  }
  // Each node carries out one command, if it has one. False if none had.
  bool Step() {
    bool moved = false;
    for (uint32_t i = 0; i < data_.size(); ++i) {
      std::string bytes = Sent(i);
      while (!bytes.empty()) todo_[i].push_back(CutOne(&bytes));
      if (todo_[i].empty() || !shard_->link(i)->up()) continue;
      moved = true;
      const std::string command = std::move(todo_[i].front());
      todo_[i].pop_front();
      Reply(i, Execute(i, command));
    }
    return moved;
  }
  void Play() {
    for (int i = 0; i < 500; ++i) {
      while (Step()) {
      }
      RunEdits();
      Pass(10);
    }
  }
  bool InSync() const { return Durable().copies[1].state == CopyState::kInSync; }

  std::vector<Data> data_;
  size_t payload_ = 0;       // of the DUMP of "big", more than its value
  bool usage_told_ = false;  // MEMORY USAGE says that it is too big
  std::map<std::string, int> dumped_;

 private:
  static std::string CutOne(std::string* bytes) {
    size_t at = bytes->find("\r\n") + 2;
    for (int left = std::stoi(bytes->substr(1)); left > 0; --left) {
      const size_t size = std::stoul(bytes->substr(at + 1));
      at = bytes->find("\r\n", at) + 2 + size + 2;
    }
    std::string command = bytes->substr(0, at);
    bytes->erase(0, at);
    return command;
  }
  static std::string Bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
  static std::string Number(size_t number) { return ":" + std::to_string(number) + "\r\n"; }

  std::string Execute(uint32_t copy, const std::string& command) {
    std::vector<std::string_view> views;
    SplitFrame(command, &views);
    const std::vector<std::string> args(views.begin(), views.end());
    Data& data = data_[copy];
    const std::string& name = args[0];
    if (name == "DBSIZE") return Number(data.size());
    if (name == "FLUSHALL" || name == "FLUSHDB") {
      data.clear();
      return "+OK\r\n";
    }
    if (name == "MEMORY") {
      if (!data.contains(args[2])) return "$-1\r\n";
      return Number(args[2] == "big" && usage_told_ ? size_t{257} << 20 : 100);
    }
    const std::string& key = args[1];
    if (name == "SCAN") {
      // The cursor is the number of a key that was passed: what comes and goes moves no other.
      auto next = key == "0" ? data.begin() : data.upper_bound(passed_[std::stoul(key) - 1]);
      std::string keys;
      int count = 0;
      for (; next != data.end() && count < 2; ++next, ++count) {
        keys += Bulk(next->first);
        passed_.push_back(next->first);
      }
      const std::string cursor = next == data.end() ? "0" : std::to_string(passed_.size());
      return "*2\r\n" + Bulk(cursor) + "*" + std::to_string(count) + "\r\n" + keys;
    }
    const bool there = data.contains(key);
    if (name == "EXISTS") return Number(there);
    if (name == "PEXPIRETIME") return there ? ":-1\r\n" : ":-2\r\n";
    if (name == "GET") return there ? Bulk(data[key]) : "$-1\r\n";
    if (name == "DUMP") {
      ++dumped_[key];
      if (!there) return "$-1\r\n";
      return Bulk(data[key] + std::string(key == "big" ? payload_ : 0, 'x'));
    }
    if (name == "DEL") return Number(data.erase(key));
    if (name == "RESTORE") data[key] = args[3];
    if (name == "SET") data[key] = args[2];
    if (name == "RESTORE" || name == "SET") return "+OK\r\n";
    if (name == "APPEND") return Number((data[key] += args[2]).size());
    if (name == "COPY") {
      if (there) data[args[2]] = data[key];
      return Number(there);
    }
    return "-ERR not in this model\r\n";
  }

  std::vector<std::deque<std::string>> todo_;
  std::vector<std::string> passed_;
};

TEST_F(ShardScanCopyTest, MakesBothEqual) {
  Data primary;
  Data copy;
  for (int i = 0; i < 40; ++i) {
    if (i % 3 != 0) primary["k" + std::to_string(i)] = "right";
    if (i % 4 != 0) copy["k" + std::to_string(i)] = i % 5 == 0 ? "right" : "wrong";
  }
  MakeStaleCopy(primary, copy);
  Begin();
  Play();
  EXPECT_TRUE(InSync());
  EXPECT_EQ(data_[0], primary);
  EXPECT_EQ(data_[1], primary);
  EXPECT_EQ(shard_->figures().Get("resyncs"), 1u);
  EXPECT_EQ(shard_->figures().Get("rejoins"), 0u);
  for (const auto& [key, times] : dumped_) EXPECT_EQ(times, 1) << key;
  EXPECT_NE(edits_.find("copied key by key"), std::string::npos);
  EXPECT_FALSE(shard_->ports().resync.StatusOfScan(1).running);
}

TEST_F(ShardScanCopyTest, TwoEmptyOnes) {
  MakeStaleCopy({}, {});
  Begin();
  Play();
  EXPECT_TRUE(InSync());
}

TEST_F(ShardScanCopyTest, WritesMeanwhileAtAnyMoment) {
  // Of keys that no scan has passed, and that one has; one key wrong spreads it to another.
  for (int moment = 0; moment < 60; ++moment) {
    SetUp();
    edits_.clear();
    Data primary;
    Data copy;
    for (int i = 0; i < 6; ++i) {
      primary["k" + std::to_string(i)] = "p";
      copy["k" + std::to_string(i + 2)] = "c";
    }
    MakeStaleCopy(primary, copy);
    Begin();
    int steps = 0;
    while (steps < moment) {
      if (!Step()) Pass(10);
      ++steps;
    }
    uint32_t session = 1;
    for (const char* key : {"k0", "k3", "k7", "new"}) {
      Ask({"APPEND", key, "+"}, ++session);
      Ask({"COPY", key, std::string(key) + "'"}, ++session);
      Ask({"SET", std::string(key) + "!", "v"}, ++session);
    }
    Ask({"DEL", "k2"}, ++session);
    Play();
    EXPECT_TRUE(InSync()) << moment;
    EXPECT_EQ(data_[0], data_[1]) << moment;
    EXPECT_EQ(data_[0].at("k0'"), "p+") << moment;
    EXPECT_EQ(shard_->figures().Get("diverged"), 0u) << moment;
  }
}

TEST_F(ShardScanCopyTest, AFlushMeanwhileIsTheSameEverywhere) {
  MakeStaleCopy({{"a", "1"}, {"b", "1"}, {"c", "1"}}, {{"b", "2"}, {"d", "2"}});
  Begin();
  for (int i = 0; i < 6; ++i) Step();
  Ask({"FLUSHALL"});
  Play();
  EXPECT_TRUE(InSync());
  EXPECT_EQ(data_[0], Data{});
  EXPECT_EQ(data_[1], Data{});
}

TEST_F(ShardScanCopyTest, IsNotReadUntilItIsEqual) {
  base_.wait_ms = 100;
  MakeStaleCopy({{"a", "1"}}, {{"a", "old"}});
  Begin();
  for (int i = 0; i < 3; ++i) Step();
  Lose(0, /*refused=*/true);
  Asked* get = Ask({"GET", "a"});
  Pass(200);
  EXPECT_TRUE(get->told.starts_with("-CLUSTERDOWN")) << get->told;
  EXPECT_EQ(Durable().primary, 0u);
}

TEST_F(ShardScanCopyTest, WhatIsHalfCopiedIsNotKnown) {
  base_.on_data_loss = OnDataLoss::kMiss;
  MakeStaleCopy({{"a", "1"}, {"b", "1"}}, {{"a", "old"}, {"b", "old"}});
  Begin();
  for (int i = 0; i < 3; ++i) Step();
  Lose(0, /*refused=*/true);
  for (int i = 0; i < 30; ++i) {
    Pass(100);
    while (Step()) {
    }
    RunEdits();
    if (shard_->link(0)->state() == Link::State::kConnecting) Lose(0, /*refused=*/true);
  }
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(data_[1], Data{});
}

TEST_F(ShardScanCopyTest, ALostConnectionEndsIt) {
  for (uint32_t lost : {0u, 1u}) {
    base_.grace_ms = 5000;
    MakeStaleCopy({{"a", "1"}, {"b", "1"}, {"c", "1"}}, {{"d", "2"}}, /*copies=*/3);
    Begin();
    for (int i = 0; i < 4; ++i) Step();
    Lose(lost);
    Up(lost, lost == 0 ? "r0" : "another");
    Pass(20);
    EXPECT_FALSE(shard_->ports().resync.StatusOfScan(1).running);
    EXPECT_NE(shard_->ports().resync.StatusOfScan(1).end, "");
    EXPECT_TRUE(shard_->ports().resync.WantsResync(1));
    Play();
    EXPECT_FALSE(InSync());
  }
}

TEST_F(ShardScanCopyTest, AnotherPrimaryEndsIt) {
  MakeStaleCopy({{"a", "1"}, {"b", "1"}, {"c", "1"}}, {{"d", "2"}}, /*copies=*/3);
  Begin();
  for (int i = 0; i < 4; ++i) Step();
  Lose(0);
  RunEdits();
  ASSERT_EQ(Durable().primary, 2u);
  Pass(20);
  EXPECT_FALSE(shard_->ports().resync.StatusOfScan(1).running);
  EXPECT_TRUE(shard_->ports().resync.WantsResync(1));
}

TEST_F(ShardScanCopyTest, TellsHowFarItIs) {
  Data primary;
  for (int i = 0; i < 100; ++i) primary["k" + std::to_string(i)] = "v";
  MakeStaleCopy(primary, {});
  Begin();
  while (shard_->ports().resync.StatusOfScan(1).keys < 50) {
    if (!Step()) Pass(10);
  }
  const ScanStatus status = shard_->ports().resync.StatusOfScan(1);
  EXPECT_TRUE(status.running);
  EXPECT_EQ(status.total, 100);
  EXPECT_LT(status.keys, 100u);
}

TEST_F(ShardScanCopyTest, ANodeThatRefusesAWriteOrTheScan) {
  MakeStaleCopy({{"a", "1"}}, {{"d", "2"}});
  Begin();
  Sent(0);
  Sent(1);
  Reply(0, ":1\r\n");
  Pass(10);
  EXPECT_EQ(Sent(1), Command({"SCAN", "0", "COUNT", "256"}));
  Reply(1, "-NOPERM this user has no permissions to run the 'scan' command\r\n");
  EXPECT_NE(shard_->ports().resync.StatusOfScan(1).end.find("SCAN: NOPERM"), std::string::npos);
  EXPECT_TRUE(shard_->ports().resync.WantsResync(1));
}

TEST_F(ShardScanCopyTest, AKeyThatIsTooBigIsLeftUntilItIsSmaller) {
  payload_ = 65u << 20;
  MakeStaleCopy({{"a", "1"}, {"big", "1"}, {"c", "1"}}, {{"big", "2"}, {"d", "2"}});
  Begin();
  Play();
  EXPECT_FALSE(InSync());
  const ScanStatus status = shard_->ports().resync.StatusOfScan(1);
  EXPECT_TRUE(status.running);
  EXPECT_NE(status.stuck.find("\"big\", its DUMP takes 65 MB, more than 64 MB"), std::string::npos)
      << status.stuck;
  EXPECT_EQ(data_[1].at("c"), "1");
  EXPECT_FALSE(data_[1].contains("d"));
  EXPECT_EQ(dumped_["big"], 1);  // and not again and again
  EXPECT_EQ(shard_->ports().resync.StatusOfScan(1).left, 1u);
  Ask({"DEL", "big"});
  for (int i = 0; i < 65; ++i) Play();  // of five seconds each
  EXPECT_TRUE(InSync());
  EXPECT_EQ(data_[0], data_[1]);
}

TEST_F(ShardScanCopyTest, AKeyThatIsKnownToBeTooBigIsNotAskedFor) {
  usage_told_ = true;
  MakeStaleCopy({{"a", "1"}, {"big", "1"}, {"c", "1"}}, {});
  Begin();
  Play();
  EXPECT_FALSE(InSync());
  EXPECT_EQ(dumped_["big"], 0);
  EXPECT_NE(shard_->ports().resync.StatusOfScan(1).stuck.find(
                "\"big\", it takes 257 MB of memory, more than 256 MB"),
            std::string::npos)
      << shard_->ports().resync.StatusOfScan(1).stuck;
  EXPECT_EQ(data_[1].at("c"), "1");
}

TEST_F(ShardScanCopyTest, AKeyThatIsTooBigForTheShortWayMeansAWholeCopyAtOnce) {
  payload_ = 65u << 20;
  MakeUp(2);
  Ask({"SET", "big", "v"});
  Sent(0);
  Sent(1);
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  Up(1, "r1");
  Sent(0);
  EXPECT_FALSE(shard_->ports().resync.WantsResync(1));
  Pass(10);
  ExpectRepair(0, "big");
  Reply(0, "$" + std::to_string(payload_) + "\r\n" + std::string(payload_, 'x') + "\r\n:-1\r\n");
  EXPECT_TRUE(shard_->ports().resync.WantsResync(1));
  EXPECT_NE(notes_.find("key \"big\" cannot be copied to n1 alone"), std::string::npos) << notes_;
}

TEST_F(ShardScanCopyTest, TheKeysOfItsWritesAreBounded) {
  base_.journal_keys = 1;  // the least is taken
  MakeStaleCopy({{"a", "1"}}, {});
  Begin();
  for (int i = 0; i < 70000; ++i) Ask({"SET", "w" + std::to_string(i), "v"}, 2);
  EXPECT_FALSE(shard_->ports().resync.StatusOfScan(1).running);
  EXPECT_NE(shard_->ports().resync.StatusOfScan(1).end.find("journal_keys"), std::string::npos);
}

}  // namespace
}  // namespace gemel::shard_scan_copy_test

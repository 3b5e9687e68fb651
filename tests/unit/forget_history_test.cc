// Keys under rings that change at random: misses, never old values.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/forget_world.h"

namespace gemel::forget_history_test {
namespace {

// One shard among rings that change at random, under clients, kills of the proxy and lost
// connections. The model knows of each key what the client was told last.
class ForgetHistory : public ForgetWorld {
 protected:
  void Run(uint64_t seed) {
    random_.seed(seed);
    written_.clear();
    values_ = 0;
    options_.keys_per_s = Below(2) == 0 ? 0 : 200;
    base_.wait_ms = 100000;
    AddRing(Shards());
    Begin(2, Below(3) == 0 ? Ack::kAny : Ack::kAll);
    for (int step = 0; step < 150; ++step) ASSERT_NO_FATAL_FAILURE(Step());
    rings_ = queue_->current()->rings;
    forget_->set_rate(0);
    Live(300);
    ASSERT_FALSE(forget_->active());
    ExpectOwnKeysOnly();
  }

 private:
  static constexpr uint64_t kKeys = 12;

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Owned(uint64_t key) { return ShardRings(History(), "a").Owned(Key(key)); }
  std::vector<RingShard> Shards() {
    std::vector<RingShard> list = {{"a", static_cast<uint32_t>(1 + Below(2))}};
    if (Below(2) == 0) list.push_back({"b", static_cast<uint32_t>(1 + Below(2))});
    if (Below(3) == 0) list.push_back({"c", 1});
    return list;
  }

  void Step() {
    const uint64_t key = Below(kKeys);
    switch (Below(12)) {
      case 0:
        MoveKeys();
        return;
      case 1:
        if (Below(3) == 0) Restart(2);
        return;
      case 2:
        Live(10 * (1 + Below(10)));
        return;
      case 3:
      case 4:
        if (Owned(key)) Write(key);
        return;
      default:
        if (Owned(key)) Read(key);
    }
  }

  void MoveKeys() {
    rings_ = queue_->current()->rings;
    if (rings_.size() >= 20) return;
    ChangeRing(Shards());
    // Another shard writes what a does not own.
    for (uint64_t key = 0; key < kKeys; ++key) {
      if (!Owned(key)) written_.erase(key);
    }
  }

  // Sent, and the nodes take their time.
  void Write(uint64_t key) {
    const std::string value = "v" + std::to_string(++values_);
    Asked* asked = Ask({"SET", Key(key), value});
    Serve(static_cast<uint32_t>(Below(2)), Below(3));
    forget_->Tick(now_ms_ += 10);
    ServeAll();
    ASSERT_EQ(asked->told, "+OK\r\n");
    written_[key] = value;
  }

  void Read(uint64_t key) {
    const std::string told = Get(key);
    if (told == "$-1\r\n") return;
    ASSERT_TRUE(written_.contains(key)) << "an old value: " << told;
    const std::string& value = written_[key];
    ASSERT_EQ(told, "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n");
  }

  void ExpectOwnKeysOnly() {
    for (const Data& data : data_) {
      for (const auto& [key, value] : data) {
        if (rings_.size() > 1 || Durable().swept > 0) {
          ASSERT_TRUE(Owned(key));
        }
        if (Owned(key)) {
          ASSERT_EQ(written_[key], value);
        }
      }
    }
    ASSERT_EQ(data_[0], data_[1]);
  }

  std::mt19937_64 random_;
  std::map<uint64_t, std::string> written_;  // what may be seen of each key; else misses alone
  uint64_t values_ = 0;
};

TEST_F(ForgetHistory, NoOldValueEscapes) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    rings_.clear();
    swept_ = 0;
    data_.clear();
    pending_.clear();
    ASSERT_NO_FATAL_FAILURE(Run(seed));
  }
}

}  // namespace
}  // namespace gemel::forget_history_test

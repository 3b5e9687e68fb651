// A shard whose nodes answer by themselves, with rings that change. Keys are k0, k1, ...

#ifndef GEMEL_TESTS_UNIT_FORGET_WORLD_H_
#define GEMEL_TESTS_UNIT_FORGET_WORLD_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/forget/forget.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/topology/edit_queue.h"
#include "tests/unit/shard_world.h"

namespace gemel {

class ForgetWorld : public ShardWorld {
 protected:
  using Data = std::map<uint64_t, std::string>;  // k<number> to its value

  ~ForgetWorld() override { forget_.reset(); }

  static std::string Key(uint64_t number) { return "k" + std::to_string(number); }
  static std::vector<RingShard> Alone() { return {{"a", 1}}; }
  static std::vector<RingShard> Both() { return {{"a", 1}, {"b", 1}}; }

  // The ring in effect from now on.
  void AddRing(std::vector<RingShard> shards) {
    const uint64_t id = rings_.empty() ? 1 : rings_.back().id + 1;
    rings_.push_back({id, 16, "{}", std::move(shards)});
  }
  // A key that the rings give to a (true) or not, one by one.
  uint64_t KeyOf(const std::vector<bool>& owned) const {
    for (uint64_t number = 0; number < 100000; ++number) {
      if (used_.contains(number)) continue;
      bool fits = true;
      for (size_t i = 0; i < rings_.size() && fits; ++i) {
        const Ring ring = MakeRing(rings_[i]);
        fits = (rings_[i].shards[ring.Locate(HashKey(Key(number)))].name == "a") == owned[i];
      }
      if (!fits) continue;
      used_.insert(number);
      return number;
    }
    ADD_FAILURE() << "no such key";
    return 0;
  }

  // A life of the proxy, with the rings of the state.
  void Begin(uint32_t copies, Ack ack = Ack::kAll) {
    forget_.reset();
    shard_.reset();
    transports_.clear();
    pending_.clear();
    data_.resize(copies);
    MakeUp(copies, ack);
    forget_ = std::make_unique<Forget>(shard_->ports().forget, this, options_);
    forget_->SetHistory(History(), now_ms_);
    forget_->AllowSweep(now_ms_);
  }
  // The proxy is killed and comes back.
  void Restart(uint32_t copies) {
    rings_ = queue_->current()->rings;
    swept_ = Durable().swept;
    Begin(copies);
  }
  std::shared_ptr<const RingHistory> History() const {
    return std::make_shared<const RingHistory>(rings_);
  }
  void ChangeRing(std::vector<RingShard> shards, bool allow = true) {
    RunEdits();
    rings_ = queue_->current()->rings;
    AddRing(std::move(shards));
    Topology next = *queue_->current();
    next.rings = rings_;
    ++next.epoch;
    queue_ = std::make_unique<EditQueue>(std::make_shared<const Topology>(next));
    forget_->SetHistory(History(), now_ms_);
    if (allow) forget_->AllowSweep(now_ms_);
  }

  // The node answers what was sent to it, at most so many commands. Returns how many.
  size_t Serve(uint32_t copy, size_t most = 1000000) {
    std::string bytes = pending_[copy] + Sent(copy);
    size_t served = 0;
    std::string replies;
    RequestReader reader;
    std::vector<std::string_view> args;
    size_t at = 0;
    while (at < bytes.size() && served < most) {
      EXPECT_EQ(reader.Read(bytes.data() + at, bytes.size() - at, {}, &args),
                RequestReader::Status::kCommand);
      Apply(copy, args, &replies);
      at += reader.consumed();
      ++served;
    }
    pending_[copy] = bytes.substr(at);
    if (!replies.empty()) Reply(copy, replies);
    return served;
  }
  void ServeAll() {
    for (bool some = true; some;) {
      some = false;
      for (uint32_t copy = 0; copy < data_.size(); ++copy) {
        if (shard_->link(copy)->up()) some |= Serve(copy) > 0;
      }
    }
  }
  // Time passes, nodes answer and edits are carried out.
  void Live(uint64_t ms) {
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      now_ms_ += 10;
      shard_->Tick(now_ms_, 0);
      forget_->Tick(now_ms_);
      ServeAll();
      RunEdits();
    }
  }
  std::string Get(uint64_t number, uint32_t session = 1) {
    const std::string key = Key(number);
    Asked* asked = Ask({"GET", key}, session);
    ServeAll();
    return asked->told;
  }
  void Put(uint64_t number, const std::string& value) {
    for (Data& data : data_) data[number] = value;
  }

  ForgetOptions options_;
  std::vector<Data> data_;
  std::map<uint32_t, std::string> pending_;  // sent, not answered yet
  bool refuse_unlink_ = false;
  std::vector<std::string> log_;  // what the nodes were sent, but for SCAN and PING
  std::unique_ptr<Forget> forget_;

 private:
  void Apply(uint32_t copy, const std::vector<std::string_view>& args, std::string* out) {
    Data& data = data_[copy];
    const auto number = [](std::string_view key) {
      return std::stoull(std::string(key.substr(1)));
    };
    std::string line = std::to_string(copy);
    for (const std::string_view arg : args) line += " " + std::string(arg);
    if (args[0] != "SCAN" && args[0] != "PING") log_.push_back(line);
    if (args[0] == "PING") {
      AppendSimple(out, "PONG");
    } else if (args[0] == "SCAN") {
      std::vector<std::string> names;
      auto it = data.lower_bound(std::stoull(std::string(args[1])));
      for (; it != data.end() && names.size() < 3; ++it) names.push_back(Key(it->first));
      AppendArrayHeader(out, 2);
      AppendBulk(out, it == data.end() ? "0" : std::to_string(it->first));
      AppendArrayHeader(out, static_cast<int64_t>(names.size()));
      for (const std::string& name : names) AppendBulk(out, name);
    } else if (args[0] == "UNLINK" && refuse_unlink_) {
      AppendError(out, "MISCONF no writes today");
    } else if (args[0] == "UNLINK") {
      int64_t count = 0;
      for (size_t i = 1; i < args.size(); ++i) count += data.erase(number(args[i]));
      AppendInteger(out, count);
    } else if (args[0] == "SET") {
      data[number(args[1])] = args[2];
      AppendSimple(out, "OK");
    } else if (args[0] == "MSET") {
      for (size_t i = 1; i < args.size(); i += 2) data[number(args[i])] = args[i + 1];
      AppendSimple(out, "OK");
    } else if (args[0] == "MGET") {
      AppendArrayHeader(out, static_cast<int64_t>(args.size() - 1));
      for (size_t i = 1; i < args.size(); ++i) AppendValue(data, number(args[i]), out);
    } else if (args[0] == "GET") {
      AppendValue(data, number(args[1]), out);
    } else {
      AppendError(out, "ERR " + std::string(args[0]));
    }
  }
  static void AppendValue(const Data& data, uint64_t number, std::string* out) {
    const auto it = data.find(number);
    if (it == data.end()) {
      AppendNullBulk(out);
    } else {
      AppendBulk(out, it->second);
    }
  }

  mutable std::set<uint64_t> used_;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_FORGET_WORLD_H_

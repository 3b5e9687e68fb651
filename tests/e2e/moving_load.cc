#include "tests/e2e/moving_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/e2e/wait.h"

namespace gemel::e2e {

MovingLoad::MovingLoad(uint16_t port, Options options) : port_(port), options_(options) {
  for (int thread = 0; thread < options_.threads; ++thread) {
    Keys keys;
    for (int i = 0; i < options_.keys; ++i) {
      const std::string end = ":" + std::to_string(thread) + ":" + std::to_string(i);
      keys.counters.push_back({options_.prefix + "count" + end});
      keys.values.push_back({options_.prefix + "value" + end});
      names_.push_back(keys.counters.back().name);
      names_.push_back(keys.values.back().name);
    }
    keys_.push_back(std::move(keys));
  }
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this, i] { Work(i); });
}

void MovingLoad::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool MovingLoad::WaitForMore(uint64_t requests) const {
  const uint64_t goal = answered_ + requests;
  return Eventually([&] { return answered_ >= goal || HasErrors(); }) && !HasErrors();
}

std::string MovingLoad::Errors() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const std::string& error : errors_) text += error + "\n";
  return text;
}

void MovingLoad::AddError(const std::string& error) {
  const std::lock_guard lock(mutex_);
  errors_.push_back(error);
}

void MovingLoad::AddMiss(const Key& key, const std::string& text) {
  const uint64_t now = generation_;
  const std::lock_guard lock(mutex_);
  misses_.push_back({key.name, key.written, now, text});
}

MovingLoad::Asked MovingLoad::Ask(Client* client, Keys* keys, uint64_t step) {
  const size_t at = step % keys->values.size();
  switch (step % 7) {
    case 0:
    case 1:
      client->Append({"INCR", keys->counters[at].name});
      return {Kind::kIncr, at, 0};
    case 2:
      client->Append({"GET", keys->counters[at].name});
      return {Kind::kGetCount, at, 0};
    case 3: {
      Words words = {"MGET"};
      for (size_t i = 0; i < kMgetKeys; ++i) words.push_back(MgetKey(*keys, at, i).name);
      client->Append(words);
      return {Kind::kMget, at, 0};
    }
    case 4:
      client->Append({"ECHO", std::to_string(step)});
      return {Kind::kEcho, 0, static_cast<int64_t>(step)};
    case 5:
      client->Append({"GET", keys->values[at].name});
      return {Kind::kGet, at, 0};
    default:
      if (step % 5 == 0) {
        client->Append({"DEL", keys->values[at].name});
        return {Kind::kDel, at, 0};
      }
      client->Append({"SET", keys->values[at].name, std::to_string(keys->next)});
      return {Kind::kSet, at, keys->next++};
  }
}

std::string MovingLoad::JudgeValue(const Key& key, const Reply& reply) {
  if (reply.kind == Reply::Kind::kNil) {
    if (key.count != 0) AddMiss(key, "not there, though " + std::to_string(key.count) + " was");
    return {};
  }
  if (key.count != 0 && reply == std::to_string(key.count)) return {};
  return key.name + " is " + reply.Text() + ", expected " +
         (key.count == 0 ? "(nil)" : std::to_string(key.count));
}

std::string MovingLoad::Judge(Keys* keys, const Asked& asked, const Reply& reply, uint64_t sent) {
  const auto wrong = [&](const std::string& name, const std::string& expected) {
    return name + " answered " + reply.Text() + ", expected " + expected;
  };
  switch (asked.kind) {
    case Kind::kIncr: {
      Key& key = keys->counters[asked.at];
      if (reply == ":" + std::to_string(key.count + 1)) {
        ++key.count;
      } else if (reply == ":1") {
        AddMiss(key, "counted from 0, though " + std::to_string(key.count) + " was reached");
        key.count = 1;
      } else {
        return wrong("INCR " + key.name, ":" + std::to_string(key.count + 1));
      }
      key.written = sent;
      return {};
    }
    case Kind::kGetCount:
      return JudgeValue(keys->counters[asked.at], reply);
    case Kind::kGet:
      return JudgeValue(keys->values[asked.at], reply);
    case Kind::kMget: {
      if (reply.items.size() != kMgetKeys) return wrong("MGET", "one item a key");
      for (size_t i = 0; i < kMgetKeys; ++i) {
        const std::string error = JudgeValue(MgetKey(*keys, asked.at, i), reply.items[i]);
        if (!error.empty()) return "MGET: " + error;
      }
      return {};
    }
    case Kind::kSet: {
      Key& key = keys->values[asked.at];
      if (reply != "OK") return wrong("SET " + key.name, "OK");
      key.count = asked.number;
      key.written = sent;
      return {};
    }
    case Kind::kDel: {
      Key& key = keys->values[asked.at];
      if (reply == ":0" && key.count != 0) {
        AddMiss(key, "not there to delete, though " + std::to_string(key.count) + " was");
      } else if (reply != (key.count == 0 ? ":0" : ":1")) {
        return wrong("DEL " + key.name, key.count == 0 ? ":0" : ":1");
      }
      key.count = 0;
      key.written = sent;
      return {};
    }
    case Kind::kEcho:
      break;
  }
  const std::string number = std::to_string(asked.number);
  return reply == number ? std::string() : wrong("ECHO " + number, number);
}

void MovingLoad::Work(int thread) {
  const std::string who = "thread " + std::to_string(thread) + ": ";
  try {
    Client client(port_);
    Keys& keys = keys_[static_cast<size_t>(thread)];
    std::vector<Asked> asked;
    for (uint64_t step = static_cast<uint64_t>(thread); !stop_;) {
      const uint64_t sent = generation_;
      asked.clear();
      for (int i = 0; i < options_.pipeline; ++i) asked.push_back(Ask(&client, &keys, step++));
      for (const Asked& one : asked) {
        const Reply reply = client.Read();
        ++answered_;
        const std::string error = Judge(&keys, one, reply, sent);
        if (!error.empty()) {
          AddError(who + error);
          return;
        }
      }
      LetOthersRun();
    }
  } catch (const std::runtime_error& error) {
    AddError(who + error.what());
  }
}

std::map<std::string, std::string> MovingLoad::Owners() const {
  Client client(port_);
  for (const std::string& name : names_) client.Append({"PROXY", "EXPLAIN", "GET", name});
  std::map<std::string, std::string> owners;
  for (const std::string& name : names_) {
    const Reply reply = client.Read();
    if (reply.items.size() != 1) throw std::runtime_error("PROXY EXPLAIN: " + reply.Text());
    owners[name] = reply.items[0].Field("shard").bytes;
  }
  return owners;
}

void MovingLoad::WhileOwnersChange(const std::function<void()>& change) {
  const std::map<std::string, std::string> before = Owners();
  ++generation_;
  change();
  ++generation_;
  std::map<std::string, std::string> moved;
  for (const auto& [name, owner] : Owners()) {
    if (before.at(name) != owner) moved[name] = before.at(name) + " -> " + owner;
  }
  moved_.push_back(std::move(moved));
}

void MovingLoad::Verify() {
  for (const std::string& error : errors_) ADD_FAILURE() << error;
  if (errors_.empty()) {
    Client client(port_);
    for (Keys& keys : keys_) {
      for (std::vector<Key>* kind : {&keys.counters, &keys.values}) {
        for (const Key& key : *kind) EXPECT_EQ(JudgeValue(key, client("GET", key.name)), "");
      }
    }
  }
  for (const Miss& miss : misses_) {
    // Change k overlaps the time from the write to the miss.
    bool allowed = false;
    for (uint64_t k = miss.written / 2; k < moved_.size() && 2 * k + 1 <= miss.missed; ++k) {
      allowed |= moved_[k].contains(miss.key);
    }
    allowed_ += allowed ? 1 : 0;
    EXPECT_TRUE(allowed) << miss.key << " was " << miss.text
                         << ", and no change gave it to another shard since then (generations "
                         << miss.written << " to " << miss.missed << ")";
  }
}

}  // namespace gemel::e2e

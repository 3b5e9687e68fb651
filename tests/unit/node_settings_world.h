// A shard whose nodes have settings: the world of the tests of NodeSettings.

#ifndef GEMEL_TESTS_UNIT_NODE_SETTINGS_WORLD_H_
#define GEMEL_TESTS_UNIT_NODE_SETTINGS_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/settings/node_settings.h"
#include "backend/shard/server_claims.h"
#include "tests/unit/shard_world.h"

namespace gemel::node_settings_test {

inline constexpr char kEight[] = "8388608";
inline constexpr char kNine[] = "9437184";
inline constexpr char kSixteen[] = "16777216";

struct ModelNode {
  std::string maxmemory = kEight;
  std::string policy = "allkeys-lru";
  std::string events;
  std::string latency;      // empty: it knows no such option
  std::string refuses_get;  // CONFIG GET, with that error
  std::string refuses_set;
  bool answers = true;
  bool keeps = true;  // what it is told
};

class NodeSettingsWorld : public ShardWorld, public ControlPort {
 protected:
  ~NodeSettingsWorld() override { settings_.reset(); }

  void Begin(uint32_t copies = 2) {
    nodes_.resize(std::max<size_t>(nodes_.size(), copies));
    MakeUp(copies);
    NewGemel();
  }
  // One that finds what the last one left.
  void NewGemel() {
    settings_.reset();
    commands_.clear();
    settings_ = std::make_unique<NodeSettings>(shard_->ports().settings, this, this, config_);
  }
  void Turn(uint32_t times = 1) {
    for (; times > 0; --times) {
      shard_->Tick(now_ms_ += 20, 0);
      settings_->Tick(now_ms_);
      for (int i = 0; i < 20; ++i) {
        if (saves_) RunEdits(disk_ok_);
        AnswerAll();
      }
    }
  }
  // Its link is made anew.
  void Back(uint32_t copy, const std::string& run_id) {
    for (int i = 0; i < 200 && shard_->link(copy)->state() == Link::State::kDown; ++i) Turn();
    Up(copy, run_id);
  }
  void Settle() { Turn(60); }  // longer than nodes are left unread
  void AnswerAll() {
    for (size_t left = commands_.size(); left > 0; --left) {
      Asked command = std::move(commands_.front());
      commands_.pop_front();
      if (!nodes_[command.copy].answers) {
        command.done({false, false, "no answer within 2000 ms", ""});
      } else {
        command.done(Answer(&nodes_[command.copy], command.args));
      }
    }
  }
  static ControlReply Refused(const std::string& error) { return {false, true, error, ""}; }
  static ControlReply Said(std::string text) { return {true, false, "", std::move(text)}; }
  ControlReply Answer(ModelNode* node, const std::vector<std::string>& args) {
    if (args[0] == "INFO") {
      return Said("# Memory\r\nused_memory:1\r\nmaxmemory:" + node->maxmemory +
                  "\r\nmaxmemory_policy:" + node->policy + "\r\n");
    }
    EXPECT_EQ(args[0], "CONFIG");
    if (args[1] == "GET") {
      if (!node->refuses_get.empty()) return Refused(node->refuses_get);
      std::string text;
      for (size_t i = 2; i < args.size(); ++i) {
        text += i > 2 ? "\n" : "";
        if (args[i] == "maxmemory") text += "maxmemory\n" + node->maxmemory;
        if (args[i] == "maxmemory-policy") text += "maxmemory-policy\n" + node->policy;
        if (args[i] == "maxmemory*") {
          text += "maxmemory-policy\n" + node->policy + "\nmaxmemory-samples\n5\nmaxmemory\n" +
                  node->maxmemory;
        }
        if (args[i] == "notify-keyspace-events") text += "notify-keyspace-events\n" + node->events;
        if (args[i] == "latency-tracking" && !node->latency.empty()) {
          text += "latency-tracking\n" + node->latency;
        }
      }
      return Said(text);
    }
    if (!node->refuses_set.empty()) return Refused(node->refuses_set);
    sets_ += args[2] + "=" + args[3] + " ";
    if (!node->keeps) return Said("OK");
    (args[2] == "maxmemory"          ? node->maxmemory
     : args[2] == "latency-tracking" ? node->latency
                                     : node->events) = args[3];
    return Said("OK");
  }
  // What was set since it was last looked at.
  std::string Sets() { return std::exchange(sets_, {}); }
  std::string Edits() { return std::exchange(edits_, {}); }
  std::string Notes() { return std::exchange(notes_, {}); }
  std::string Report(uint32_t copy, const std::string& name) {
    for (const auto& [field, value] : settings_->Report(copy)) {
      if (field == name) return value;
    }
    return "(not there)";
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  const std::vector<NodeSetting>& Kept(uint32_t copy) { return Durable().copies[copy].settings; }

  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    ++asked_of_[copy];
    std::string text;
    for (const std::string& arg : args) text += (text.empty() ? "" : " ") + arg;
    told_ += text + "; ";
    commands_.push_back({copy, std::move(args), std::move(done)});
  }

  struct Asked {
    uint32_t copy;
    std::vector<std::string> args;
    ControlDone done;
  };
  ServerClaims* claims() override { return &claims_; }

  ServerClaims claims_;
  RemovalsConfig config_;
  std::vector<ModelNode> nodes_;
  bool saves_ = true;
  bool disk_ok_ = true;
  std::string sets_;
  std::string told_;
  std::map<uint32_t, size_t> asked_of_;
  std::deque<Asked> commands_;
  std::unique_ptr<NodeSettings> settings_;
};

using List = std::vector<NodeSetting>;

}  // namespace gemel::node_settings_test

#endif  // GEMEL_TESTS_UNIT_NODE_SETTINGS_WORLD_H_

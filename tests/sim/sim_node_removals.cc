#include "tests/sim/sim_node_removals.h"

#include <algorithm>
#include <utility>

#include "tests/sim/sim_key_trace.h"

namespace gemel::sim {

namespace {

constexpr const char* kNotify = "notify-keyspace-events";
// Who wants to be told must listen so soon after a node's start, and after a connection is lost.
constexpr uint64_t kListensAgainUs = 1000 * 1000;

// '*' alone is special.
bool Matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*') {
    return !text.empty() && text[0] == pattern[0] && Matches(pattern.substr(1), text.substr(1));
  }
  for (size_t skip = 0; skip <= text.size(); ++skip) {
    if (Matches(pattern.substr(1), text.substr(skip))) return true;
  }
  return false;
}

}  // namespace

NodeRemovals::NodeRemovals(Loop* loop, const Node* node, const std::string& address,
                           const Parts& parts)
    : loop_(loop), node_(node), address_(address), parts_(parts) {
  ReadConfigFile();
}

void NodeRemovals::Begin(RemovalHabits habits, uint64_t seed) {
  habits_ = std::move(habits);
  dice_ = std::make_unique<Loop>(seed);
  parts_.keys->set_clock_ahead_ms(habits_.clock_ahead_ms);
  on_ = true;
  ReadConfigFile();
  Turn();
}

// What CONFIG SET has changed is gone, and nobody listens yet.
void NodeRemovals::ReadConfigFile() {
  const bool evicts = dice_ != nullptr;
  config_ = {{kNotify, habits_.notifies},
             {"maxmemory", evicts ? "1073741824" : "0"},
             {"maxmemory-policy", evicts ? "allkeys-random" : "noeviction"}};
  listened_us_ = loop_->now_us();
}

// Redis's cycle finds some soon, and others later.
void NodeRemovals::Turn() {
  loop_->After(dice_->Between(500, dice_->Chance(50) ? 5000 : 100000), [this] {
    const Condition& condition = *parts_.condition;
    if (on_ && condition.alive() && !condition.hung() && !condition.Loading() &&
        !parts_.replication->is_replica())
      parts_.keys->RemoveExpired();
    Turn();
  });
}

void NodeRemovals::MayEvict(bool write) {
  if (!on_ || !habits_.evictions) return;
  const uint64_t rate = habits_.evictions() / (write ? 1 : 4);
  if (dice_->Random(1000) >= rate) return;
  for (uint64_t more = dice_->Chance(70) ? 1 : dice_->Between(2, 4); more > 0; --more) {
    if (!parts_.keys->EvictOne(dice_.get(), habits_.may_evict)) return;
  }
}

void NodeRemovals::OnStart() {
  ReadConfigFile();
  expired_ = evicted_ = 0;
}

void NodeRemovals::OnRemoved(Gone how, const std::string& key) {
  static constexpr const char* kHow[] = {"(expired)", "(evicted)", "(past)", "(past)"};
  TraceKey(*loop_, address_, {kHow[static_cast<size_t>(how)], key}, "\r");
  Removal& removal = removals_.emplace_back();
  removal.node = node_;
  removal.key = key;
  removal.how = how;
  removal.at_us = loop_->now_us();
  expired_ += how == Gone::kExpired ? 1 : 0;
  evicted_ += how == Gone::kEvicted ? 1 : 0;
  if (parts_.replication->has_replicas()) parts_.replication->Send({{"DEL", key}});
  const std::string& flags = config_[kNotify];
  const auto has = [&](char flag) {
    return flags.find('E') != std::string::npos &&
           (flags.find(flag) != std::string::npos || flags.find('A') != std::string::npos);
  };
  if (how == Gone::kExpired && has('x')) Publish("expired", key, &removal);
  if (how == Gone::kEvicted && has('e')) Publish("evicted", key, &removal);
  if (how == Gone::kPast && has('g')) Publish("del", key, &removal);
  // Nobody is there to be told, nor was of late: that is no excuse.
  const bool by_command = how == Gone::kPast || how == Gone::kUnsaid;
  if (by_command || loop_->now_us() > listened_us_ + kListensAgainUs) {
    removal.told_us = std::min(removal.told_us, removal.at_us);
  }
}

void NodeRemovals::Publish(const std::string& event, const std::string& key, Removal* removal) {
  const std::string channel =
      "__keyevent@" + std::to_string(parts_.keys->DatabaseOf(key)) + "__:" + event;
  for (const ConnectionPtr& connection : parts_.wire->connections()) {
    for (const std::string& pattern : connection->patterns) {
      if (!Matches(pattern, channel)) continue;
      listened_us_ = loop_->now_us();
      parts_.wire->Reply(connection,
                         "*4\r\n" + Bulk("pmessage") + Bulk(pattern) + Bulk(channel) + Bulk(key),
                         [this, removal] {
                           TraceKey(*loop_, address_, {"(told)", removal->key}, "\r");
                           removal->told_us = std::min(removal->told_us, loop_->now_us());
                         });
    }
  }
}

std::string NodeRemovals::Config(const std::vector<std::string>& args) {
  if (habits_.config_refused) {
    return "-NOPERM this user has no permissions to run the 'config|get' command\r\n";
  }
  if (args[1] == "SET") {
    for (size_t i = 2; i + 1 < args.size(); i += 2) config_[args[i]] = args[i + 1];
    return Simple("OK");
  }
  if (args[1] != "GET") return Simple("OK");
  std::string found;
  size_t count = 0;
  for (const auto& option : config_) {
    const bool wanted = std::any_of(args.begin() + 2, args.end(), [&](const std::string& pattern) {
      return Matches(pattern, option.first);
    });
    if (!wanted) continue;
    found += Bulk(option.first) + Bulk(option.second);
    count += 2;
  }
  if (count > 0 || args.size() > 3 || args[2].find('*') != std::string::npos) {
    return "*" + std::to_string(count) + "\r\n" + found;
  }
  return "*2\r\n" + Bulk(args[2]) + Bulk(args[2] == "appendfsync" ? "always" : "no");
}

std::string NodeRemovals::Info() const {
  std::string text = "# Memory\r\nmaxmemory:" + config_.at("maxmemory") + "\r\n";
  text += "maxmemory_policy:" + config_.at("maxmemory-policy") + "\r\n";
  text += "# Stats\r\nexpired_keys:" + std::to_string(expired_) + "\r\n";
  text += "evicted_keys:" + std::to_string(evicted_) + "\r\n";
  return text;
}

}  // namespace gemel::sim

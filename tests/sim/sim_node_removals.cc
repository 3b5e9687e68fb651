// What a node removes by itself, and whom it tells: expiry, eviction, keyspace events.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tests/sim/sim_node.h"

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

void Node::BeginRemovals(RemovalHabits habits, uint64_t seed) {
  habits_ = std::move(habits);
  dice_ = std::make_unique<Loop>(seed);
  keys_.set_clock_ahead_ms(habits_.clock_ahead_ms);
  removes_ = true;
  ReadConfigFile();
  RemovalTurn();
}

// What CONFIG SET has changed is gone, and nobody listens yet.
void Node::ReadConfigFile() {
  const bool evicts = dice_ != nullptr;
  config_ = {{kNotify, habits_.notifies},
             {"maxmemory", evicts ? "1073741824" : "0"},
             {"maxmemory-policy", evicts ? "allkeys-random" : "noeviction"}};
  listened_us_ = loop_->now_us();
}

// Redis's cycle finds some soon, and others later.
void Node::RemovalTurn() {
  loop_->After(dice_->Between(500, dice_->Chance(50) ? 5000 : 100000), [this] {
    if (removes_ && alive_ && !hung_ && !Loading() && master_ == nullptr) keys_.RemoveExpired();
    RemovalTurn();
  });
}

// Before a command is executed.
void Node::MayEvict(bool write) {
  if (!removes_ || in_exec_ || master_ != nullptr || !habits_.evictions) return;
  const uint64_t rate = habits_.evictions() / (write ? 1 : 4);
  if (dice_->Random(1000) >= rate) return;
  for (uint64_t more = dice_->Chance(70) ? 1 : dice_->Between(2, 4); more > 0; --more) {
    if (!keys_.EvictOne(dice_.get(), habits_.may_evict)) return;
  }
}

void Node::TraceKey(const std::vector<std::string>& args, const std::string& reply) const {
  static const char* const kKey = std::getenv("SIM_KEY");
  if (kKey == nullptr || std::find(args.begin(), args.end(), kKey) == args.end()) return;
  std::string text;
  for (const std::string& arg : args) text += " " + arg.substr(0, 200);
  std::printf("%9.3f ms  %s:%s -> %s\n", loop_->now_us() / 1000.0, address_.c_str(), text.c_str(),
              reply.substr(0, reply.find_last_of('\r')).c_str());
}

void Node::OnRemoved(Gone how, const std::string& key) {
  static constexpr const char* kHow[] = {"(expired)", "(evicted)", "(past)", "(past)"};
  TraceKey({kHow[static_cast<size_t>(how)], key}, "\r");
  Removal& removal = removals_.emplace_back();
  removal.node = this;
  removal.key = key;
  removal.how = how;
  removal.at_us = loop_->now_us();
  expired_ += how == Gone::kExpired ? 1 : 0;
  evicted_ += how == Gone::kEvicted ? 1 : 0;
  if (!replicas_.empty()) Replicate({{"DEL", key}});
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

void Node::Publish(const std::string& event, const std::string& key, Removal* removal) {
  const std::string channel = "__keyevent@" + std::to_string(keys_.DatabaseOf(key)) + "__:" + event;
  for (const ConnectionPtr& connection : connections_) {
    for (const std::string& pattern : connection->patterns) {
      if (!Matches(pattern, channel)) continue;
      listened_us_ = loop_->now_us();
      Reply(connection, "*4\r\n" + Bulk("pmessage") + Bulk(pattern) + Bulk(channel) + Bulk(key),
            [this, removal] {
              TraceKey({"(told)", removal->key}, "\r");
              removal->told_us = std::min(removal->told_us, loop_->now_us());
            });
    }
  }
}

std::string Node::AsSubscriber(const ConnectionPtr& connection,
                               const std::vector<std::string>& args) {
  if (Refuses(args[0])) return refusal_;
  if (args[0] == "PING") {
    return "*2\r\n" + Bulk("pong") + Bulk(args.size() > 1 ? args[1] : std::string());
  }
  if (args[0] != "PSUBSCRIBE") {
    return "-ERR Can't execute '" + args[0] +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context\r\n";
  }
  std::string replies;
  for (size_t i = 1; i < args.size(); ++i) {
    connection->patterns.push_back(args[i]);
    replies += "*3\r\n" + Bulk("psubscribe") + Bulk(args[i]) +
               Integer(static_cast<int64_t>(connection->patterns.size()));
  }
  return replies;
}

std::string Node::Config(const std::vector<std::string>& args) {
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

}  // namespace gemel::sim

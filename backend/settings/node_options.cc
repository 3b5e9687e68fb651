#include "backend/settings/node_options.h"

#include <algorithm>
#include <string_view>

#include "backend/settings/event_flags.h"

namespace gemel {

namespace {

constexpr uint64_t kLookMs = 100;
constexpr uint64_t kAgainMs = 1000;

// The same value, in the way in which a node may write it.
bool SameValue(std::string_view name, const std::string& a, const std::string& b) {
  if (name == "notify-keyspace-events") return CanonicalEvents(a) == CanonicalEvents(b);
  return a == b;
}

}  // namespace

NodeOptions::NodeOptions(SettingsPort shard, ControlPort* port, ShardEnv* env,
                         const NodeSettings* settings, const OptionSource* source, bool enabled)
    : shard_(shard),
      port_(port),
      env_(env),
      settings_(settings),
      source_(source),
      enabled_(enabled),
      nodes_(kMaxCopies) {}

void NodeOptions::ForgetCopy(uint32_t copy) {
  const uint64_t round = nodes_[copy].round;
  nodes_[copy] = Node();
  nodes_[copy].round = round + 1;
}

void NodeOptions::Tick(uint64_t now_ms) {
  if (source_ == nullptr || !enabled_ || now_ms < next_ms_) return;
  next_ms_ = now_ms + kLookMs;
  const uint64_t version = source_->version();
  if (version == 0 || source_->changing()) return;
  Options options;
  for (uint32_t copy = 0; copy < shard_.copy_count(); ++copy) {
    if (!shard_.IsMember(copy) || !shard_.IsConnected(copy)) continue;
    Node& node = nodes_[copy];
    const bool done = node.connection == shard_.ConnectionOf(copy) && node.version == version;
    if (done || node.waiting > 0 || now_ms < node.next_ms) continue;
    if (options.empty()) options = source_->Options();
    if (KnowsOwn(copy, options)) Look(copy, options, version);
  }
}

bool NodeOptions::KnowsOwn(uint32_t copy, const Options& options) const {
  return std::all_of(options.begin(), options.end(), [&](const auto& option) {
    return !settings_->Sets(option.first) || settings_->IsKnown(copy);
  });
}

ControlDone NodeOptions::Answer(uint32_t copy, std::function<void(const ControlReply&)> then) {
  Node& node = nodes_[copy];
  ++node.waiting;
  return alive_.Guard([this, copy, round = node.round, connection = shard_.ConnectionOf(copy),
                       version = node.version, then](const ControlReply& reply) {
    Node& asked = nodes_[copy];
    if (asked.round != round) return;
    if (!reply.ok && (!reply.refused || PassesByItself(reply))) {
      asked.failed = true;
    } else {
      then(reply);
    }
    if (--asked.waiting == 0) OnEnd(copy, connection, version);
  });
}

void NodeOptions::Look(uint32_t copy, const Options& options, uint64_t version) {
  Node& node = nodes_[copy];
  node.connection = 0;
  node.version = version;
  node.failed = false;
  if (options.empty()) OnEnd(copy, shard_.ConnectionOf(copy), version);
  for (const auto& option : options) {
    port_->Command(copy, {"CONFIG", "GET", option.first},
                   Answer(copy, [this, copy, option](const ControlReply& reply) {
                     OnValue(copy, option.first, option.second, reply);
                   }));
  }
}

void NodeOptions::OnValue(uint32_t copy, const std::string& name, const std::string& wanted,
                          const ControlReply& reply) {
  if (source_->changing() || source_->version() != nodes_[copy].version) {
    nodes_[copy].failed = true;  // it is looked at again
    return;
  }
  const size_t line = reply.text.find('\n');
  std::string value = line == std::string::npos ? std::string() : reply.text.substr(line + 1);
  if (const std::string* own = settings_->OwnOf(copy, name); own != nullptr) value = *own;
  if (!reply.ok || !SameValue(name, value, wanted)) Set(copy, name, wanted);
}

void NodeOptions::Set(uint32_t copy, const std::string& name, const std::string& value) {
  port_->Command(copy, {"CONFIG", "SET", name, value},
                 Answer(copy, [this, copy, name, value](const ControlReply& reply) {
                   Node& node = nodes_[copy];
                   std::string text = "shard '" + shard_.name() + "': node " + shard_.NameOf(copy);
                   text += reply.ok ? " has " + name + " '" + value + "', as a client set it"
                                    : " does not take " + name + " '" + value +
                                          "', which a client has set: " + reply.error;
                   if (text == node.said) return;
                   if (!reply.ok) node.said = text;
                   env_->Note(reply.ok ? NoteLevel::kInfo : NoteLevel::kWarn, text);
                 }));
}

void NodeOptions::OnEnd(uint32_t copy, uint64_t connection, uint64_t version) {
  Node& node = nodes_[copy];
  if (node.failed) {
    node.next_ms = env_->NowMs() + kAgainMs;
    return;
  }
  node.connection = connection;
  node.version = version;
}

}  // namespace gemel

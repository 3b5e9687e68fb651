// Reads from each node of a shard what its memory and its notifications are set to, and sets what
// lacks: notify-keyspace-events, so that it tells of keys that it expires and evicts; maxmemory, so
// that the primary evicts first (limit_plan.h); and latency-tracking where memory is short.
//
// What the nodes had of their own is durable before anything is changed (EditKind::kKeepSettings),
// and they get it back when they leave the shard or the options are turned off. If gemel dies they
// keep what they have.
//
// Logic only, on the shard's thread.

#ifndef GEMEL_BACKEND_SETTINGS_NODE_SETTINGS_H_
#define GEMEL_BACKEND_SETTINGS_NODE_SETTINGS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/settings/limit_plan.h"
#include "backend/settings/seen_setting.h"
#include "backend/shard/shard_ports.h"
#include "config/config.h"

namespace gemel {

class NodeSettings {
 public:
  using Command = std::vector<std::string>;

  // All must outlive it.
  NodeSettings(SettingsPort shard, ControlPort* port, ShardEnv* env, const RemovalsConfig& config);

  void set_config(const RemovalsConfig& config) { config_ = config; }
  // Time passes; to be called every 10 to 100 ms.
  void Tick(uint64_t now_ms);
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy);
  // The copy leaves the shard, or the shard is given up: what gives its node back what it had of
  // its own. Says so. ForgetCopy follows, or the end.
  std::vector<Command> TakeBack(uint32_t copy);

  // Some node is being asked for the first time on its connection, or changed.
  bool working() const;

  // --- what is known of a node on its present connection ---
  bool IsKnown(uint32_t copy) const;
  // 0: it is not known to tell of what it expires and evicts. Else a number, that is another one
  // after any time in which it may not have done so.
  uint64_t NotifyingSince(uint32_t copy) const;
  bool Notifies(uint32_t copy) const { return NotifyingSince(copy) != 0; }
  // An option that is set here, and what the node has of its own; null: not known, or another
  // option.
  bool Sets(std::string_view name) const;
  const std::string* OwnOf(uint32_t copy, std::string_view name) const;
  // It refuses writes when its memory is full, and it may be.
  bool RefusesWhenFull(uint32_t copy) const;
  // It evicts by how keys are used (a policy *lru or *lfu), and has a limit.
  bool EvictsByUse(uint32_t copy) const;

  // What PROXY SHARDS says of the node: names and values.
  std::vector<std::pair<std::string, std::string>> Report(uint32_t copy) const;

 private:
  struct Seen {
    uint64_t connection = 0;  // that was read last as a whole
    uint64_t round = 0;       // of what is asked: answers to an earlier one are not heard
    uint64_t next_ms = 0;     // when it is asked again
    uint32_t waiting = 0;     // answers still to come
    bool failed = false;      // some did not come, or not yet
    bool up = false;
    std::string maxmemory;  // as read, before all is there
    std::optional<std::string> events;
    std::string latency_tracking;
    std::string policy;
    std::string unreadable;  // why CONFIG GET is refused
    uint64_t notifying = 0;
    SeenSetting limit;
    SeenSetting flags;
    SeenSetting latency;
    std::optional<uint64_t> counted;      // its own limit, see Count
    std::optional<uint64_t> read_before;  // the same, if it was in sync then
    uint64_t read_since_ms = 0;           // since then each time
    std::vector<NodeSetting> kept;        // what is durable
    std::string said;                     // what was said of it last

    Seen();
  };

  void Read(uint32_t copy);
  void OnOptions(uint32_t copy, const ControlReply& reply);
  void OnMemoryInfo(uint32_t copy, const ControlReply& reply);
  void OnRead(uint32_t copy, uint64_t connection);
  void Take(uint32_t copy, SeenSetting* setting, const std::string& now);
  void Count(uint32_t copy);
  ControlDone Answer(uint32_t copy, void (NodeSettings::*then)(uint32_t, const ControlReply&));

  void Plan();
  bool IsShared() const;
  MemoryView View() const;
  void Work(uint32_t copy);
  void Keep(uint32_t copy, std::vector<NodeSetting> settings);
  void Set(uint32_t copy, SeenSetting Seen::*setting);
  void OnSet(uint32_t copy, SeenSetting Seen::*setting, const std::string& value,
             const ControlReply& reply);
  std::vector<NodeSetting> ToKeep(const Seen& seen) const;

  std::string Why(uint32_t copy, const SeenSetting& setting) const;
  std::string Problem(uint32_t copy) const;
  std::string EventsProblem(const Seen& seen) const;
  std::string LimitProblem(uint32_t copy) const;
  void Note(NoteLevel level, uint32_t copy, const std::string& text);

  SettingsPort shard_;
  ControlPort* port_;
  ShardEnv* env_;
  RemovalsConfig config_;
  uint64_t next_ms_ = 0;
  uint32_t primary_ = 0;    // at the last Tick
  uint64_t notifying_ = 0;  // the last number given
  bool wanted_ = false;     // SettingsPort::wants_removals, likewise
  LimitPlan plan_;
  bool shared_ = false;     // see IsShared
  std::vector<Seen> seen_;  // by copy
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_NODE_SETTINGS_H_

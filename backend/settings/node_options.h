// Sets on each node that connects what clients have set on all nodes (option_source.h), where it
// has another value: it restarted, is new, or was away then.

#ifndef GEMEL_BACKEND_SETTINGS_NODE_OPTIONS_H_
#define GEMEL_BACKEND_SETTINGS_NODE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/settings/node_settings.h"
#include "backend/settings/option_source.h"
#include "backend/shard/shard_ports.h"

namespace gemel {

// Logic only, on the shard's thread.
class NodeOptions {
 public:
  // All must outlive it; `source` may be null. `settings` knows the own values of what gemel sets
  // for itself.
  NodeOptions(SettingsPort shard, ControlPort* port, ShardEnv* env, const NodeSettings* settings,
              const OptionSource* source, bool enabled);

  void set_enabled(bool enabled) { enabled_ = enabled; }
  // Time passes; to be called every 10 to 100 ms.
  void Tick(uint64_t now_ms);
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy);

 private:
  using Options = std::vector<std::pair<std::string, std::string>>;
  struct Node {
    uint64_t connection = 0;  // on which it has all of that version
    uint64_t version = 0;
    uint64_t round = 0;  // answers to an earlier one are not heard
    uint64_t next_ms = 0;
    uint32_t waiting = 0;  // answers that are to come
    bool failed = false;
    std::string said;  // of what it refuses
  };

  // Has the own values of all that gemel sets as well.
  bool KnowsOwn(uint32_t copy, const Options& options) const;
  void Look(uint32_t copy, const Options& options, uint64_t version);
  void OnValue(uint32_t copy, const std::string& name, const std::string& wanted,
               const ControlReply& reply);
  void Set(uint32_t copy, const std::string& name, const std::string& value);
  void OnEnd(uint32_t copy, uint64_t connection, uint64_t version);
  ControlDone Answer(uint32_t copy, std::function<void(const ControlReply&)> then);

  SettingsPort shard_;
  ControlPort* port_;
  ShardEnv* env_;
  const NodeSettings* settings_;
  const OptionSource* source_;
  bool enabled_;
  uint64_t next_ms_ = 0;
  std::vector<Node> nodes_;  // by copy
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_NODE_OPTIONS_H_

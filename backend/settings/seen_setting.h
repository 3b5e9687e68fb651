// One setting of one node: what is there, what of that is the node's own, and what should be there.

#ifndef GEMEL_BACKEND_SETTINGS_SEEN_SETTING_H_
#define GEMEL_BACKEND_SETTINGS_SEEN_SETTING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/topology/topology.h"

namespace gemel {

class SeenSetting {
 public:
  using Same = bool (*)(std::string_view, std::string_view);
  // `name`: Redis's. `same`: whether two values mean the same.
  SeenSetting(std::string_view name, Same same) : name_(name), same_(same) {}

  const std::string& name() const { return name_; }
  // Something was read, and it is known what the node's own value is.
  bool known() const { return known_; }
  const std::string& now() const { return now_; }
  const std::string& own() const { return own_; }

  // The node says that it has `now`. `kept` is what is durable of this setting, or null. What gemel
  // set is not the node's own; anything else is: an operator's word, or a restart's. True if the
  // own value is another than before.
  bool Take(std::string now, const NodeSetting* kept);
  // Nothing is known of it any more.
  void Forget();

  // What it should be; nothing: as it is.
  void set_want(std::optional<std::string> want) { want_ = std::move(want); }
  const std::optional<std::string>& want() const { return want_; }
  // It must be set, once ToKeep is durable.
  bool MustSet() const { return known_ && want_ && !same_(now_, *want_); }
  // It should be as without gemel.
  bool WantsOwn() const { return known_ && want_ && same_(own_, *want_); }
  // What must be durable before it is set; nothing: nothing of it.
  std::optional<NodeSetting> ToKeep(const NodeSetting* kept) const;

  // --- how often it may be set ---
  // A value that somebody else changes again and again is set less and less often.
  bool MaySet(uint64_t now_ms) const;
  // CONFIG SET was answered. `refused`: with that error; empty: it was set.
  void OnSet(std::string refused, uint64_t now_ms);
  // Why the node refuses to set it; empty: it does not, or was not asked.
  const std::string& refused() const { return refused_; }

 private:
  std::string name_;
  Same same_;
  bool known_ = false;
  std::string now_;
  std::string own_;
  std::string seen_set_;  // what gemel set, and was there
  std::optional<std::string> want_;
  std::string last_set_;  // or tried
  std::string refused_;
  uint64_t set_ms_ = 0;   // when it was set last, or was refused
  uint64_t wait_ms_ = 0;  // from then to the next time
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_SEEN_SETTING_H_

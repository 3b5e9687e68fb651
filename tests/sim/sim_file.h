// The config file of a run: what is in effect of it, what it says now, and what an operator may
// make of it next.

#ifndef GEMEL_TESTS_SIM_SIM_FILE_H_
#define GEMEL_TESTS_SIM_SIM_FILE_H_

#include <cstdint>
#include <vector>

#include "tests/sim/sim_scene.h"

namespace gemel::sim {

class ConfigFile {
 public:
  explicit ConfigFile(Scene* scene);

  // In a run that is to go without them.
  void HaveNoAudits();
  const ProxyOptions& in_effect() const { return in_effect_; }
  // Something else, as anybody might write it; or what was in effect before, if that is `reverse`d,
  // and then *back.
  ProxyOptions Next(bool reverse, bool* back);
  // A shard that is not in effect has a node with which something is wrong just now.
  bool AddsAShardThatIsNotWell(const ProxyOptions& next) const;
  // That is what it says from now on; it took effect: whether the ring is another; it was refused.
  void Write(const ProxyOptions& next) { wanted_ = next; }
  bool OnTakenEffect(const ProxyOptions& next);
  void OnRefused();
  // Reloads that took effect.
  uint64_t changes() const { return changes_; }

  // The proxy is started: it may have been written before the end of the last life or after it.
  void ChooseAtStart();
  // A copy that a change may take out of its shard at any moment: nobody may count on it.
  bool Leaves(size_t node) const;

 private:
  ProxyOptions Changed(const ProxyOptions& from);
  void ChangeOptions(ProxyOptions* config);
  void ChangeNodes(ProxyOptions* config);
  void ChangeRing(ProxyOptions* config);
  void AddShard(ProxyOptions* config);
  std::vector<Node*> FreeNodes(const ProxyOptions& config) const;
  bool CanStart(const ProxyOptions& config) const;
  bool DropsTheLast(const ProxyOptions& config) const;
  void PutBackWhatHasTheData();

  Scene* scene_;
  ProxyOptions in_effect_;
  ProxyOptions wanted_;  // what it says: in effect, on its way, or refused
  ProxyOptions before_;  // what was in effect before that
  uint64_t changes_ = 0;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_FILE_H_

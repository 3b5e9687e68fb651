// The scripts and functions among the writes that one copy executes first: how far each may go, and
// which are known to change keys that they did not declare.

#ifndef GEMEL_BACKEND_SHARD_FIRST_SCRIPTS_H_
#define GEMEL_BACKEND_SHARD_FIRST_SCRIPTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/command/script_guard.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/known_scripts.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/state_copy.h"

namespace gemel {

// Logic only, the shard's thread. `frame`: the write's, after Find with that row.
class FirstScripts {
 public:
  explicit FirstScripts(ShardParts* parts) : parts_(parts) {}

  static bool AreIn(const FrameKeys& frame, const CommandRow& row);
  // It has none, or they can be confined on that copy.
  bool MayRun(const FrameKeys& frame, const CommandRow& row, uint32_t copy) const;
  // What they may change beside their keys.
  ScriptScope Scope() const;
  // It has one that may change such keys, and so must run alone.
  bool MustBeAlone(const FrameKeys& frame, const CommandRow& row) const;
  // A copy that has all that was sent before, from which the keys on `copy` can be made what they
  // were; or StateCopy::kNoCopy.
  uint32_t Witness(uint32_t copy) const;
  // What the first copy is sent in place of the frame; empty: that. scripts(): those of it that
  // `scope` lets change other keys.
  std::string Confined(const FrameKeys& frame, const CommandRow& row, const ScriptScope& scope);
  std::vector<StateCopy::Script>& scripts() { return scripts_; }
  // One of them was stopped: they are known from here on.
  void OnStopped(const FrameKeys& frame, const CommandRow& row);

 private:
  ShardParts* parts_;
  std::vector<StateCopy::Script> scripts_;
  KnownScripts known_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_FIRST_SCRIPTS_H_

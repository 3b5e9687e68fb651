#include "backend/shard/first_scripts.h"

#include "backend/command/block.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/refusals.h"
#include "backend/shard/shard_roles.h"

namespace gemel {

namespace {

// A script, or a call of a function.
bool MayChangeOthers(const FrameKeys::Command& command) {
  return command.row != nullptr && command.row->arg_rule == ArgRule::kScript;
}

// As the first copy is sent it.
std::string ConfinedTo(const ScriptScope& scope, const FrameKeys::Command& command) {
  if (command.row->script == ScriptRule::kFunction) return ConfineCallTo(scope, command.args);
  if (!IsConfined(command.args[1])) return ConfineScriptTo(scope, command.args);
  const std::string script = WithoutConfinement(command.args[1]);
  std::vector<std::string_view> args(command.args.begin(), command.args.end());
  args[1] = script;
  return ConfineScriptTo(scope, args);
}

// By what such a one is known again.
std::string KnownAs(const FrameKeys::Command& command) {
  const std::string_view code = command.args[1];
  return IsConfined(code) ? WithoutConfinement(code) : std::string(code);
}

bool IsKnown(const KnownScripts& known, const FrameKeys::Command& command) {
  const std::string_view code = command.args[1];
  return IsConfined(code) ? known.Has(KnownAs(command)) : known.Has(code);
}

}  // namespace

bool FirstScripts::MayRun(const FrameKeys& frame, const CommandRow& row, uint32_t copy) const {
  return CanConfine(parts_->copies->link(copy).identity().dump_version) || !AreIn(frame, row);
}

bool FirstScripts::AreIn(const FrameKeys& frame, const CommandRow& row) {
  bool confines = false;
  frame.ForEachCommand(
      &row, 0, [&](const FrameKeys::Command& command) { confines |= MayChangeOthers(command); });
  return confines;
}

// While the shard may still have keys that were another's it is not known which it may change.
ScriptScope FirstScripts::Scope() const {
  ScriptScope scope;
  if (parts_->hold->has_gate()) return scope;
  const ShardOptions& options = parts_->options;
  scope.others = options.has_all_keys ? ScriptScope::Others::kAll : ScriptScope::Others::kSameTag;
  scope.hash_tag = options.hash_tag;
  return scope;
}

uint32_t FirstScripts::Witness(uint32_t copy) const {
  const Copies& copies = *parts_->copies;
  for (uint32_t other = 0; other < copies.count(); ++other) {
    if (other != copy && copies.Serves(other) && copies.link(other).up() &&
        !CannotRead(copies.link(copy).identity(), copies.link(other).identity())) {
      return other;
    }
  }
  return StateCopy::kNoCopy;
}

bool FirstScripts::MustBeAlone(const FrameKeys& frame, const CommandRow& row) const {
  if (!AreIn(frame, row) || Scope().others == ScriptScope::Others::kNone) return false;
  if (Witness(parts_->copies->primary()) == StateCopy::kNoCopy) return true;
  if (known_.empty()) return false;
  bool known = false;
  frame.ForEachCommand(&row, 0, [&](const FrameKeys::Command& command) {
    known |= MayChangeOthers(command) && IsKnown(known_, command);
  });
  return known;
}

std::string FirstScripts::Confined(const FrameKeys& frame, const CommandRow& row,
                                   const ScriptScope& scope) {
  scripts_.clear();
  if (!AreIn(frame, row)) return {};
  std::string block;
  size_t index = 0;
  frame.ForEachCommand(&row, 0, [&](const FrameKeys::Command& command) {
    if (MayChangeOthers(command)) {
      block += ConfinedTo(scope, command);
      if (scope.others != ScriptScope::Others::kNone) {
        scripts_.push_back({index, command.database});
      }
    } else {
      AppendCommand(&block, command.args);
    }
    ++index;
  });
  return frame.is_block() ? std::string(kMultiFrame).append(block).append(kExecFrame) : block;
}

void FirstScripts::OnStopped(const FrameKeys& frame, const CommandRow& row) {
  frame.ForEachCommand(&row, 0, [&](const FrameKeys::Command& command) {
    if (MayChangeOthers(command)) known_.Add(KnownAs(command));
  });
}

}  // namespace gemel

// What the parts of a shard know of each other. Each part owns its state and nobody else touches
// it; they meet by their public methods, through the pointers here. Shard makes them all.

#ifndef GEMEL_BACKEND_SHARD_SHARD_PARTS_H_
#define GEMEL_BACKEND_SHARD_SHARD_PARTS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "backend/bytes/chunk.h"
#include "backend/figures/figures.h"
#include "backend/shard/op.h"
#include "backend/shard/shard_env.h"
#include "backend/shard/shard_notes.h"
#include "backend/shard/shard_options.h"

namespace gemel {

class Aside;
class Audience;
class BlockedClients;
class CommandTable;
class Comparison;
class Copies;
class FirstWrites;
class Hedger;
class Hold;
class Journals;
class KeySample;
class Libraries;
class LossWatch;
class NodeWatch;
class ReadPath;
class Removals;
class ReplicatedWrites;
class ScanCopies;
class ShardControl;
class RoleEdits;
class ShardRoles;
class TrackedKeys;
class Watches;
class WayBack;
class WritePath;

// The shard as its parts see it.
class ShardCenter {
 public:
  virtual ~ShardCenter() = default;
  // Something has changed on which it depends what can be sent: what waits is looked at again.
  virtual void Refresh() = 0;
  // Nothing takes the short way until the next Refresh.
  virtual void LeaveShortWay() = 0;
};

// What they are given.
struct ShardGiven {
  ShardOptions options;
  const CommandTable* table = nullptr;
  ChunkPool* pool = nullptr;
  ShardEnv* env = nullptr;
  Figures* figures = nullptr;
  OpPool* ops = nullptr;  // of all parts
  ShardNotes notes;
  ShardCenter* shard = nullptr;
  std::string cut;  // why all that was in flight was cut off (departure.h); empty: it was not

  // "shard 'NAME': ", with which every line for the log begins.
  std::string Prefix() const { return "shard '" + options.name + "': "; }
  void Note(NoteLevel level, const std::string& text) const { env->Note(level, Prefix() + text); }
  void NoteRole(NoteLevel level, const std::string& text) const {
    env->NoteRole(level, Prefix() + text);
  }
};

struct ShardParts : ShardGiven {
  Copies* copies = nullptr;
  NodeWatch* nodes = nullptr;
  Journals* journals = nullptr;
  ScanCopies* scans = nullptr;
  WayBack* way_back = nullptr;
  Removals* removals = nullptr;
  ReplicatedWrites* replicated = nullptr;
  ShardRoles* roles = nullptr;
  RoleEdits* edits = nullptr;
  LossWatch* loss = nullptr;
  WritePath* writes = nullptr;
  FirstWrites* first = nullptr;
  ReadPath* reads = nullptr;
  Hedger* hedger = nullptr;
  Aside* aside = nullptr;
  Hold* hold = nullptr;
  Comparison* comparison = nullptr;
  ShardControl* control = nullptr;
  Watches* watches = nullptr;
  TrackedKeys* tracked = nullptr;
  BlockedClients* blocked = nullptr;
  Audience* audience = nullptr;
  Libraries* libraries = nullptr;
  KeySample* sample = nullptr;
};

// Calls visit(index) for each copy of a mask, the lowest first.
template <typename Visit>
inline void ForEachCopy(CopyMask copies, Visit visit) {
  for (; copies != 0; copies &= copies - 1) {
    visit(static_cast<uint32_t>(__builtin_ctz(copies)));
  }
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_PARTS_H_

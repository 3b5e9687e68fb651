// The kinds of edits as a table: one row says all of a kind.

#ifndef GEMEL_BACKEND_TOPOLOGY_EDIT_ROWS_H_
#define GEMEL_BACKEND_TOPOLOGY_EDIT_ROWS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/topology/edit.h"

namespace gemel::topology_parts {

struct EditTarget {
  Topology* topology;
  ShardInfo* shard = nullptr;  // null for an edit of no known shard
  CopyInfo* copy = nullptr;    // null but for an edit of a copy
  uint32_t index = 0;          // of the copy

  bool is_primary() const { return index == shard->primary; }
  bool stale() const { return copy->state == CopyState::kStale; }
};

struct EditRow {
  // What must be there before `apply` is asked.
  enum class Of : uint8_t { kTopology, kShard, kCopy };

  EditKind kind;
  std::string_view name;   // for logs
  std::string_view saved;  // in an encoded edit: never changed
  Of of;
  // True, or false with *error and the target as it was. Raises the epoch of the shard if its
  // roles, states or members change. That of the topology is raised by ApplyTo.
  bool (*apply)(const EditTarget& target, const Edit& edit, std::string* error);
};

const EditRow& RowOf(EditKind kind);
// Null: no kind is saved by that name.
const EditRow* RowOfSaved(std::string_view saved);

}  // namespace gemel::topology_parts

#endif  // GEMEL_BACKEND_TOPOLOGY_EDIT_ROWS_H_

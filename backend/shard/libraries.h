// Gives the nodes the libraries of functions that clients have loaded: each whenever its link comes
// up, before anything else, and all when something has changed. What calls a function is sent on
// the same link behind it, or waits for what is in line there (SideReads). On a node that is
// copied whole from another they come with the data.

#ifndef GEMEL_BACKEND_SHARD_LIBRARIES_H_
#define GEMEL_BACKEND_SHARD_LIBRARIES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/copies.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class Libraries {
 public:
  explicit Libraries(ShardParts* parts) : parts_(parts) {}

  // The copy's node may have any.
  void OnUp(uint32_t copy);
  // There are others than before: every node gets them that is up.
  void OnChange();
  // Every node gets this command, whatever it answers.
  void Tell(std::string_view frame);
  // What was refused for the moment is tried again.
  void Tick(uint64_t now_ms);

  // Its item has come back.
  void OnReply(uint32_t copy, std::string_view reply, uint64_t now_ms);

 private:
  struct Node {
    uint64_t given = 0;     // the version
    uint64_t again_ms = 0;  // 0: all was taken, or is in line
  };

  void Bring(uint32_t copy);

  ShardParts* parts_;
  Node nodes_[kMaxCopies];
  bool refused_ = false;                     // some node did
  LinkItem item_{LinkItem::Kind::kLibrary};  // in as many lines as it is sent to
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_LIBRARIES_H_

// What the nodes of all shards of the process can do, as they said when they were last connected:
// what a client may ask for depends on it. Any thread.

#ifndef GEMEL_BACKEND_SHARD_NODE_ABILITIES_H_
#define GEMEL_BACKEND_SHARD_NODE_ABILITIES_H_

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "backend/shard/server_claims.h"

namespace gemel {

class NodeAbilities {
 public:
  struct Abilities {
    bool speaks_resp3 = false;
    bool has_databases = false;     // all that clients may choose from
    bool takes_blocks = false;      // transactions
    bool confines_scripts = false;  // a script there cannot get around what is put before it
  };
  // A node is connected.
  void Note(const ServerUser& node, const Abilities& abilities);
  // It is no member of its shard any more, or the shard is gone.
  void Forget(const ServerUser& node);
  void ForgetShard(std::string_view shard);

  // A node that speaks RESP2 alone, if there is one. Those that were never connected are hoped to
  // be of today.
  std::optional<ServerUser> WithoutResp3() const;
  // Likewise, one of fewer databases.
  std::optional<ServerUser> WithoutDatabases() const;
  // Likewise, one that takes no transactions.
  std::optional<ServerUser> WithoutBlocks() const;
  // Likewise, one whose scripts cannot be confined.
  std::optional<ServerUser> WithoutConfinement() const;

 private:
  void Count();
  std::optional<ServerUser> Without(bool Abilities::*what) const;

  mutable std::mutex mutex_;  // guards what follows
  std::map<ServerUser, Abilities> nodes_;
  std::atomic<bool> all_can_all_{true};  // of it
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_NODE_ABILITIES_H_

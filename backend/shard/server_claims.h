// Which server every copy of every shard of the process is, whatever it is called: one database of
// one server can belong to one shard only, or each would delete the other's keys.
//
// A claim stands until the node leaves its shard, or turns out to be another process; also while
// its connection is down, for its data is still there. Any thread.

#ifndef GEMEL_BACKEND_SHARD_SERVER_CLAIMS_H_
#define GEMEL_BACKEND_SHARD_SERVER_CLAIMS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gemel {

struct ServerUser {
  std::string shard;
  std::string node;  // the name that this shard knows it by

  auto operator<=>(const ServerUser&) const = default;
};

class ServerClaims {
 public:
  // A node turned out to be that process. Nothing if no other shard has this database of it: it is
  // this user's from now on, and what its node was before is free. Else who has it, and nothing
  // changes.
  std::optional<ServerUser> Claim(const ServerUser& user, std::string_view process,
                                  uint32_t database);
  // The node is no member of the shard any more.
  void Release(const ServerUser& user);
  // The shard is gone.
  void ReleaseShard(std::string_view shard);
  // Who of another shard than that one has it.
  std::optional<ServerUser> HolderOf(std::string_view process, uint32_t database,
                                     std::string_view but_shard) const;
  // Several shards have a database each of that process.
  bool IsShared(std::string_view process) const;

 private:
  void Forget(std::string_view process);

  using Server = std::pair<std::string, uint32_t>;  // run_id, database

  mutable std::mutex mutex_;
  std::map<ServerUser, Server> claims_;
  std::map<std::string, uint32_t, std::less<>> users_;  // of each process, how many
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SERVER_CLAIMS_H_

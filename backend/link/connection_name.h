// What a gemel calls its connections to a node (CLIENT SETNAME), by which others know it there.
//
// A name is "gemel:<shard>;<id>;<state>;<machine>;<pid>.<since>;<start>;<host>;<listen>", or begins
// with "gemel?:" while that gemel has not decided yet whether it may serve. In a fleet
// ";<fleet>;<owner epoch>;<member>" follows. Those of further connections end with ":side" or the
// like.

#ifndef GEMEL_BACKEND_LINK_CONNECTION_NAME_H_
#define GEMEL_BACKEND_LINK_CONNECTION_NAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/link/shard_turn.h"

namespace gemel {

// One life of a gemel, as its connections tell it.
struct ProxyInstance {
  std::string id;       // random, of this life
  std::string state;    // of its state folder, which one gemel at a time can hold
  std::string machine;  // where its pid means something
  uint64_t pid = 0;
  uint64_t pid_since = 0;  // which of those that had this pid
  uint64_t started_s = 0;  // Unix time
  std::string host;
  std::string listen;
  std::string fleet_id = {};  // empty: it is of none
  std::string member = {};    // what the fleet calls it

  bool operator==(const ProxyInstance&) const = default;
};

// What a connection for that shard is called. `turn`: of the shard; without a fleet: none.
std::string ConnectionName(const ProxyInstance& self, std::string_view shard, bool serves,
                           const ShardTurn& turn = {});

// What a name tells. Its texts are as CLIENT SETNAME takes them: cut, without spaces.
struct NamedConnection {
  ProxyInstance proxy;
  std::string shard;
  ShardTurn turn;
  bool serves = false;  // else it has not decided yet
};
// Nothing if it is not the name of a gemel's connection.
std::optional<NamedConnection> ParseConnectionName(std::string_view name);

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_CONNECTION_NAME_H_

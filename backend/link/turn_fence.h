// Before an owner of a shard writes to a node, nothing of an earlier owner may be left there: its
// connections hold commands that the node has not read yet. A connection names itself first and
// looks at all names second, as every other does; so of two turns' connections the later one's look
// sees the earlier one's name, or the earlier one sees that it is over.

#ifndef GEMEL_BACKEND_LINK_TURN_FENCE_H_
#define GEMEL_BACKEND_LINK_TURN_FENCE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/link/connection_name.h"
#include "backend/link/other_proxies.h"

namespace gemel {

// Logic only, of one connection that may write. Whoever has the connection sends its name, then
// what AsksPermission says, then CLIENT LIST, and nothing else before the fence is settled.
class TurnFence {
 public:
  // What is to be done after a look.
  struct Verdict {
    // The connection is not to be used: a sentence without a full stop.
    std::string why = {};
    // Otherwise: connections to be ended (CLIENT KILL ID), after which all are to be looked at
    // again, for a node may close them a moment later. None: settled.
    std::vector<std::string> kills = {};
  };

  // A connection of that name was made.
  void Begin(std::string_view client_name);
  // There is a fleet. Otherwise nothing is to be asked.
  bool active() const { return self_.has_value(); }
  // A command that does nothing, for the answer whether the user may end connections at all: better
  // known now than when an owner has died.
  static std::vector<std::string_view> AsksPermission();
  // The answer to a CLIENT command. Returns why the connection is not to be used, or nothing.
  // `command`: for the sentence.
  static std::string OnAnswer(std::string_view command, bool is_error, std::string_view text);
  // The text of CLIENT LIST; `database`: the shard's. Tells `others` of a later turn that another
  // process has.
  Verdict OnList(std::string_view client_list, uint32_t database, OtherProxies* others);

 private:
  // The connections to the node of one process for one turn of a shard.
  struct Seen {
    SeenProxy by;
    std::string shard;
    ShardTurn turn;
    bool at_database = false;
  };
  std::vector<Seen> SeenIn(std::string_view client_list, uint32_t database) const;
  // Whether it is to be ended. *why: this connection is not to be used.
  bool Ends(const Seen& seen, OtherProxies* others, std::string* why) const;

  std::optional<NamedConnection> self_;
  uint32_t rounds_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_TURN_FENCE_H_

// What a client's user may not do, in Redis's words.

#ifndef GEMEL_PROXY_SESSION_RIGHTS_H_
#define GEMEL_PROXY_SESSION_RIGHTS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/acl/acl_users.h"
#include "backend/command/command_table.h"

namespace gemel {

class Session;
struct SessionContext;
struct SessionState;

// What is refused of a command.
struct Refusal {
  AclDenied denied = AclDenied::kNothing;
  std::string_view object;  // the command's name, the key, the channel
  std::string error;        // for the client; empty: nothing is refused
};

// By the rules of the client's user. Source: processCommand of server.c, Redis 7.0; but for scripts
// and functions: nobody looks what these do, so they are for users who may do all that they can.
Refusal RefusalOf(SessionContext* context, const SessionState& state, const CommandRow& row,
                  std::span<const std::string_view> args);

// The same by that user's rules, whoever it is that asks. `scripts`: it may run them; `keys` is
// scratch.
Refusal RefusalOf(const AclUsers& users, const AclUser& user, bool scripts, const CommandRow& row,
                  std::span<const std::string_view> args, std::vector<uint32_t>* keys);

// The same of what is queued, whose keys have their prefix already.
Refusal RefusalOfQueued(SessionContext* context, const SessionState& state, const CommandRow& row,
                        std::vector<std::string_view>* args);

// The error of a command that could be queued and is not allowed at EXEC any more.
std::string RefusalAtExec(AclDenied denied);

// It was refused that: counts it, and enters it in ACL LOG. kNothing: a wrong password, of `user`.
void NoteDenied(Session* session, AclDenied denied, std::string_view object, std::string_view user);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_RIGHTS_H_

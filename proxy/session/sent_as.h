// How a command is sent to the nodes, if that is not as the client has it.

#ifndef GEMEL_PROXY_SESSION_SENT_AS_H_
#define GEMEL_PROXY_SESSION_SENT_AS_H_

#include <string>

#include "backend/command/command_table.h"
#include "proxy/scripts/script_cache.h"
#include "proxy/session/plan.h"
#include "proxy/session/session_context.h"
#include "proxy/session/transaction.h"

namespace gemel {

struct SentAs {
  const CommandRow* row;
  std::string frame;         // empty: the client's
  ScriptCache::Text script;  // held, for the arguments have it
  std::string error;         // not at all: the script is not known
  bool by_cursor;            // see Plan
  bool unknown_function;     // it is not kept here, and none that is queued may load it
};

// FLUSHALL, where shards have a database of their nodes for themselves, empties that one: the
// others are somebody else's. EVALSHA is sent as EVAL: a node need not know the script. What says
// that it does not write is a read. A call of a function that is kept here says how far it may go
// (script_guard.h). The context's arguments are those that are sent. `block`: it is queued there;
// null: it is not.
SentAs Translate(SessionContext* context, const CommandRow& row, const QueuedBlock* block);

// The script or function that the context's arguments, as they are read, would run says that it
// does not write. `block`: as for Translate.
bool SaysThatItReads(const SessionContext& context, const CommandRow& row,
                     const QueuedBlock* block);

// On a shard of several copies a function must be of a library that is kept here, and so confined
// to its keys; one of another on a node would be free to change what is not copied.
void RefuseUnknownFunction(const SessionContext& context, const SentAs& sent, Plan* plan);

// False: the plan is that of a script without keys, and some node could not be sent what can change
// nothing.
bool MayConfine(const SessionContext& context, const CommandRow& row, const Plan& plan);
// A script or function without keys, by the context's arguments, so that it can change nothing.
std::string ConfinedInBlock(const SessionContext& context, const CommandRow& row);
// A call of a function where there is one copy, which no other can come to differ from; empty: it
// is none.
std::string FreeCall(const SessionContext& context, const CommandRow& row, const Plan& plan);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SENT_AS_H_

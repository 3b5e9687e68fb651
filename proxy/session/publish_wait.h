// What is published behind a SUBSCRIBE that gemel has read is heard by who sent it, as with Redis,
// though the nodes may not have been told of it yet: what publishes waits for that. So does what
// writes, if that SUBSCRIBE may be about keys (keyspace notifications).

#ifndef GEMEL_PROXY_SESSION_PUBLISH_WAIT_H_
#define GEMEL_PROXY_SESSION_PUBLISH_WAIT_H_

#include <cstdint>

#include "backend/command/command_table.h"
#include "proxy/session/reply_line.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_state.h"

namespace gemel {

// A command of that row may publish something. (That nodes tell of what it writes does not count.)
bool MayPublish(const CommandRow& row);

// True: the command publishes, and another worker may have a SUBSCRIBE from before it that it has
// not read yet: WaitForSubscriptions is to be asked. Costs next to nothing with one worker.
bool MayBeAheadOfSubscriptions(const SessionContext& context, SessionState& state,
                               const CommandRow& row);

// True: subscriptions are under way for which something may be that the command publishes, whose
// arguments are the context's. Then nothing more of the session is handled before they are there,
// or are known not to come soon; after that it is to be read again.
// With several workers the others are asked first to read what has come for them, once for all that
// a turn of the loop has brought here.
//
// Of PUBLISH and SPUBLISH, also in a transaction, it is known to which channel. A script in whose
// text or arguments PUBLISH is found may publish anywhere; one that puts the word together from
// pieces is not seen. `writes`: it may.
bool WaitForSubscriptions(SessionContext* context, ReplyLine* replies, SessionState* state,
                          const CommandRow& row, bool writes);

// The same of a write to that shard which publishes nothing itself, if any are about keys.
bool WaitToWrite(SessionContext* context, ReplyLine* replies, SessionState* state, uint32_t shard);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_PUBLISH_WAIT_H_

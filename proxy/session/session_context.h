// What a worker's sessions share.

#ifndef GEMEL_PROXY_SESSION_SESSION_CONTEXT_H_
#define GEMEL_PROXY_SESSION_SESSION_CONTEXT_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/bytes/chunk.h"
#include "backend/command/command_memo.h"
#include "backend/command/command_table.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/dispatch/gone_sessions.h"
#include "proxy/scripts/function_store.h"
#include "proxy/scripts/script_cache.h"
#include "proxy/session/deadlines.h"
#include "proxy/session/paused_clients.h"
#include "proxy/session/plan.h"
#include "proxy/session/read_fence.h"
#include "proxy/session/state/state_context.h"

namespace gemel {

class ChannelRegistry;
class ClientsSeen;
class MonitorFeed;
class NodeAbilities;
class Session;
class TrackerRegistry;

// Answers the commands that are the proxy's own (proxy/local does).
class LocalRunner {
 public:
  virtual ~LocalRunner() = default;
  // The row says kLocal. Answers in the session's turn, maybe later.
  virtual void Run(Session& session, const CommandRow& row,
                   std::span<const std::string_view> args) = 0;
  // The client as CLIENT LIST shows it.
  virtual std::string Describe(Session& session) = 0;
};

// Moves a session's bytes. Never calls the session back from inside its methods.
class SessionTransport {
 public:
  virtual ~SessionTransport() = default;
  // There is output, or the session wants to end: look at the end of the loop turn.
  virtual void WantFlush() = 0;
  // The session takes no bytes for now; Session::Resume is to be tried at the end of each turn.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
};

// Outlives the sessions. One thread.
struct SessionContext : StateContext {
  const Config* config = nullptr;  // in effect now
  Dispatcher* dispatcher = nullptr;
  ChunkPool* chunks = nullptr;
  LocalRunner* local = nullptr;
  GoneSessions* gone = nullptr;
  ScriptCache* scripts = nullptr;
  FunctionStore* functions = nullptr;
  ChannelRegistry* channels = nullptr;
  TrackerRegistry* trackers = nullptr;
  const NodeAbilities* abilities = nullptr;  // null: nothing is known
  ClientsSeen* seen = nullptr;
  MonitorFeed* monitor = nullptr;
  uint64_t now_us = 0;         // of the loop turn; a clock that only grows
  AnswerBoard board{&now_us};  // how long a node had what is answered now
  // Of the replies of late, what a client that has had none yet is taken to ask for: the largest,
  // halved each second.
  uint32_t reply_bytes = 0;
  // Of the loop, counted; and one after which all that had come for any worker by then was read.
  uint64_t turn = 1;
  uint64_t all_read_turn = 0;
  // Set by a session that has had its part of this loop turn: it is to be resumed in the next one,
  // which is to come at once.
  bool again = false;
  PausedClients pause;
  Deadlines deadlines;
  CommandMemo memo;                    // of the pool's table
  std::vector<std::string_view> args;  // scratch: the command being handled
  Plan plan;                           // scratch: where it goes, but for the short way
  std::vector<ReadFence::Mark> marks;  // scratch: its keys for the fence, if it is a read
  std::vector<uint32_t> acl_keys;      // scratch: its keys for the user's rules
  std::string space_frame;             // scratch: it, with its user's prefix
  std::string text;                    // scratch: a reply or a part made here
  std::string shown;                   // scratch: arguments as they are told of

  // What the scratch has grown to goes back, if it is much.
  void GiveScratchBack();
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_CONTEXT_H_

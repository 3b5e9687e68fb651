// What a client has set on its connection: the one place that says what a session remembers from
// one command to the next, and that RESET makes as it was. A new piece is a file in state/, a
// member, and a line in Reset.

#ifndef GEMEL_PROXY_SESSION_SESSION_STATE_H_
#define GEMEL_PROXY_SESSION_SESSION_STATE_H_

#include <string>

#include "proxy/session/state/access.h"
#include "proxy/session/state/client_name.h"
#include "proxy/session/state/database.h"
#include "proxy/session/state/library_info.h"
#include "proxy/session/state/monitoring.h"
#include "proxy/session/state/protocol.h"
#include "proxy/session/state/reply_mode.h"
#include "proxy/session/state/subscriptions.h"
#include "proxy/session/state/tracking.h"
#include "proxy/session/state/watched_keys.h"
#include "proxy/session/transaction.h"

namespace gemel {

struct SessionState {
  // Both outlive it. `peer` is the client's address.
  SessionState(const StateContext* context, const std::string* peer) : access(context, peer) {}

  // The command RESET: all of it as if the client had just connected.
  void Reset() {
    access.Reset();
    client_name.Reset();
    database.Reset();
    monitoring.Reset();
    protocol.Reset();
    reply_mode.Reset();
    subscriptions.Reset();
    tracking.Reset();
    transaction.Reset();
    watched.Reset();
  }

  Access access;
  ClientName client_name;
  LibraryInfo library;  // RESET leaves it
  Subscriptions subscriptions;
  Tracking tracking;
  Monitoring monitoring;
  Transaction transaction;
  WatchedKeys watched;
  Database database;
  Protocol protocol;
  ReplyMode reply_mode;
  bool waited_for_subscriptions = false;  // the command at hand: see publish_wait.h
  uint64_t read_turn = 0;                 // of the loop, in which bytes came from it last
  // Commands up to that number are put back, or brought back what a hand-over left: their keys have
  // their user's prefix already.
  uint64_t in_space_until = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_STATE_H_

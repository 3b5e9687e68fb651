// A client's conversation as one process hands it to the next: all that the client could notice
// if it were missing.

#ifndef GEMEL_PROXY_UPGRADE_HANDED_SESSION_H_
#define GEMEL_PROXY_UPGRADE_HANDED_SESSION_H_

#include <cstdint>
#include <string>
#include <vector>

namespace gemel {

// Who the client is, and what it has set.
struct HandedClient {
  uint64_t id = 0;
  std::string peer;
  std::string local;
  uint64_t age_ms = 0;
  uint64_t idle_ms = 0;
  uint64_t commands = 0;
  std::string last_command;
  uint64_t protocol = 2;
  uint64_t database = 0;
  std::string name;
  std::string library_name;
  std::string library_version;
  bool let_in = false;
  std::string user;  // whose rules count, let in or not
  bool reply_off = false;
  uint64_t replies_skipped = 0;  // of the next commands
  bool monitors = false;
  bool closing = false;  // it gets what it is owed, and nothing more
};

struct HandedTracking {
  bool on = false;
  bool bcast = false;
  bool optin = false;
  bool optout = false;
  bool noloop = false;
  bool caching = false;
  uint64_t redirect = 0;
  bool for_others = false;  // it is told in the place of others
  std::vector<std::string> prefixes;
};

// What MULTI has begun.
struct HandedTransaction {
  bool open = false;
  bool aborted = false;
  std::vector<std::string> frames;  // as the client sent them
};

struct HandedSession {
  uint64_t socket = 0;  // the descriptor's number
  bool unix_socket = false;
  uint64_t worker = 0;  // of the process that hands it over
  HandedClient client;
  std::vector<std::string> subscriptions;  // channel_name.h
  HandedTracking tracking;
  std::vector<std::string> watched;  // key_name.h
  HandedTransaction transaction;
  bool waits = false;         // the first request of `input` waited for a key already,
  uint64_t wait_left_ms = 0;  // and may wait so much longer; 0: for ever
  bool asked = false;         // for the upgrade: it is to be told what became of it
  std::string input;          // what it sent and was not carried out
  std::string output;         // what it is owed
};

}  // namespace gemel

#endif  // GEMEL_PROXY_UPGRADE_HANDED_SESSION_H_

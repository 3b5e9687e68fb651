// Who waits for what one key will have (blocked_clients.h): in line, the one first who has waited
// longest.

#ifndef GEMEL_BACKEND_SHARD_BLOCKED_LINE_H_
#define GEMEL_BACKEND_SHARD_BLOCKED_LINE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/command/blocking.h"
#include "backend/command/command_table.h"
#include "backend/shard/blocked_cargo.h"
#include "backend/shard/request.h"

namespace gemel {

struct BlockedLine;
struct BlockedWaiter;
struct BlockedQuestion;

// A waiter's place in the line of one of its keys.
struct BlockedPlace {
  BlockedWaiter* waiter = nullptr;
  BlockedLine* line = nullptr;
  BlockedPlace* before = nullptr;
  BlockedPlace* behind = nullptr;
};

inline uint8_t BitOf(Elements kind) {
  return static_cast<uint8_t>(1u << static_cast<unsigned>(kind));
}

struct BlockedLine {
  std::string key;  // its name
  BlockedPlace* first = nullptr;
  BlockedPlace* last = nullptr;
  uint32_t of_streams = 0;  // of them, who takes nothing away
  bool more = false;        // whoever gets something need not be the last
  // When all that has been sent is done there is no such key: who comes now need not ask.
  bool empty = false;
  uint64_t writes = 0;  // so many times that may have changed
  // Since then it has been seen to be, or not to be.
  Elements is = Elements::kNone;
  uint8_t is_not = 0;  // the kinds, a bit each

  // At the end. The place's waiter and line are filled in.
  void Join(BlockedPlace* place);
  void Leave(BlockedPlace* place);
  // What is not known of what was sent may have brought something.
  void Doubt() {
    empty = false;
    ++writes;
    is = Elements::kNone;
    is_not = 0;
  }
};

struct BlockedKeyHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};
// By the names of their keys; a line lasts as long as somebody is in it.
using BlockedLines = std::unordered_map<std::string, BlockedLine, BlockedKeyHash, std::equal_to<>>;

using BlockedDeadlines = std::multimap<uint64_t, BlockedWaiter*>;

struct BlockedWaiter {
  Request* request = nullptr;
  std::shared_ptr<BlockTicket> ticket;
  std::vector<BlockedPlace> places;
  BlockedDeadlines::iterator deadline;
  bool has_deadline = false;
  bool in_line = false;                 // it has been told that there is nothing, and waits
  bool asking = false;                  // a question is under way for it
  uint64_t round = 0;                   // of Serve, that began it
  std::vector<std::string> again;       // keys that were written meanwhile, in their order
  BlockedQuestion* question = nullptr;  // which that is
  std::string end;      // what it is told if nothing comes of that; empty: it goes on waiting
  bool gone = false;    // the client is, and is told nothing
  uint64_t number = 0;  // in the order in which they came

  bool of_stream() const { return request->row->blocking == Blocking::kOption; }
  // There is nothing under its only key, it is known: it waits without having asked. Only of those
  // whose arguments nobody but the node could find fault with.
  bool MayWaitAtOnce() const;
};

// What is asked for a waiter, and under way.
struct BlockedQuestion : Request {
  enum class About : uint8_t {
    kItself,   // what the client wants
    kLastIds,  // behind which entries of streams that is
    kType,     // what the key is, of which it was told an error
  };
  BlockedWaiter* waiter = nullptr;
  About about = About::kItself;
  std::string key;      // its name; empty: of all keys
  uint64_t writes = 0;  // of the key's line, when it was sent
  AtOnce asked;

  // The one key's that it is about; null: there are several.
  BlockedLine* line() const;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_BLOCKED_LINE_H_

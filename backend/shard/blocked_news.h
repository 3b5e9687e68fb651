// What a write may have brought to those who wait for keys (blocked_clients.h).

#ifndef GEMEL_BACKEND_SHARD_BLOCKED_NEWS_H_
#define GEMEL_BACKEND_SHARD_BLOCKED_NEWS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/shard/blocked_line.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/request.h"

namespace gemel {

struct BlockedNews {
  std::string key;                // its name
  size_t count;                   // so many may have something
  bool more;                      // or any number
  Elements of = Elements::kNone;  // and what they are; else it is not known
  uint8_t not_of = 0;             // what they are not, a bit for each kind
};

// Appends what it may bring to the keys that have lines. `own`: what it takes was asked for one who
// waits, which brings nothing; where it puts that may be waited for. `frame` is scratch.
void AddNews(const Request& request, bool own, const BlockedLines& lines, FrameKeys* frame,
             std::vector<BlockedNews>* news);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_BLOCKED_NEWS_H_

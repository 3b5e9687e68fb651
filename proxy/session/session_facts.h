// Who a client is and what it has done: what CLIENT LIST tells and nothing decides by, but for how
// long it has been silent.

#ifndef GEMEL_PROXY_SESSION_SESSION_FACTS_H_
#define GEMEL_PROXY_SESSION_SESSION_FACTS_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "backend/command/command_table.h"

namespace gemel {

struct SessionFacts {
  const CommandRow* last_command = nullptr;
  uint64_t commands = 0;
  uint64_t active_ms;     // when bytes came from it
  uint64_t taken_ms = 0;  // when it took bytes of its replies, or was told to wait
  uint64_t created_ms;
  uint64_t id;        // unique in the process
  std::string peer;   // "host:port"
  std::string local;  // the address that it came to

  // The last time that bytes came from it or were taken by it.
  uint64_t moved_ms() const { return std::max(active_ms, taken_ms); }
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_FACTS_H_

// Which requests are not sent again, and to the primary alone: PUBLISH.

#ifndef GEMEL_BACKEND_SHARD_AT_MOST_ONCE_H_
#define GEMEL_BACKEND_SHARD_AT_MOST_ONCE_H_

#include "backend/command/command_table.h"
#include "backend/shard/request.h"

namespace gemel {

inline bool IsAtMostOnce(const Request& request) {
  return request.row != nullptr && (request.row->flags & kCmdAtMostOnce) != 0;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_AT_MOST_ONCE_H_

// The limit on open files (ulimit -n), which max_clients needs.

#ifndef GEMEL_PROXY_SERVER_POSIX_FILE_LIMIT_H_
#define GEMEL_PROXY_SERVER_POSIX_FILE_LIMIT_H_

#include <cstdint>
#include <string>

#include "config/config.h"

namespace gemel {

// What the nodes, the listeners, the workers and the process itself may have open beside the
// clients. More than they mostly have: a node that cannot be connected to is worse than a client
// that is turned away.
uint64_t FilesBesideClients(const Config& config);

// So many clients go beside that with `files` open files; at least one.
uint32_t ClientsWithin(uint64_t files, const Config& config);

// Raises the process's soft limit, if need be, as far as max_clients needs it and the hard limit
// allows. Returns for how many clients there is room then, and, if that is fewer than max_clients,
// sets *warning to a sentence.
uint32_t MakeRoomForClients(const Config& config, std::string* warning);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_POSIX_FILE_LIMIT_H_

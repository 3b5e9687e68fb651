// What only the network can tell of a config.

#ifndef GEMEL_PROXY_SERVER_CHECK_HOSTS_H_
#define GEMEL_PROXY_SERVER_CHECK_HOSTS_H_

#include <optional>

#include "config/config.h"
#include "config/config_load.h"

namespace gemel {

// Whether the hosts of all nodes and listen addresses resolve; the first that does not is the
// error. Blocking; any thread.
std::optional<ConfigError> CheckHosts(const Config& config);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_CHECK_HOSTS_H_

// What only the network can tell of a config: whether its host names resolve.

#ifndef GEMEL_PROXY_SERVER_UV_CHECK_HOSTS_H_
#define GEMEL_PROXY_SERVER_UV_CHECK_HOSTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/config_load.h"

namespace gemel {

// The first listen address whose host does not resolve: nobody can listen there. Blocks, for ten
// seconds at most; any thread but a loop's.
std::optional<ConfigError> CheckListenHosts(const Config& config);

// The nodes of `config` whose hosts do not resolve within the time, each as a warning with its
// place in the file. It may be for the moment, or for a node that is dead: they count as nodes that
// do not answer. `before`: a config that serves already, whose nodes are not asked about; or null.
// Blocks; any thread but a loop's.
std::vector<std::string> WarnOfNodeHosts(const Config& config, const Config* before,
                                         uint64_t patience_ms);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_CHECK_HOSTS_H_

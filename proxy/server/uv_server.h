// The whole process: state, listeners, workers, signals, and an orderly end.

#ifndef GEMEL_PROXY_SERVER_UV_SERVER_H_
#define GEMEL_PROXY_SERVER_UV_SERVER_H_

#include <optional>
#include <string>

#include "config/config.h"
#include "config/config_load.h"

namespace gemel {

// Checks what only the network can tell of a config: every node's host resolves. Blocking.
std::optional<ConfigError> CheckHosts(const Config& config);

// Serves until SIGTERM or SIGINT. Returns the process's exit code: 0 after an orderly stop, 1 if it
// could not begin (the reason, one sentence, is on stderr and in the log).
int RunServer(const Config& config, const std::string& version, const std::string& executable);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_SERVER_H_

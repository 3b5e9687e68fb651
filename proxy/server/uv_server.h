// The whole process: state, listeners, workers, signals, and an orderly end.

#ifndef GEMEL_PROXY_SERVER_UV_SERVER_H_
#define GEMEL_PROXY_SERVER_UV_SERVER_H_

#include <string>

#include "config/config.h"
#include "proxy/upgrade/posix_hand_over_file.h"

namespace gemel {

// Serves until SIGTERM, SIGINT or SIGQUIT. `text` is what the config was read from. Returns the
// process's exit code: 0 after an orderly stop, 1 if it could not begin (the reason, one sentence,
// is on stderr and in the log).
// `take_over`: ends the connections that another gemel has to the same nodes, instead of giving way
// to it. A process that another one takes over ends with 1. `inheritance`: of the binary that
// served before in this process.
int RunServer(const Config& config, const std::string& text, const std::string& version,
              const std::string& executable, bool take_over, Inheritance inheritance);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_SERVER_H_

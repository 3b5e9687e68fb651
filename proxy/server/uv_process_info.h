// What the process is to the handlers of commands, as far as it is one value for ever.

#ifndef GEMEL_PROXY_SERVER_UV_PROCESS_INFO_H_
#define GEMEL_PROXY_SERVER_UV_PROCESS_INFO_H_

#include <string>

#include "proxy/local/local_commands.h"

namespace gemel {

// This process, which begins now, with its clocks and what it says of the log. What all workers
// share is still to be added.
ProcessInfo ThisProcess(const std::string& version, const std::string& executable);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_PROCESS_INFO_H_

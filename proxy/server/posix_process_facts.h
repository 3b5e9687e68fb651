// What the system says of the process and of itself, for INFO.

#ifndef GEMEL_PROXY_SERVER_POSIX_PROCESS_FACTS_H_
#define GEMEL_PROXY_SERVER_POSIX_PROCESS_FACTS_H_

#include <cstdint>
#include <string>

#include "proxy/local/local_commands.h"

namespace gemel {

// "Linux 6.1.0 x86_64"
std::string SystemName();

CpuTimes CpuTimesNow();

// Of the wall clock, in microseconds of Unix time.
int64_t UnixTimeUs();

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_POSIX_PROCESS_FACTS_H_

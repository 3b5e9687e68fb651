// A line of MONITOR.

#ifndef GEMEL_PROXY_SEEN_MONITOR_LINE_H_
#define GEMEL_PROXY_SEEN_MONITOR_LINE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// Are commands of that row shown to who monitors? Not an administrator's, as in Redis.
bool IsMonitored(const CommandRow& row);

// A line is `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`. Its first part is made once the
// command is carried out, by the database that is selected then, as in Redis. `peer`: the client's
// address.
void AppendMonitorHead(int64_t unix_us, uint32_t database, std::string_view peer, std::string* out);
// The rest of it, with the line's end; passwords are redacted.
void AppendMonitorArgs(const CommandRow& row, std::span<const std::string_view> args,
                       std::string* out);

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_MONITOR_LINE_H_

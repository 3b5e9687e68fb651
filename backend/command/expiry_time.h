// The time of the clock at which a command makes its key expire.

#ifndef GEMEL_BACKEND_COMMAND_EXPIRY_TIME_H_
#define GEMEL_BACKEND_COMMAND_EXPIRY_TIME_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// In milliseconds of Unix time; -1: this invocation names none, or it is malformed.
int64_t ExpiryTimeMs(const CommandRow& row, std::span<const std::string_view> args);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_EXPIRY_TIME_H_

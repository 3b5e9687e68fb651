// A command's arguments as operators see them: without passwords, and in the slow log no more than
// Redis keeps there.

#ifndef GEMEL_PROXY_SEEN_SHOWN_ARGS_H_
#define GEMEL_PROXY_SEEN_SHOWN_ARGS_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

inline constexpr std::string_view kRedacted = "(redacted)";

// Is the argument at that place a secret? `args` are at least those up to there; the row may be
// null.
bool IsSecret(const CommandRow* row, std::span<const std::string_view> args, size_t place);

// Appends an array of RESP: at most 32 arguments of at most 128 bytes, and how many more there are.
void AppendShownArgs(const CommandRow* row, std::span<const std::string_view> args,
                     std::string* out);
// The same of a frame (whole, multibulk, correct).
void AppendShownFrame(const CommandRow* row, std::string_view frame, std::string* out);

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_SHOWN_ARGS_H_

// The replies to COMMAND, its subcommands and PROXY HELP, made of the command table.

#ifndef GEMEL_PROXY_LOCAL_COMMAND_REPLIES_H_
#define GEMEL_PROXY_LOCAL_COMMAND_REPLIES_H_

#include <span>
#include <string>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// Appends the RESP2 reply to the invocation `args` of a row whose `local` is `command`; its arity
// has been checked. Returns false, and appends nothing, for a command that is answered elsewhere.
//
// COMMAND, COUNT, INFO, DOCS and LIST speak only of what a client can use here: rows that are
// always refused are left out, and containers of which nothing is left. GETKEYS knows every row.
bool AppendCommandReply(const CommandTable& table, LocalCommand command,
                        std::span<const std::string_view> args, std::string* out);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_COMMAND_REPLIES_H_

// The replies to COMMAND, its subcommands and PROXY HELP, made of the command table.

#ifndef GEMEL_PROXY_LOCAL_COMMAND_REPLIES_H_
#define GEMEL_PROXY_LOCAL_COMMAND_REPLIES_H_

#include <span>
#include <string>
#include <string_view>

#include "backend/command/command_names.h"

namespace gemel {

// Appends the RESP2 reply to the invocation `args` of a row whose `local` is `command`; its arity
// has been checked. Returns false, and appends nothing, for a command that is answered elsewhere.
//
// COMMAND, COUNT, INFO and LIST, and AppendCommandDocs, speak only of what a client can use here:
// rows that are always refused are left out, those that [commands] takes away or renames, and
// containers of which nothing is left. GETKEYS knows every row that has its name.
bool AppendCommandReply(const CommandNames& names, LocalCommand command,
                        std::span<const std::string_view> args, std::string* out);

// Appends the reply to COMMAND DOCS of those commands; of none: of all that a client can use. What
// `of_node` says of a command, a node's reply of RESP3 to the same, is passed on; of what that does
// not know, or if it is an error or empty, a short form is made.
void AppendCommandDocs(const CommandNames& names, std::span<const std::string_view> asked,
                       std::string_view of_node, std::string* out);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_COMMAND_REPLIES_H_

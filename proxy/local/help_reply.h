// The reply to a HELP subcommand.

#ifndef GEMEL_PROXY_LOCAL_HELP_REPLY_H_
#define GEMEL_PROXY_LOCAL_HELP_REPLY_H_

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "backend/resp/resp_writer.h"

namespace gemel {

// `lines`: of all subcommands but HELP, which is added.
inline std::string HelpReply(std::string_view command, std::span<const std::string_view> lines) {
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(lines.size()) + 3);
  AppendSimple(&out,
               std::string(command) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) AppendSimple(&out, line);
  AppendSimple(&out, "HELP");
  AppendSimple(&out, "    Prints this help.");
  return out;
}
inline std::string HelpReply(std::string_view command,
                             std::initializer_list<std::string_view> lines) {
  return HelpReply(command, std::span<const std::string_view>(lines.begin(), lines.size()));
}

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_HELP_REPLY_H_

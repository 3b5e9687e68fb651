#include "backend/command/rewrite.h"

#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// A server may take no command of more arguments.
constexpr size_t kMostArguments = 1000000;

}  // namespace

bool RewriteSpop(std::span<const std::string_view> args, std::string_view reply,
                 std::string* frame) {
  if (IsNullReply(reply)) return true;
  std::vector<std::string_view> srem = {"SREM", args[1]};
  if (reply[0] == '$') {
    srem.push_back(ReplyText(reply));
  } else {
    std::vector<std::string_view> members;
    if (!SplitArray(reply, &members) || members.size() > kMostArguments) return false;
    if (members.empty()) return true;
    for (const std::string_view member : members) srem.push_back(ReplyText(member));
  }
  *frame = CommandFrame(srem);
  return true;
}

}  // namespace gemel

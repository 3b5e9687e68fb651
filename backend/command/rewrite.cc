#include "backend/command/rewrite.h"

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

bool RewriteSpop(const FirstReply& first, std::vector<std::string>* frames) {
  if (IsNullReply(first.reply)) return true;
  std::vector<std::string_view> srem = {"SREM", first.args[1]};
  if (first.reply[0] == '$') {
    srem.push_back(ReplyText(first.reply));
  } else {
    std::vector<std::string_view> members;
    if (!SplitArray(first.reply, &members) || members.size() > kMostRewritten) return false;
    if (members.empty()) return true;
    for (const std::string_view member : members) srem.push_back(ReplyText(member));
  }
  frames->push_back(CommandFrame(srem));
  return true;
}

}  // namespace gemel

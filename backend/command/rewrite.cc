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

void AskZremrangebylex(std::span<const std::string_view> args, std::vector<std::string>* frames) {
  frames->push_back(CommandFrame({"ZRANGEBYLEX", args[1], args[2], args[3]}));
}

bool RewriteZremrangebylex(const FirstReply& first, std::vector<std::string>* frames) {
  std::vector<std::string_view> members;
  if (ReplyText(first.reply) == "0") return true;
  if (first.answers.size() != 1 || !SplitArray(first.answers[0], &members) ||
      members.size() > kMostRewritten || std::to_string(members.size()) != ReplyText(first.reply)) {
    return false;
  }
  std::vector<std::string_view> zrem = {"ZREM", first.args[1]};
  for (const std::string_view member : members) zrem.push_back(ReplyText(member));
  frames->push_back(CommandFrame(zrem));
  return true;
}

}  // namespace gemel

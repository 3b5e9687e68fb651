#include "backend/command/rewrite.h"

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// The texts of an array's elements, behind *words. False: it is none, or too long.
bool AppendTexts(std::string_view array, std::vector<std::string_view>* words) {
  std::vector<std::string_view> elements;
  if (!SplitArray(array, &elements) || elements.size() > kMostRewritten) return false;
  for (const std::string_view element : elements) words->push_back(ReplyText(element));
  return true;
}

}  // namespace

bool RewriteSpop(const FirstReply& first, std::vector<std::string>* frames) {
  if (IsNullReply(first.reply)) return true;
  std::vector<std::string_view> srem = {"SREM", first.args[1]};
  if (first.reply[0] == '$') {
    srem.push_back(ReplyText(first.reply));
  } else {
    const size_t no_members = srem.size();
    if (!AppendTexts(first.reply, &srem)) return false;
    if (srem.size() == no_members) return true;
  }
  frames->push_back(CommandFrame(srem));
  return true;
}

void AskZremrangebylex(std::span<const std::string_view> args, std::vector<std::string>* frames) {
  frames->push_back(CommandFrame({"ZRANGEBYLEX", args[1], args[2], args[3]}));
}

bool RewriteZremrangebylex(const FirstReply& first, std::vector<std::string>* frames) {
  if (ReplyText(first.reply) == "0") return true;
  std::vector<std::string_view> zrem = {"ZREM", first.args[1]};
  const size_t no_members = zrem.size();
  if (first.answers.size() != 1 || !AppendTexts(first.answers[0], &zrem) ||
      std::to_string(zrem.size() - no_members) != ReplyText(first.reply)) {
    return false;
  }
  frames->push_back(CommandFrame(zrem));
  return true;
}

}  // namespace gemel

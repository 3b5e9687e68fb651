#include "backend/link/link_block.h"

#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

constexpr std::string_view kAborted = "-EXECABORT ";
constexpr std::string_view kAbortedFor = "-EXECABORT Transaction discarded because of: ";

}  // namespace

size_t LinkBlock::PartsOf(std::string_view block) {
  size_t commands = 0;
  std::vector<std::string_view> args;
  while (!block.empty()) {
    args.clear();
    block.remove_prefix(SplitNext(block, &args));
    ++commands;
  }
  return commands - 1;
}

std::string LinkBlock::OnPart(bool first, std::string_view reply) {
  const bool error = reply[0] == '-';
  if (first) {
    error_.clear();
    if (error) return "the node does not take MULTI: " + std::string(ReplyText(reply));
  } else if (error && error_.empty()) {
    error_ = reply;
  }
  return {};
}

std::string_view LinkBlock::OnExecError(std::string_view reply) {
  if (!reply.starts_with(kAborted)) return {};
  if (error_.empty()) {
    error_ = reply;
    if (reply.starts_with(kAbortedFor)) error_.replace(1, kAbortedFor.size() - 1, "");
  }
  return error_;
}

}  // namespace gemel

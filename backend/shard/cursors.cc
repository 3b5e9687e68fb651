#include "backend/shard/cursors.h"

#include <vector>

#include "backend/keys/cursor.h"
#include "backend/link/node_identity.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"

namespace gemel {

size_t Cursors::PlaceIn(const FrameKeys::Command& command) {
  if (command.row == nullptr || (command.row->flags & kCmdCursor) == 0) return 0;
  const size_t place = command.row->split == Split::kCursor ? 1 : 2;
  return place < command.args.size() ? place : 0;
}

// A node that hides its run_id is known by its name alone.
uint32_t Cursors::TagOf(uint32_t copy) const {
  const Link& link = parts_->copies->link(copy);
  const std::string_view process = ProcessOf(link.identity().run_id);
  return CursorTagOf(process.empty() || process == kHiddenRunId ? link.name() : process);
}

int Cursors::OwnerOf(std::string_view frame) {
  const CommandRow* row = frame_.SplitWithRow(frame);
  if (frame_.is_block()) frame_.Find(row, 0);
  int owner = -1;
  frame_.ForEachCommand(row, 0, [&](const FrameKeys::Command& command) {
    uint64_t cursor = 0;
    const size_t place = PlaceIn(command);
    if (owner >= 0 || place == 0 || !ParseCursor(command.args[place], &cursor)) return;
    const TaggedCursor parts = SplitCursor(cursor);
    if (parts.node == 0) return;
    ForEachCopy(parts_->copies->readable(), [&](uint32_t copy) {
      if (owner < 0 && TagOf(copy) == parts.tag) owner = static_cast<int>(copy);
    });
  });
  return owner;
}

template <typename Change>
std::string_view Cursors::Changed(std::string_view frame, Change change) {
  const CommandRow* row = frame_.SplitWithRow(frame);
  const bool block = frame_.is_block();
  if (block) frame_.Find(row, 0);
  std::string changed;
  bool any = false;
  frame_.ForEachCommand(row, 0, [&](const FrameKeys::Command& command) {
    std::vector<std::string_view> args(command.args.begin(), command.args.end());
    std::string text;
    uint64_t cursor = 0;
    // What is no cursor the node refuses in its own words.
    if (const size_t place = PlaceIn(command);
        place != 0 && ParseCursor(args[place], &cursor) && cursor != 0) {
      text = std::to_string(change(cursor));
      args[place] = text;
      any = true;
    }
    AppendCommand(&changed, args);
  });
  if (!any) return frame;
  text_ = block ? std::string(kMultiFrame) + changed + std::string(kExecFrame) : std::move(changed);
  return text_;
}

std::string_view Cursors::FrameFor(uint32_t copy, std::string_view frame) {
  return Changed(frame, [tag = TagOf(copy)](uint64_t cursor) {
    const TaggedCursor parts = SplitCursor(cursor);
    return parts.tag == tag ? parts.node : 0;
  });
}

std::string_view Cursors::FromStart(std::string_view frame) {
  return Changed(frame, [](uint64_t) { return uint64_t{0}; });
}

// False: it is as it was.
bool Cursors::AppendReply(uint32_t copy, std::string_view reply, std::string* out) const {
  constexpr std::string_view kPair = "*2\r\n";
  constexpr std::string_view kEnd = "*2\r\n$1\r\n0\r\n";
  if (!reply.starts_with(kPair) || reply.starts_with(kEnd)) return false;
  ReplyReader reader;
  uint64_t node = 0;
  if (reader.Read(reply.data() + kPair.size(), reply.size() - kPair.size(), ReplyLimits()) !=
          ReplyReader::Status::kReply ||
      !ParseCursor(ReplyText(reply.substr(kPair.size(), reader.size())), &node) || node == 0) {
    return false;
  }
  uint64_t cursor = 0;
  if (!JoinCursor({node, TagOf(copy)}, &cursor)) {
    AppendError(out, "ERR node " + parts_->copies->link(copy).name() +
                         ": its cursor is too large to carry whose it is");
    return true;
  }
  out->append(kPair);
  AppendBulk(out, std::to_string(cursor));
  out->append(reply.substr(kPair.size() + reader.size()));
  return true;
}

Reply Cursors::ReplyOf(uint32_t copy, const Reply& reply, std::string_view frame) {
  reply_.clear();
  if (!IsBlock(frame)) {
    return AppendReply(copy, reply.bytes, &reply_) ? Reply{reply_, nullptr} : reply;
  }
  std::vector<std::string_view> elements;
  if (!SplitArray(reply.bytes, &elements)) return reply;
  const CommandRow* row = frame_.SplitWithRow(frame);
  frame_.Find(row, 0);
  AppendArrayHeader(&reply_, static_cast<int64_t>(elements.size()));
  size_t i = 0;
  bool any = false;
  frame_.ForEachCommand(row, 0, [&](const FrameKeys::Command& command) {
    if (i >= elements.size()) return;
    const std::string_view element = elements[i++];
    const bool changed = PlaceIn(command) != 0 && AppendReply(copy, element, &reply_);
    if (!changed) reply_ += element;
    any |= changed;
  });
  return any && i == elements.size() ? Reply{reply_, nullptr} : reply;
}

}  // namespace gemel

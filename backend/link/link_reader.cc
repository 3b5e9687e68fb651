#include "backend/link/link_reader.h"

#include "backend/resp/resp_writer.h"

namespace gemel {

// What the proxy asks for itself (a DUMP) may be as large as a value can be.
uint64_t LinkReader::MostOfReply(const LinkLine& line, const LinkOptions& options) {
  const LinkItem* oldest = line.empty() ? nullptr : line.oldest().item;
  if (oldest != nullptr && oldest->item_kind != LinkItem::Kind::kRepair &&
      oldest->item_kind != LinkItem::Kind::kState &&
      oldest->item_kind != LinkItem::Kind::kCompare) {
    return options.max_reply;
  }
  return std::max(options.max_reply, options.limits.max_bulk);
}

// Behind what there is of an unfinished reply. False, and that is dropped: it is larger than
// `most`, or memory fails.
bool LinkReader::Keep(std::string_view bytes, uint64_t most) {
  try {
    if (partial_.size() + bytes.size() <= most) {
      if (reader_.needed() >= partial_.size() + bytes.size() + kLarge) {
        partial_.Expect(reader_.needed());
      }
      partial_.Append(bytes);
      return true;
    }
    DropPartial("the reply is larger than [limits] max_reply");
  } catch (const std::bad_alloc&) {
    DropPartial("there is no memory for the reply");
  }
  return false;
}

void LinkReader::DropPartial(std::string_view why) {
  if (skipper_) return;
  skipped_error_ = std::string(why);
  const ByteBuffer dropped = std::move(partial_);
  if (dropped.empty()) {
    skipper_.emplace();
  } else {
    // It is unfinished: this is not its end.
    const size_t scanned = std::min(reader_.size(), dropped.size());
    skipper_.emplace(reader_.values_left(), scanned);
    skipper_->Feed(dropped.data() + scanned, dropped.size() - scanned);
  }
  reader_ = ReplyReader();
}

std::string LinkReader::SkippedReply(const std::string& node) const {
  std::string error;
  AppendError(&error, "ERR " + skipped_error_ + " (node " + node + ")");
  return error;
}

char* LinkReader::DirectSpace(const LinkLine& line, const LinkOptions& options, size_t* size) {
  if (partial_.empty() || reader_.needed() < partial_.size() + kLarge) return nullptr;
  try {
    if (reader_.needed() <= MostOfReply(line, options))
      return partial_.Extend(reader_.needed() - partial_.size(), size);
    DropPartial("the reply is larger than [limits] max_reply");
  } catch (const std::bad_alloc&) {
    DropPartial("there is no memory for the reply");
  }
  return nullptr;
}

void LinkReader::Reset() {
  ++resets_;
  reader_ = ReplyReader();
  partial_.Clear();
  skipper_.reset();
}

}  // namespace gemel

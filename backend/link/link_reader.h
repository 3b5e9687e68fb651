// Cuts what a node sends into replies: what there is of an unfinished one, where a large one's rest
// is to lie, and what is read to its end and not kept.

#ifndef GEMEL_BACKEND_LINK_LINK_READER_H_
#define GEMEL_BACKEND_LINK_LINK_READER_H_

#include <algorithm>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/chunk.h"
#include "backend/link/link_item.h"
#include "backend/link/link_line.h"
#include "backend/link/link_options.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/reply_skipper.h"

namespace gemel {

// Logic only, the link's thread. `Taker` (a Link) is a template's parameter, so that nothing is
// called through a pointer; it has
//   void Consume(const Reply&)               the next reply
//   void FailReply(const std::string& why)   what comes cannot be one: ends the connection
//   const LinkLine& line()                   what waits for replies
// The first two may end the connection, with Reset on the way.
class LinkReader {
 public:
  // Bytes came. They need not outlive the call.
  template <typename Taker>
  void Feed(std::string_view bytes, const LinkOptions& options, Taker* taker);
  // Where a large reply's rest can be read to: *size bytes at most. Null: nowhere in particular.
  char* DirectSpace(const LinkLine& line, const LinkOptions& options, size_t* size);
  // So many bytes were read to it.
  template <typename Taker>
  void FeedDirect(size_t size, const LinkOptions& options, Taker* taker);

  // What an unfinished reply takes.
  size_t partial_bytes() const { return partial_.capacity(); }
  // The rest of it is read and not kept, and who asked gets an error that begins with `why`.
  void DropPartial(std::string_view why);

  // The connection is over: nothing of it is left.
  void Reset();
  // Grows with each Reset, so that loops notice.
  uint64_t resets() const { return resets_; }

 private:
  // From here on a reply's rest is read where it will lie.
  static constexpr size_t kLarge = ChunkPool::kStandard;
  static constexpr size_t kKeepPartial = 4096;

  // Bytes that the next reply may have.
  static uint64_t MostOfReply(const LinkLine& line, const LinkOptions& options);
  bool Keep(std::string_view bytes, uint64_t most);
  template <typename Taker>
  void KeepOrSkip(std::string_view bytes, const LinkOptions& options, Taker* taker);
  template <typename Taker>
  size_t Skip(std::string_view bytes, const LinkOptions& options, Taker* taker);
  std::string SkippedReply(const std::string& node) const;

  ReplyReader reader_;
  ByteBuffer partial_;  // an unfinished reply
  // Of one that is not kept, and what who asked is told.
  std::optional<ReplySkipper> skipper_;
  std::string skipped_error_;
  uint64_t resets_ = 0;
};

template <typename Taker>
void LinkReader::Feed(std::string_view bytes, const LinkOptions& options, Taker* taker) {
  const char* data = bytes.data();
  const size_t size = bytes.size();
  const uint64_t resets = resets_;
  size_t used = 0;
  if (skipper_) [[unlikely]] {
    used = Skip(bytes, options, taker);
    if (resets != resets_) return;
  }
  if (!partial_.empty()) {
    KeepOrSkip(bytes, options, taker);
    FeedDirect(0, options, taker);
    return;
  }
  while (used < size) {
    const ReplyReader::Status status = reader_.Read(data + used, size - used, options.limits);
    if (status == ReplyReader::Status::kReply) {
      const size_t length = reader_.size();
      reader_.Next();
      taker->Consume(Reply{{data + used, length}, nullptr});
      if (resets != resets_) return;
      used += length;
      continue;
    }
    if (status == ReplyReader::Status::kError) {
      taker->FailReply("the node sent " + reader_.error());
      return;
    }
    KeepOrSkip({data + used, size - used}, options, taker);
    return;
  }
}

template <typename Taker>
void LinkReader::FeedDirect(size_t size, const LinkOptions& options, Taker* taker) {
  partial_.Commit(size);
  // Taken out, so that an end of the connection on the way does not free what is being read.
  ByteBuffer buffer = std::move(partial_);
  const uint64_t resets = resets_;
  size_t used = 0;
  while (used < buffer.size()) {
    const char* start = buffer.data() + used;
    const size_t rest = buffer.size() - used;
    const ReplyReader::Status status = reader_.Read(start, rest, options.limits);
    if (status == ReplyReader::Status::kNeedMore) break;
    if (status == ReplyReader::Status::kError) {
      taker->FailReply("the node sent " + reader_.error());
      return;
    }
    const size_t length = reader_.size();
    reader_.Next();
    const bool alone = used == 0 && length == buffer.size();
    taker->Consume(Reply{{start, length}, alone ? &buffer : nullptr});
    if (resets != resets_) return;
    if (alone) {
      buffer.Clear(kKeepPartial);
      break;
    }
    used += length;
  }
  if (used > 0) buffer.Consume(used);
  if (buffer.empty()) buffer.Clear(kKeepPartial);
  partial_ = std::move(buffer);
}

template <typename Taker>
void LinkReader::KeepOrSkip(std::string_view bytes, const LinkOptions& options, Taker* taker) {
  if (!Keep(bytes, MostOfReply(taker->line(), options))) Skip(bytes, options, taker);
}

// Of a reply that is not kept: returns how many bytes belong to it. Its end answers who asked.
template <typename Taker>
size_t LinkReader::Skip(std::string_view bytes, const LinkOptions& options, Taker* taker) {
  const ReplySkipper::Status status = skipper_->Feed(bytes.data(), bytes.size());
  const size_t used = skipper_->used();
  if (status == ReplySkipper::Status::kError) {
    taker->FailReply("the node sent what is no reply, or is nested without an end");
  } else if (skipper_->total() / 2 > MostOfReply(taker->line(), options)) {
    taker->FailReply("the node sent a reply of more than twice [limits] max_reply");
  } else if (status == ReplySkipper::Status::kEnd) {
    skipper_.reset();
    const std::string error = SkippedReply(options.name);
    taker->Consume(Reply{error, nullptr});
  }
  return used;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_READER_H_

#include "backend/link/link.h"

#include <algorithm>
#include <utility>

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// From here on a frame gets a chunk of its own, and a reply's rest is read where it will lie.
constexpr size_t kLarge = ChunkPool::kStandard;
constexpr size_t kKeepPartial = 4096;
// A line that was longer than this is given back when nothing is in it.
constexpr size_t kKeepEntries = 16 * 1024;
// A wait for a reconnect is longer by up to this part of it.
constexpr uint64_t kJitterPart = 4;

}  // namespace

Link::Link(LinkOwner* owner, uint32_t index, ChunkPool* pool, LinkOptions options)
    : owner_(owner), options_(std::move(options)), index_(index), out_(pool), ring_(4) {}

void Link::Start(uint64_t now_ms) {
  started_ = true;
  now_ms_ = now_ms;
  attempt_ms_ = now_ms;
  state_ = State::kConnecting;
  transport_->Connect();
}

void Link::Stop() {
  started_ = false;
  if (state_ == State::kDown) return;
  transport_->Close();
  Down("the link was stopped", false);
}

void Link::Fail(const std::string& reason) {
  if (state_ == State::kDown) return;
  transport_->Close();
  Down(reason, false);
}

void Link::Tick(uint64_t now_ms, uint32_t random) {
  now_ms_ = now_ms;
  switch (state_) {
    case State::kDown:
      // Jitter, so that many links do not knock all at once; once a wait, or each tick would try
      // its luck anew and the shortest would win.
      retry_at_ms_ += random % (std::exchange(jitter_ms_, 0) + 1);
      if (!started_ || now_ms < retry_at_ms_) return;
      attempt_ms_ = now_ms;
      state_ = State::kConnecting;
      transport_->Connect();
      return;
    case State::kConnecting:
    case State::kHandshake:
      if (now_ms >= attempt_ms_ + options_.connect_timeout_ms) {
        transport_->Close();
        Down("no connection within " + std::to_string(options_.connect_timeout_ms) + " ms", false);
      }
      return;
    case State::kUp:
      if (pending() == 0 && ring_.size() > kKeepEntries) std::vector<Entry>(64).swap(ring_);
      if (pending() > 0 && options_.request_timeout_ms > 0) {
        const uint64_t due_ms = std::max(progress_ms_, taken_ms_) + options_.request_timeout_ms;
        if (now_ms < due_ms || owner_->MayTakeLonger(*this, now_ms - due_ms)) return;
        overdue_ = true;
        Fail("no answer within " + std::to_string(options_.request_timeout_ms) + " ms");
      }
      return;
  }
}

void Link::GrowRing() {
  std::vector<Entry> grown(ring_.size() * 2);
  for (size_t i = head_; i < tail_; ++i) {
    grown[i - head_] = std::move(ring_[i & (ring_.size() - 1)]);
  }
  tail_ -= head_;
  head_ = 0;
  ring_ = std::move(grown);
}

Link::Entry Link::Pop() {
  Entry entry = std::move(ring_[head_++ & (ring_.size() - 1)]);
  // What its successors will need is long out of the cache when thousands are in line.
  const size_t mask = ring_.size() - 1;
  __builtin_prefetch(ring_[(head_ + 3) & mask].item, 1);
  pending_bytes_ -= entry.size;
  ++popped_;
  return entry;
}

void Link::Send(LinkItem* item, std::string_view frame) {
  OutQueue::Placement placement = out_.Append(frame);
  Push(item, placement.chunk, placement.offset, frame.size());
}

void Link::SendShared(LinkItem* item, Chunk* chunk) {
  out_.AppendChunk(chunk);
  Push(item, chunk, 0, chunk->size);
}

void Link::OnData(const char* data, size_t size, uint64_t now_ms) {
  now_ms_ = progress_ms_ = heard_ms_ = now_ms;
  const uint64_t generation = generation_;
  size_t used = 0;
  if (skipper_) [[unlikely]] {
    used = Skip(data, size);
    if (generation != generation_) return;
  }
  if (!partial_.empty()) {
    Keep({data, size});
    OnDirect(0, now_ms);
    return;
  }
  while (used < size) {
    const ReplyReader::Status status = reader_.Read(data + used, size - used, options_.limits);
    if (status == ReplyReader::Status::kReply) {
      const size_t length = reader_.size();
      reader_.Next();
      Consume(Reply{{data + used, length}, nullptr});
      if (generation != generation_) return;
      used += length;
      continue;
    }
    if (status == ReplyReader::Status::kError) {
      FailReply("the node sent " + reader_.error());
      return;
    }
    Keep({data + used, size - used});
    return;
  }
}

// What the proxy asks for itself (a DUMP) may be as large as a value can be.
uint64_t Link::MostOfReply() const {
  const LinkItem* oldest = head_ != tail_ ? ring_[head_ & (ring_.size() - 1)].item : nullptr;
  if (oldest != nullptr && oldest->item_kind != LinkItem::Kind::kRepair &&
      oldest->item_kind != LinkItem::Kind::kState &&
      oldest->item_kind != LinkItem::Kind::kCompare) {
    return options_.max_reply;
  }
  return std::max(options_.max_reply, options_.limits.max_bulk);
}

// Behind what there is of an unfinished reply. Where memory fails, the reply is dropped.
void Link::Keep(std::string_view bytes) {
  try {
    if (partial_.size() + bytes.size() <= MostOfReply()) {
      if (reader_.needed() >= partial_.size() + bytes.size() + kLarge) {
        partial_.Expect(reader_.needed());
      }
      partial_.Append(bytes);
      return;
    }
    DropPartial("the reply is larger than [limits] max_reply");
  } catch (const std::bad_alloc&) {
    DropPartial("there is no memory for the reply");
  }
  Skip(bytes.data(), bytes.size());
}

void Link::DropPartial(std::string_view why) {
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

// Of a reply that is not kept: returns how many bytes belong to it. Its end answers who asked.
size_t Link::Skip(const char* data, size_t size) {
  const ReplySkipper::Status status = skipper_->Feed(data, size);
  const size_t used = skipper_->used();
  if (status == ReplySkipper::Status::kError) {
    FailReply("the node sent what is no reply, or is nested without an end");
  } else if (skipper_->total() / 2 > MostOfReply()) {
    FailReply("the node sent a reply of more than twice [limits] max_reply");
  } else if (status == ReplySkipper::Status::kEnd) {
    skipper_.reset();
    std::string error;
    AppendError(&error, "ERR " + skipped_error_ + " (node " + options_.name + ")");
    Consume(Reply{error, nullptr});
  }
  return used;
}

// The node says what cannot be an answer, or has no end. Who reads gets that as the reply, or it
// would be asked again and again; of a write it is not known what the node did.
void Link::FailReply(const std::string& reason) {
  const uint64_t generation = generation_;
  if (head_ != tail_) {
    const LinkItem* oldest = ring_[head_ & (ring_.size() - 1)].item;
    if (oldest != nullptr && oldest->item_kind == LinkItem::Kind::kRequest) {
      std::string error;
      AppendError(&error, "ERR node " + options_.name + ": " + reason);
      Consume(Reply{error, nullptr});
      told_culprit_ = generation == generation_;
    }
  }
  if (generation == generation_) Fail(reason);
}

char* Link::DirectSpace(size_t* size) {
  if (partial_.empty() || reader_.needed() < partial_.size() + kLarge) return nullptr;
  try {
    if (reader_.needed() <= MostOfReply()) {
      return partial_.Extend(reader_.needed() - partial_.size(), size);
    }
    DropPartial("the reply is larger than [limits] max_reply");
  } catch (const std::bad_alloc&) {
    DropPartial("there is no memory for the reply");
  }
  return nullptr;
}

void Link::OnDirect(size_t size, uint64_t now_ms) {
  now_ms_ = progress_ms_ = heard_ms_ = now_ms;
  partial_.Commit(size);
  // Taken out, so that an end of the connection on the way does not free what is being read.
  ByteBuffer buffer = std::move(partial_);
  const uint64_t generation = generation_;
  size_t used = 0;
  while (used < buffer.size()) {
    const char* start = buffer.data() + used;
    const size_t rest = buffer.size() - used;
    const ReplyReader::Status status = reader_.Read(start, rest, options_.limits);
    if (status == ReplyReader::Status::kNeedMore) break;
    if (status == ReplyReader::Status::kError) {
      FailReply("the node sent " + reader_.error());
      return;
    }
    const size_t length = reader_.size();
    reader_.Next();
    const bool alone = used == 0 && length == buffer.size();
    Consume(Reply{{start, length}, alone ? &buffer : nullptr});
    if (generation != generation_) return;
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

void Link::OnTaken(size_t bytes, uint64_t now_ms) {
  if (head_ == tail_) return;
  const size_t waited = out_.bytes() + bytes;  // before they were taken
  const size_t gone = pending_bytes_ > waited ? pending_bytes_ - waited : 0;
  if (gone < ring_[head_ & (ring_.size() - 1)].size) taken_ms_ = now_ms;
}

void Link::Consume(const Reply& reply) {
  if (reply.bytes[0] == '>') return;  // a push message belongs to no request
  if (head_ == tail_) {
    Fail("the node sent a reply that nothing was asked for");
    return;
  }
  Entry entry = Pop();
  if (entry.item == nullptr) {
    OnHandshakeReply(reply.bytes);
    return;
  }
  if (reply.bytes[0] == '-' && IsProtocolError(reply.bytes)) [[unlikely]]
    rest_unread_ = true;
  owner_->OnLinkReply(this, entry.item, reply, entry.frame());
}

void Link::OnClosed(const std::string& reason, bool refused, uint64_t now_ms) {
  now_ms_ = now_ms;
  if (state_ == State::kDown) return;
  closed_by_node_ = true;
  Down(reason, refused);
}

void Link::Down(const std::string& reason, bool refused) {
  const bool was_up = state_ == State::kUp;
  state_ = State::kDown;
  ++generation_;
  last_error_ = reason;
  out_.Clear();
  flush_wanted_ = false;
  reader_ = ReplyReader();
  partial_.Clear();
  skipper_.reset();
  steps_.clear();
  std::vector<Entry> lost;
  lost.reserve(pending());
  while (head_ != tail_) lost.push_back(Pop());
  head_ = tail_ = 0;
  if (!was_up) ++failed_attempts_;
  if (was_up) {
    // One after the other: while an old one could not be ended, the newer ones cannot make it good.
    if (old_client_id_ == 0 || old_process_ != ProcessOf(identity_.run_id)) {
      old_client_id_ = client_id_;
    }
    old_process_ = ProcessOf(identity_.run_id);
  }
  const uint32_t doublings = std::min(failed_attempts_, 10u);
  const uint64_t wait = was_up ? 0
                               : std::min<uint64_t>(options_.reconnect_max_ms,
                                                    uint64_t{options_.reconnect_min_ms}
                                                        << (doublings > 0 ? doublings - 1 : 0));
  retry_at_ms_ = now_ms_ + wait;
  jitter_ms_ = wait / kJitterPart;
  for (const Entry& entry : lost) {
    if (entry.item != nullptr) owner_->OnLinkLost(this, entry.item, entry.frame());
  }
  closed_by_node_ = rest_unread_ = told_culprit_ = overdue_ = false;
  owner_->OnLinkDown(this, reason, refused);
}

}  // namespace gemel

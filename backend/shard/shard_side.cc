// What one client asks must not hurt the others that share its links: large replies, commands that
// end connections, arguments that a node does not take.

#include <algorithm>
#include <bit>

#include "backend/resp/request_reader.h"
#include "backend/shard/shard.h"

namespace gemel {

namespace {

constexpr uint32_t kMegabyte = 1u << 20;
constexpr uint64_t kGiant = uint64_t{32} << 20;
// For so long after a node has closed a link.
constexpr uint64_t kCarefulMs = 2000;
// Replies of less than 2^this bytes are small.
constexpr uint8_t kSmallLog2 = 15;

}  // namespace

// A value is known by its key, whatever is asked of it.
std::string_view Shard::HeavyName(const CommandRow* row, std::string_view frame) {
  if (row == nullptr || !row->HasOneKey()) return frame;
  SplitFrame(frame, &args_);
  return args_.size() > 1 ? args_[1] : frame;
}

void Shard::NoteHeavy(const CommandRow* row, std::string_view frame, size_t bytes) {
  heavy_.NoteSize(HeavyName(row, frame), bytes, env_->NowMs());
  open_ = false;
}

void Shard::BeCareful() {
  careful_until_ms_ = env_->NowMs() + kCarefulMs;
  UpdatePlainReads();
}

// Where a node bounds what it keeps for a client, or closed a link a moment ago, only who is known
// to get small replies reads on the links that the writes need.
void Shard::UpdatePlainReads() {
  const bool careful = careful_until_ms_ != 0 || least_output_ != NodeLimits::kNone;
  plain_log2_ = careful ? kSmallLog2 : kAnyLog2;
}

// Sends it over a side link if its reply is known to be large, or to end connections, or where it
// is not known to be small and that matters, or if one that its session sent before it is there: it
// must not see less than that one.
bool Shard::GoesAside(Request* request) {
  HeavyReads::Known known;
  if (!heavy_.empty()) {
    known = heavy_.Find(HeavyName(request->row, request->frame), env_->NowMs());
  }
  const bool doubtful = !IsPlainRead(*request);
  const bool heavy = known.ends || known.bytes >= HeavyReads::kLarge;
  if ((!heavy && !doubtful && !side_.HasSession(request->session)) || !side_.usable(primary_)) {
    return false;
  }
  if (doubtful && request->reply_log2 > 0) {
    known.bytes = std::max(known.bytes, uint64_t{1} << (request->reply_log2 - 1));
  }
  ++stats_.reads;
  ++stats_.side_reads;
  request->tried = 0;
  side_.Add(request, known.ends ? 1 : 0, known.bytes, env_->NowMs());
  open_ = false;
  return true;
}

// A write may answer with what it replaces or takes. What the values in flight may bring is bounded
// where nodes bound it; one may always go. True: it must wait; else *room_mb is what it takes.
bool Shard::NeedsRoom(const Request& request, uint32_t* room_mb) {
  if (least_output_ == NodeLimits::kNone) return false;
  const uint64_t bytes = heavy_.Find(HeavyName(request.row, request.frame), env_->NowMs()).bytes;
  if (bytes < HeavyReads::kLarge) return false;
  *room_mb = static_cast<uint32_t>(bytes / kMegabyte);
  return room_mb_ > 0 &&
         (room_mb_ + *room_mb) * kMegabyte > least_output_ / SideReads::kPartOfOutput;
}

// Known to bring so much that a node may be busy for long with the copying alone.
bool Shard::IsGiant(const CommandRow* row, std::string_view frame) {
  if (heavy_.empty()) return false;
  const HeavyReads::Known known = heavy_.Find(HeavyName(row, frame), env_->NowMs());
  return known.ends || known.bytes >= kGiant;
}

// What all members take, and the least that one keeps for a client.
void Shard::LearnLimits() {
  largest_argument_ = least_output_ = NodeLimits::kNone;
  for (const auto& copy : copies_) {
    if (copy->removed || copy->link->connects() == 0) continue;
    const NodeLimits& limits = copy->link->identity().limits;
    const uint64_t argument =
        limits.argument != NodeLimits::kNone ? limits.argument : copy->learnt_argument;
    largest_argument_ = std::min(largest_argument_, argument);
    least_output_ = std::min(least_output_, limits.output);
  }
  plain_bytes_ = std::min<uint64_t>(largest_argument_, HeavyReads::kLarge);
  UpdatePlainReads();
}

// The node did not take an argument: its limit lies below the longest one.
void Shard::LearnFromRefusal(uint32_t copy, std::string_view reply, std::string_view frame) {
  if (!IsProtocolError(reply) || reply.find("bulk length") == std::string_view::npos) return;
  SplitFrame(frame, &args_);
  size_t longest = 0;
  for (const std::string_view arg : args_) longest = std::max(longest, arg.size());
  if (longest < 2) return;
  // Limits are round numbers as a rule.
  copies_[copy]->learnt_argument = std::bit_floor(longest - 1);
  largest_argument_ = std::min(largest_argument_, copies_[copy]->learnt_argument);
  plain_bytes_ = std::min(plain_bytes_, largest_argument_);
}

bool Shard::IsTooLong(const Request& request) {
  if (request.frame.size() <= largest_argument_) return false;
  SplitFrame(request.frame, &args_);
  return std::any_of(args_.begin(), args_.end(),
                     [this](std::string_view arg) { return arg.size() > largest_argument_; });
}

int Shard::PickForSideRead(const Request& request, CopyMask tried) {
  if (!CanRead()) return -1;
  return tried == 0 ? PickFirst(request) : PickRead(~tried, /*primary_only=*/false);
}

void Shard::SendOnMainLink(uint32_t copy, Request* request) {
  request->tried |= static_cast<uint16_t>(Bit(copy));
  Transmit(request, request, Bit(copy));
}

void Shard::OnSideReply(const Request& request, size_t bytes) {
  if (bytes < HeavyReads::kLarge) return;
  heavy_.NoteSize(HeavyName(request.row, request.frame), bytes, env_->NowMs());
}

void Shard::OnBlamed(const Request& request) {
  ++stats_.blamed_reads;
  const std::string_view name = HeavyName(request.row, request.frame);
  const bool known = heavy_.Find(name, env_->NowMs()).ends;
  heavy_.NoteEnd(name, env_->NowMs());
  if (known) return;
  env_->Note(NoteLevel::kWarn,
             "shard '" + info_.name +
                 "': connections to its nodes ended again while they answered " +
                 std::string(request.row != nullptr ? request.row->name : "a command") +
                 "; it is refused, and asked on connections of its own from now on");
}

}  // namespace gemel

#include "backend/shard/aside.h"

#include <bit>

#include "backend/shard/at_most_once.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hold.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/read_path.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

constexpr uint32_t kMegabyte = 1u << 20;
constexpr uint64_t kGiant = uint64_t{32} << 20;
// For so long after a node has closed a link.
constexpr uint64_t kCarefulMs = 2000;
// Replies of less than 2^this bytes are small.
constexpr uint8_t kSmallLog2 = 15;

}  // namespace

void Aside::AddCopy(uint32_t copy, const LinkOptions& node) {
  side_.MakeLink(copy, node);
  if (copy >= learnt_argument_.size()) learnt_argument_.resize(copy + 1);
  learnt_argument_[copy] = NodeLimits::kNone;
}

void Aside::Tick(uint64_t now_ms, uint32_t random) {
  side_.Tick(now_ms, random, parts_->options.wait_ms);
  if (!heavy_.empty()) heavy_.Forget(now_ms);
  if (careful_until_ms_ != 0 && now_ms >= careful_until_ms_) {
    careful_until_ms_ = 0;
    UpdatePlainReads();
  }
}

void Aside::Stop() {
  side_.Stop("CLUSTERDOWN shard '" + parts_->options.name + "' is being stopped");
}

void Aside::GiveBack() {
  for (Request* request : side_.TakeAll()) {
    if (IsAtMostOnce(*request) && request->tried != 0) {
      parts_->hold->AnswerError(
          request, "ERR " + parts_->cut + ": it is not known whether the message was published");
    } else {
      parts_->hold->TakeBack(request, request->frame, parts_->env->NowMs());
    }
  }
}

// A value is known by its key, whatever is asked of it.
std::string_view Aside::HeavyName(const CommandRow* row, std::string_view frame) {
  if (row == nullptr || !row->HasOneKey() || IsBlock(frame)) return frame;
  frame_.Split(frame);
  return frame_.args().size() > 1 ? frame_.args()[1] : frame;
}

void Aside::NoteSize(const CommandRow* row, std::string_view frame, size_t bytes) {
  if (bytes < HeavyReads::kLarge) return;
  heavy_.NoteSize(HeavyName(row, frame), bytes, parts_->env->NowMs());
  parts_->shard->LeaveShortWay();
}

void Aside::OnSent(const Request& request) {
  NoteSize(request.row, request.frame, request.frame.size());
}

void Aside::BeCareful() {
  careful_until_ms_ = parts_->env->NowMs() + kCarefulMs;
  UpdatePlainReads();
}

// Where a node bounds what it keeps for a client, or closed a link a moment ago, only who is known
// to get small replies reads on the links that the writes need.
void Aside::UpdatePlainReads() {
  const bool careful = careful_until_ms_ != 0 || least_output_ != NodeLimits::kNone;
  plain_log2_ = careful ? kSmallLog2 : kAnyLog2;
}

bool Aside::Take(Request* request) {
  if (IsAtMostOnce(*request)) return false;
  HeavyReads::Known known;
  if (!heavy_.empty()) {
    known = heavy_.Find(HeavyName(request->row, request->frame), parts_->env->NowMs());
  }
  const bool doubtful = !IsPlain(*request);
  const bool heavy = known.ends || known.bytes >= HeavyReads::kLarge;
  if ((!heavy && !doubtful && !side_.HasSession(request->session)) ||
      !side_.usable(parts_->copies->primary())) {
    return false;
  }
  if (doubtful && request->reply_log2 > 0) {
    known.bytes = std::max(known.bytes, uint64_t{1} << (request->reply_log2 - 1));
  }
  request->tried = 0;
  parts_->reads->Count(*request);
  ++side_reads_;
  side_.Add(request, known.ends ? 1 : 0, known.bytes, parts_->env->NowMs());
  parts_->shard->LeaveShortWay();
  return true;
}

bool Aside::TakeSuspect(Request* request, std::string_view frame) {
  if (IsAtMostOnce(*request)) return false;
  if (!side_.usable(parts_->copies->primary())) return false;
  if (request->extra != nullptr) request->extra->owned.Clear();
  request->frame = frame;
  side_.Add(request, /*ends=*/1, /*bytes=*/0, parts_->env->NowMs());
  return true;
}

bool Aside::NeedsRoom(const Request& request, uint32_t* room_mb) {
  if (heavy_.empty() || least_output_ == NodeLimits::kNone) return false;
  const uint64_t bytes =
      heavy_.Find(HeavyName(request.row, request.frame), parts_->env->NowMs()).bytes;
  if (bytes < HeavyReads::kLarge) return false;
  *room_mb = static_cast<uint32_t>(bytes / kMegabyte);
  const uint64_t taken_mb = parts_->writes->room_mb();
  return taken_mb > 0 &&
         (taken_mb + *room_mb) * kMegabyte > least_output_ / SideReads::kPartOfOutput;
}

bool Aside::IsGiant(const CommandRow* row, std::string_view frame) {
  if (heavy_.empty()) return false;
  const HeavyReads::Known known = heavy_.Find(HeavyName(row, frame), parts_->env->NowMs());
  return known.ends || known.bytes >= kGiant;
}

void Aside::LearnLimits() {
  largest_argument_ = least_output_ = NodeLimits::kNone;
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    const Link& link = parts_->copies->link(i);
    if (!parts_->copies->IsMember(i) || link.times().connects() == 0) continue;
    const NodeLimits& limits = link.identity().limits;
    const uint64_t argument =
        limits.argument != NodeLimits::kNone ? limits.argument : learnt_argument_[i];
    largest_argument_ = std::min(largest_argument_, argument);
    least_output_ = std::min(least_output_, limits.output);
  }
  plain_bytes_ = std::min<uint64_t>(largest_argument_, HeavyReads::kLarge);
  UpdatePlainReads();
}

void Aside::LearnFromRefusal(uint32_t copy, std::string_view reply, std::string_view frame) {
  if (!IsProtocolError(reply) || reply.find("bulk length") == std::string_view::npos) return;
  frame_.Split(frame);
  size_t longest = 0;
  for (const std::string_view arg : frame_.args()) longest = std::max(longest, arg.size());
  if (longest < 2) return;
  // Limits are round numbers as a rule.
  learnt_argument_[copy] = std::bit_floor(longest - 1);
  largest_argument_ = std::min(largest_argument_, learnt_argument_[copy]);
  plain_bytes_ = std::min(plain_bytes_, largest_argument_);
}

bool Aside::IsTooLong(const Request& request) {
  if (request.frame.size() < plain_bytes_ || request.frame.size() <= largest_argument_) {
    return false;
  }
  frame_.Split(request.frame);
  const auto& args = frame_.args();
  const bool too_long = std::any_of(args.begin(), args.end(), [this](std::string_view arg) {
    return arg.size() > largest_argument_;
  });
  if (too_long) ++refused_large_;
  return too_long;
}

int Aside::PickForSideRead(const Request& request, CopyMask tried) {
  if (!parts_->hold->CanRead()) return -1;
  return tried == 0 ? parts_->reads->PickFirst(request)
                    : parts_->reads->Pick(~tried, /*primary_only=*/false);
}

bool Aside::MaySendSideRead(const Request& request) {
  return !parts_->way_back->TouchesLockedKey(request) && !parts_->first->MustWait(request);
}

bool Aside::IsDoubtfulReply(uint32_t copy, const Reply& reply) {
  return parts_->reads->IsDoubtful(copy, reply);
}

bool Aside::MustWaitForAnother(uint32_t copy) { return parts_->reads->MustWait(copy); }

const Link& Aside::MainLink(uint32_t copy) const { return parts_->copies->link(copy); }

bool Aside::MaySideTakeLonger(const Link& link, uint64_t overdue_ms) {
  return parts_->nodes->MayTakeLonger(link, overdue_ms);
}

bool Aside::MayAnswerLater() const { return parts_->roles->Hopeful(); }

std::string Aside::WhyNobodyAnswers() const { return parts_->hold->DownText(); }

void Aside::RefuseSideRead(Request* request, const std::string& text) {
  parts_->hold->AnswerError(request, text);
}

void Aside::SendOnMainLink(uint32_t copy, Request* request) {
  parts_->reads->SendTo(copy, request, CopyMask{request->tried} | Bit(copy));
}

std::string_view Aside::SideFrame(uint32_t copy, const Request& request) {
  return request.cursors ? parts_->reads->cursors().FrameFor(copy, request.frame) : request.frame;
}

void Aside::OnSideReply(uint32_t copy, Request* request, const Reply& reply) {
  const size_t bytes = reply.bytes.size();
  if (bytes >= HeavyReads::kLarge) {
    heavy_.NoteSize(HeavyName(request->row, request->frame), bytes, parts_->env->NowMs());
  }
  request->sink->OnReply(request, parts_->reads->ReplyOf(copy, *request, reply, request->frame));
}

void Aside::OnBlamed(const Request& request) {
  ++blamed_reads_;
  const uint64_t now_ms = parts_->env->NowMs();
  const std::string_view name = HeavyName(request.row, request.frame);
  const bool known = heavy_.Find(name, now_ms).ends;
  heavy_.NoteEnd(name, now_ms);
  if (known) return;
  parts_->Note(NoteLevel::kWarn,
               "connections to its nodes ended again while they answered " +
                   std::string(request.row != nullptr ? request.row->name : "a command") +
                   "; it is refused, and asked on connections of its own from now on");
}

}  // namespace gemel

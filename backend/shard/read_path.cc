#include "backend/shard/read_path.h"

#include <bit>

#include "backend/shard/aside.h"
#include "backend/shard/at_most_once.h"
#include "backend/shard/hold.h"
#include "backend/shard/key_sample.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/refusals.h"
#include "backend/shard/shard_roles.h"

namespace gemel {

namespace {

// Longer than what was read matters to a key that is in doubt now.
constexpr uint64_t kElsewhereMs = 10'000;

}  // namespace

bool ReadPath::SeenElsewhere() const {
  return parts_->options.ack == Ack::kAny ||
         (elsewhere_ms_ && parts_->env->NowMs() < *elsewhere_ms_ + kElsewhereMs);
}

void ReadPath::Refuse(Request* request) {
  parts_->hold->AnswerError(request, parts_->hold->DownText());
}

void ReadPath::SendTo(uint32_t copy, Request* request, CopyMask tried) {
  request->tried = static_cast<uint16_t>(tried);
  if (request->cursors) {
    parts_->copies->link(copy).Send(request, cursors_.FrameFor(copy, request->frame));
  } else {
    Transmit(*parts_, request, request, Bit(copy));
  }
}

void ReadPath::SendByCursor(Request* request) {
  const int picked = PickFirst(*request);
  if (picked < 0) {
    Refuse(request);
    return;
  }
  const uint32_t copy = static_cast<uint32_t>(picked);
  ++reads_;
  sample_.OnRead(*request, copy == parts_->copies->primary());
  SendTo(copy, request, Bit(copy));
}

int ReadPath::Look(CopyMask among, bool primary_only, bool also_silent, uint32_t turn) const {
  const Copies& copies = *parts_->copies;
  const CopyMask silent = parts_->hedger->silent();
  const CopyMask primary = Bit(copies.primary());
  among &= copies.readable();
  if (among == 0) return -1;
  if (silent != 0 && !primary_only && !also_silent && (among & ~silent) != 0) among &= ~silent;
  if ((among & primary) != 0 && (primary_only || among == primary)) {
    return static_cast<int>(copies.primary());
  }
  return static_cast<int>(policy_->pick({&copies, among, turn}));
}

int ReadPath::PickFirst(const Request& request) {
  if (request.cursors) {
    const int owner = cursors_.OwnerOf(request.frame);
    if (owner >= 0) return Pick(Bit(static_cast<uint32_t>(owner)), /*primary_only=*/true);
  }
  // While a copy is silent, one that may take long does not take the last one that is not.
  const CopyMask silent = parts_->hedger->silent();
  const bool stays = silent != 0 && std::popcount(parts_->copies->readable() & ~silent) == 1 &&
                     Hedger::StaysWhereItIs(request, request.frame);
  return Pick(~CopyMask{0}, request.primary_only, stays);
}

int ReadPath::Explain(bool primary_only, std::string* why) const {
  const Copies& copies = *parts_->copies;
  const CopyMask silent = parts_->hedger->silent();
  const int copy = Look(~CopyMask{0}, primary_only, /*also_silent=*/false, turn_);
  if (copy < 0) {
    *why = parts_->hold->DownText();
    return copy;
  }
  const uint32_t chosen = static_cast<uint32_t>(copy);
  if (copies.in_sync() == Bit(chosen)) {
    *why = "it is the only copy in sync";
  } else if ((silent & copies.readable()) != 0 && (silent & Bit(chosen)) == 0 && !primary_only) {
    *why = "another copy has not answered for a while";
  } else if (primary_only) {
    *why = "the command must be read from the primary";
  } else {
    *why = policy_->why(chosen == copies.primary());
  }
  return copy;
}

bool ReadPath::IsDoubtful(uint32_t copy, const Reply& reply) const {
  return !parts_->copies->Serves(copy) || (reply.bytes[0] == '-' && IsUnfitToRead(reply.bytes));
}

bool ReadPath::Retry(Request* request, std::string_view frame) {
  if (IsAtMostOnce(*request)) return false;
  const int picked = Pick(~CopyMask{request->tried}, /*primary_only=*/false);
  if (picked < 0) return false;
  const uint32_t copy = static_cast<uint32_t>(picked);
  ++fallbacks_;
  request->tried |= static_cast<uint16_t>(Bit(copy));
  if (request->cursors) frame = cursors_.FromStart(frame);
  parts_->copies->link(copy).Send(request, frame);
  return true;
}

bool ReadPath::AskAgain(uint32_t copy, Request* request, std::string_view frame) {
  if (Retry(request, frame)) return true;
  if (!MustWait(copy) || IsAtMostOnce(*request)) return false;
  if (request->cursors) frame = cursors_.FromStart(frame);
  parts_->hold->TakeBack(request, frame, parts_->env->NowMs());
  return true;
}

bool ReadPath::MustWait(uint32_t copy) const {
  return !parts_->copies->Serves(copy) && parts_->roles->Hopeful();
}

void ReadPath::OnReply(const Link& link, Request* request, const Reply& reply,
                       std::string_view frame) {
  if (IsDoubtful(link.index(), reply) && AskAgain(link.index(), request, frame)) [[unlikely]]
    return;
  if (link.end().rest_unread) [[unlikely]]
    parts_->aside->LearnFromRefusal(link.index(), reply.bytes, frame);
  Answer(request, ReplyOf(link.index(), *request, reply, frame), frame);
}

void ReadPath::Answer(Request* request, const Reply& reply, std::string_view frame) {
  if (reply.bytes.size() >= BigKeys::kFromBytes) [[unlikely]] {
    parts_->sample->OnReply(*request, frame, reply.bytes.size());
    if (reply.bytes.size() >= HeavyReads::kLarge)
      parts_->aside->NoteSize(request->row, frame, reply.bytes.size());
  }
  request->ShowFrame(frame);
  request->sink->OnReply(request, reply);
}

bool ReadPath::EndsWithScript(const Link& link, Request* request, std::string_view frame) {
  if (!link.end().overdue || !parts_->nodes->MayNotRunAgain(link.index(), *request)) return false;
  request->ShowFrame(frame);
  parts_->hold->AnswerError(
      request,
      "ERR the node gave no answer to this script in time ([timeouts] request_ms) and its "
      "connection was ended; it is not run on another copy");
  return true;
}

void ReadPath::OnLost(const Link& link, Request* request, std::string_view frame, bool suspect) {
  if (EndsWithScript(link, request, frame)) return;
  if (parts_->env->IsGone(request->session)) {
    parts_->hold->AnswerError(request, "ERR the client is gone");
    return;
  }
  if (IsAtMostOnce(*request) && !link.end().rest_unread) {
    request->ShowFrame(frame);
    parts_->hold->AnswerError(request, "ERR the connection to node " + link.name() +
                                           " was lost: it is not known whether it has published "
                                           "the message");
    return;
  }
  if (request->cursors) frame = cursors_.FromStart(frame);
  if (!parts_->cut.empty()) {
    parts_->hold->TakeBack(request, frame, parts_->env->NowMs());
    return;
  }
  if (suspect && !parts_->roles->stopped() && parts_->aside->TakeSuspect(request, frame)) {
    ++fallbacks_;
    return;
  }
  if (Retry(request, frame)) return;
  // Nobody else now: it waits, before what was not sent yet.
  if (parts_->roles->Hopeful()) {
    parts_->hold->TakeBack(request, frame, parts_->env->NowMs());
  } else {
    request->ShowFrame(frame);
    Refuse(request);
  }
}

}  // namespace gemel

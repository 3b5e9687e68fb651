#include "proxy/peers/peer_link.h"

#include <algorithm>
#include <utility>

#include "backend/command/command_table.h"
#include "backend/shard/at_most_once.h"
#include "backend/shard/blocked_cargo.h"
#include "proxy/peers/peer_cargo.h"

namespace gemel {

namespace {

// An id is a place among the entries, and how often that was taken before.
uint64_t IdOf(uint32_t index, uint32_t generation) { return uint64_t{generation} << 32 | index; }

bool HasWatch(const Request& request) {
  return request.kind == RequestKind::kWatch || request.guarded;
}

// Of those that ask the proxy itself the answer is a part of one.
bool IsWholeReply(RequestKind kind) {
  return kind != RequestKind::kReport && kind != RequestKind::kExplain &&
         kind != RequestKind::kNodes;
}

}  // namespace

PeerLink::PeerLink(std::string member, PeerLinkHost* host, ChunkPool* pool,
                   const GoneSessions* gone, uint64_t now_ms)
    : member_(std::move(member)),
      host_(host),
      gone_(gone),
      out_(pool),
      input_(kMostPeerFrame),
      heard_ms_(now_ms),
      there_ms_(now_ms),
      asked_ms_(now_ms) {}

PeerLink::~PeerLink() = default;

void PeerLink::Queue(std::string_view bytes) {
  if (!bytes.empty()) out_.Append(bytes);
  queued_ += bytes.size();
}

// What is watched by a ticket is known where it began to be; anywhere else it counts as touched.
uint64_t PeerLink::NumberOf(const std::shared_ptr<WatchTicket>& ticket) {
  if (ticket->link != nullptr && ticket->link != this) ticket->lost = true;
  if (ticket->lost) return 0;
  ticket->link = this;
  Watched& watched = watched_[ticket.get()];
  if (watched.ticket == nullptr) {
    watched.ticket = ticket;
    watched.number = ++last_watch_;
  }
  return watched.number;
}

uint64_t PeerLink::TicketOf(const Request& request, uint64_t id) {
  if (HasWatch(request)) {
    return NumberOf(static_cast<const WatchCargo&>(*request.extra->cargo).ticket);
  }
  if (KindOnceTracked(request.kind, request.becomes) == RequestKind::kBlocking) {
    const auto& cargo = static_cast<const BlockingCargo&>(*request.extra->cargo);
    blocked_[cargo.ticket.get()] = id;
  } else if (request.kind == RequestKind::kUnblock) {
    const auto& cargo = static_cast<const UnblockCargo&>(*request.extra->cargo);
    if (const auto found = blocked_.find(cargo.ticket.get()); found != blocked_.end()) {
      return found->second;
    }
  }
  return 0;
}

void PeerLink::Send(Request* request, const PeerPlace& place, std::string_view shard,
                    uint32_t round, uint64_t now_ms) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  if (std::exchange(route_, place.route) != place.route) {
    text_.clear();
    AppendPeerNumber(PeerFrame::kRoute, route_, &text_);
    Queue(text_);
  }
  const uint32_t index = free_.back();
  Entry& entry = entries_[index];
  PeerRequest sent;
  sent.id = IdOf(index, entry.generation);
  sent.round = round;
  sent.kind = request->kind;
  sent.becomes = request->becomes;
  sent.primary_only = request->primary_only;
  sent.cursors = request->cursors;
  sent.guarded = request->guarded;
  sent.block = request->block;
  sent.counted = request->submitted;
  sent.database = request->database;
  sent.reply_log2 = request->reply_log2;
  sent.session = request->session;
  sent.shard = shard;
  if (request->row != nullptr) sent.row = request->row->name;
  cargo_.clear();
  AppendPeerCargo(*request, TicketOf(*request, sent.id),
                  now_ms > place.since_ms ? now_ms - place.since_ms : 0, &cargo_);
  sent.cargo = cargo_;
  sent.frame = request->owns_frame() ? request->extra->owned.view() : request->frame;
  text_.clear();
  AppendPeerRequest(sent, &text_);
  entry.begin = queued_;
  Queue(text_);
  Queue(sent.frame);
  entry.end = queued_;
  free_.pop_back();
  entry.request = request;
  entry.place = place;
  entry.counted = sent.counted;
  entry.end_told = false;
  ++outstanding_;
  if (entry.counted) ++counted_;
  if (request->kind == RequestKind::kSync) ++syncs_;
}

void PeerLink::Forget(const Request& request) {
  if (KindOnceTracked(request.kind, request.becomes) == RequestKind::kBlocking) {
    blocked_.erase(static_cast<const BlockingCargo&>(*request.extra->cargo).ticket.get());
  } else if (request.kind == RequestKind::kSync) {
    --syncs_;
  }
}

void PeerLink::Release(uint32_t index) {
  Entry& entry = entries_[index];
  Forget(*entry.request);
  if (entry.counted) --counted_;
  --outstanding_;
  entry.request = nullptr;
  if (++entry.generation == 0) entry.generation = 1;
  free_.push_back(index);
}

bool PeerLink::OnBytes(std::string_view bytes, uint64_t now_ms) {
  heard_ms_ = now_ms;
  const PeerInput::Status status =
      input_.Feed(bytes, [this](std::string_view body) { return OnFrame(body); });
  if (status == PeerInput::Status::kBad) error_ = "what it sent is no frame of the peer protocol";
  return status == PeerInput::Status::kMore;
}

bool PeerLink::OnFrame(std::string_view body) {
  PeerReply reply;
  switch (PeerFrameOf(body)) {
    case PeerFrame::kReply:
      if (ReadPeerReply(body, &reply) && OnReply(reply)) return true;
      error_ = "what it sent is no answer to anything that it was asked";
      return false;
    case PeerFrame::kMessages:
    case PeerFrame::kChanged:
      if (host_->OnPeerPush(body)) return true;
      error_ = "what it sent for those who listen is malformed";
      return false;
    case PeerFrame::kAlive:
      there_ms_ = heard_ms_;
      return true;
    default:
      error_ = "what it sent is nothing that who is asked may say";
      return false;
  }
}

bool PeerLink::OnReply(const PeerReply& reply) {
  const auto index = static_cast<uint32_t>(reply.id);
  if (index >= entries_.size()) return false;
  const Entry& entry = entries_[index];
  Request* request = entry.request;
  if (request == nullptr || IdOf(index, entry.generation) != reply.id) return false;
  if (!reply.not_here && (!ReadPeerAnswers(reply.cargo, request) ||
                          (IsWholeReply(request->kind) && !LooksLikeReply(reply.bytes)))) {
    return false;
  }
  const PeerPlace place = entry.place;
  Release(index);
  if (reply.not_here) {
    if (HasWatch(*request)) {
      static_cast<const WatchCargo&>(*request->extra->cargo).ticket->lost = true;
    }
    host_->OnPeerBack(request, place, /*refused=*/true);
  } else {
    host_->OnPeerReply(request, place, reply.bytes);
  }
  return true;
}

bool PeerLink::MayAskAgain(const Request& request) {
  if (IsAtMostOnce(request)) return false;
  switch (KindOnceTracked(request.kind, request.becomes)) {
    case RequestKind::kChannels:  // it says what is so, however often
    case RequestKind::kTracking:
    case RequestKind::kRead:
    case RequestKind::kWatch:
    case RequestKind::kReport:
    case RequestKind::kExplain:
    case RequestKind::kSync:
      return true;
    case RequestKind::kLibraries:
      return true;  // it tells what is so anyway
    default:
      return false;
  }
}

void PeerLink::Lost() {
  host_->OnPeerLost(this);
  for (const auto& [ticket, watched] : watched_) watched.ticket->lost = true;
  watched_.clear();
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].request != nullptr) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [this](uint32_t a, uint32_t b) { return entries_[a].begin < entries_[b].begin; });
  for (const uint32_t index : order) {
    const Entry entry = entries_[index];
    Release(index);
    // A frame of which the last byte is still here cannot have been carried out.
    const bool whole = entry.end <= taken_;
    if (whole && entry.request->kind == RequestKind::kUnblock) {
      // Who waited there is ended by the loss itself.
      host_->OnPeerReply(entry.request, entry.place, "+OK\r\n");
    } else if (!whole || MayAskAgain(*entry.request)) {
      host_->OnPeerBack(entry.request, entry.place, /*refused=*/false);
    } else {
      host_->OnPeerUnknown(entry.request, entry.place, member_);
    }
  }
}

bool PeerLink::Tick(uint64_t now_ms) {
  if (now_ms > heard_ms_ + kSilenceMs) {
    error_ = "it has said nothing for " + std::to_string(kSilenceMs) + " ms";
    return false;
  }
  TellGone();
  TellEnded();
  TellDropped();
  if (now_ms < asked_ms_ + kAliveMs) return true;
  text_.clear();
  AppendPeerAlive(&text_);
  Queue(text_);
  asked_ms_ = now_ms;
  return true;
}

// A session's requests that are under way are nobody's any more; told once.
void PeerLink::TellGone() {
  if (gone_ == nullptr || outstanding_ == 0) {
    told_gone_.clear();
    return;
  }
  for (const Entry& entry : entries_) {
    if (entry.request == nullptr || !gone_->Has(entry.request->session)) continue;
    if (!told_gone_.insert(entry.request->session).second) continue;
    text_.clear();
    AppendPeerNumber(PeerFrame::kGone, entry.request->session, &text_);
    Queue(text_);
  }
}

void PeerLink::TellEnded() {
  if (syncs_ == 0) return;
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.request == nullptr || entry.request->kind != RequestKind::kSync || entry.end_told)
      continue;
    const auto& cargo = static_cast<const SyncCargo&>(*entry.request->extra->cargo);
    if (cargo.ticket == nullptr || !cargo.ticket->ended) continue;
    entry.end_told = true;
    text_.clear();
    AppendPeerNumber(PeerFrame::kEndSync, IdOf(i, entry.generation), &text_);
    Queue(text_);
  }
}

void PeerLink::TellDropped() {
  for (auto watched = watched_.begin(); watched != watched_.end();) {
    if (!watched->second.ticket->dropped) {
      ++watched;
      continue;
    }
    text_.clear();
    AppendPeerNumber(PeerFrame::kDropWatch, watched->second.number, &text_);
    Queue(text_);
    watched = watched_.erase(watched);
  }
}

}  // namespace gemel

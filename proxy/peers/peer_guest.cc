#include "proxy/peers/peer_guest.h"

#include <algorithm>
#include <utility>

#include "backend/command/block.h"
#include "backend/command/key_finder.h"
#include "backend/resp/resp_writer.h"
#include "proxy/peers/peer_link.h"
#include "proxy/peers/peer_push.h"

namespace gemel {

namespace {

constexpr RequestLimits kFrameLimits = {
    .max_bulk = kMostPeerFrame, .max_args = kMostPeerFrame, .max_request = kMostPeerFrame};
constexpr size_t kLargeReply = 16 * 1024;
// It is put together with its head first: one piece costs less than two.
constexpr size_t kSmallReply = 512;
// Numbers of sessions that ask no more are kept so long, and no more than so many.
constexpr uint64_t kKeepClientMs = 60 * 1000;
constexpr size_t kMostClients = 64 * 1024;
constexpr size_t kMostWatched = 256 * 1024;

// Whose frame is a command, or a block of them.
bool IsOfCommands(RequestKind kind) {
  return kind == RequestKind::kRead || kind == RequestKind::kWrite ||
         kind == RequestKind::kFirstWrite || kind == RequestKind::kWatch ||
         kind == RequestKind::kBlocking;
}

bool MayBeLate(RequestKind kind) {
  return kind == RequestKind::kBlocking || kind == RequestKind::kSync;
}

}  // namespace

PeerGuest::PeerGuest(std::string member, World world, uint64_t now_ms)
    : member_(std::move(member)),
      world_(std::move(world)),
      out_(world_.chunks),
      input_(kMostPeerFrame),
      heard_ms_(now_ms),
      said_ms_(now_ms),
      lookup_(world_.dispatcher),
      now_ms_(now_ms),
      audience_(world_.seats, this, world_.dispatcher) {}

PeerGuest::~PeerGuest() {
  if (world_.gone == nullptr) return;
  for (const auto& [from, client] : clients_) {
    if (client.gone) world_.gone->Remove(client.session);
  }
}

void PeerGuest::WantFlush() {
  if (world_.want_flush) world_.want_flush();
}

bool PeerGuest::Bad(std::string_view why) {
  error_ = why;
  return false;
}

bool PeerGuest::OnBytes(std::string_view bytes, uint64_t now_ms) {
  if (!error_.empty() || lost_) return false;
  if (!bytes.empty()) heard_ms_ = now_ms;
  now_ms_ = now_ms;
  if (bytes.empty() && Full()) return true;
  const PeerInput::Status status = input_.Feed(
      bytes, [this](std::string_view body) { return OnFrame(body) && !lost_ && !Full(); });
  if (status == PeerInput::Status::kBad) return Bad("what it sent is no frame of the protocol");
  return error_.empty();
}

bool PeerGuest::OnFrame(std::string_view body) {
  const PeerFrame frame = PeerFrameOf(body);
  uint64_t number = 0;
  switch (frame) {
    case PeerFrame::kRequest: {
      PeerRequest asked;
      if (!ReadPeerRequest(body, &asked)) return Bad("what it sent is no request");
      return OnRequest(asked);
    }
    case PeerFrame::kGone:
    case PeerFrame::kDropWatch:
    case PeerFrame::kEndSync:
    case PeerFrame::kRoute:
      if (!ReadPeerNumber(body, &number)) return Bad("what it sent has no number");
      return OnNumber(frame, number);
    case PeerFrame::kAlive:
      SayAlive();
      return true;
    default:
      return Bad("what it sent is nothing that who asks may say");
  }
}

bool PeerGuest::OnNumber(PeerFrame frame, uint64_t number) {
  if (frame == PeerFrame::kGone) {
    const auto client = clients_.find(static_cast<uint32_t>(number));
    if (client != clients_.end()) SetGone(client->first, &client->second);
  } else if (frame == PeerFrame::kDropWatch) {
    const auto watched = watched_.find(number);
    if (watched == watched_.end()) return true;
    watched->second->dropped = true;
    watched_.erase(watched);
  } else if (frame == PeerFrame::kRoute) {
    route_ = number;
  } else if (const auto late = late_.find(number); late != late_.end()) {
    if (late->second->sync != nullptr) late->second->sync->ended = true;
  }
  return true;
}

// All of the round that come behind one that was; with the next round it is over.
bool PeerGuest::IsRefused(const PeerRequest& asked) {
  if (refused_.empty()) return false;
  const auto refused = refused_.find(std::string(asked.shard));
  if (refused == refused_.end()) return false;
  if (asked.round <= refused->second) return true;
  refused_.erase(refused);
  return false;
}

// Whoever is behind is to know the plan in effect first, so that no key is of two shards.
const PoolShard* PeerGuest::ShardOf(const PeerRequest& asked) {
  return route_ == world_.dispatcher->pool().route() ? lookup_.Shard(asked.shard) : nullptr;
}

bool PeerGuest::OnRequest(const PeerRequest& asked) {
  const CommandRow* row = asked.row.empty() ? nullptr : lookup_.Row(asked.row);
  if (row == nullptr && !asked.row.empty()) {
    SayError(asked.id,
             "ERR the member of the fleet that owns the shard does not know this command");
    return true;
  }
  if (!IsFit(asked, row)) return Bad("the command that it sent is malformed");
  PeerCargo cargo;
  const RequestKind kind = KindOnceTracked(asked.kind, asked.becomes);
  if (!ReadPeerCargo(kind, asked.guarded, asked.cargo, &cargo)) {
    return Bad("what goes with the request that it sent is malformed");
  }
  const PoolShard* shard = ShardOf(asked);
  if (shard == nullptr) {
    refused_[std::string(asked.shard)] = asked.round;
    SayNotHere(asked.id);
  } else if (IsRefused(asked)) {
    SayNotHere(asked.id);
  } else if (!TakeSeat(asked, cargo.cargo.get())) {
    return Bad("what it asks for its workers cannot be asked over a peer link");
  } else if (MayBeLate(kind) && (late_.size() >= kMostLate || late_.contains(asked.id))) {
    SayError(asked.id, "ERR too many clients wait at the member of the fleet that owns the shard");
  } else {
    Send(asked, row, shard->slot, std::move(cargo));
  }
  return true;
}

bool PeerGuest::IsFit(const PeerRequest& asked, const CommandRow* row) {
  const RequestKind kind = KindOnceTracked(asked.kind, asked.becomes);
  if (!IsOfCommands(kind)) {
    if (asked.block || asked.guarded) return false;
    return kind != RequestKind::kLibraries || asked.frame.empty() ||
           IsCommand(asked.frame, nullptr);
  }
  if (asked.guarded && !asked.block) return false;
  if (row == nullptr && kind != RequestKind::kRead && kind != RequestKind::kWatch) {
    return false;
  }
  if (asked.block) return kind != RequestKind::kBlocking && IsBlock(asked.frame);
  if (!IsCommand(asked.frame, row)) return false;
  if (kind != RequestKind::kBlocking) return true;
  std::vector<uint32_t> keys;
  return row->blocking != Blocking::kNone && FindKeys(*row, args_, &keys) && !keys.empty();
}

bool PeerGuest::IsCommand(std::string_view frame, const CommandRow* row) {
  return frame.starts_with('*') &&
         reader_.Read(frame.data(), frame.size(), kFrameLimits, &args_) ==
             RequestReader::Status::kCommand &&
         reader_.consumed() == frame.size() && !args_.empty() &&
         (row == nullptr || ArityFits(*row, args_.size()));
}

bool PeerGuest::IsBlock(std::string_view frame) {
  if (frame.size() < kMultiFrame.size() + kExecFrame.size() || !frame.starts_with(kMultiFrame) ||
      !frame.ends_with(kExecFrame)) {
    return false;
  }
  const CommandTable& table = world_.dispatcher->pool().table();
  for (std::string_view rest = InsideOf(frame); !rest.empty();) {
    if (rest[0] != '*' || reader_.Read(rest.data(), rest.size(), kFrameLimits, &args_) !=
                              RequestReader::Status::kCommand) {
      return false;
    }
    const CommandRow* row = table.Find(args_);
    if (row != nullptr && !ArityFits(*row, args_.size())) return false;
    rest.remove_prefix(reader_.consumed());
  }
  return true;
}

void PeerGuest::SetTicket(RequestKind kind, uint64_t number, RequestCargo* cargo,
                          Pending* pending) {
  if (kind == RequestKind::kBlocking) {
    pending->blocked = std::make_shared<BlockTicket>();
    static_cast<BlockingCargo*>(cargo)->ticket = pending->blocked;
  } else if (kind == RequestKind::kSync) {
    pending->sync = std::make_shared<SyncTicket>();
    static_cast<SyncCargo*>(cargo)->ticket = pending->sync;
  } else if (kind == RequestKind::kUnblock) {
    const auto late = late_.find(number);
    // What a ticket says is its shard's.
    const bool waits = late != late_.end() && late->second->blocked != nullptr &&
                       late->second->shard == pending->shard;
    static_cast<UnblockCargo*>(cargo)->ticket =
        waits ? late->second->blocked : std::make_shared<BlockTicket>();
  } else if (auto* watch = dynamic_cast<WatchCargo*>(cargo); watch != nullptr) {
    // One without a number, or too many, is watched by nobody: it counts as touched.
    std::shared_ptr<WatchTicket>* ticket = nullptr;
    if (number != 0 && (watched_.size() < kMostWatched || watched_.contains(number))) {
      ticket = &watched_[number];
    }
    if (ticket == nullptr) {
      watch->ticket = std::make_shared<WatchTicket>();
      watch->ticket->lost = watch->ticket->dropped = true;
      return;
    }
    if (*ticket == nullptr) *ticket = std::make_shared<WatchTicket>();
    watch->ticket = *ticket;
  }
}

bool PeerGuest::TakeSeat(const PeerRequest& asked, RequestCargo* cargo) {
  if (asked.kind != RequestKind::kChannels && asked.kind != RequestKind::kTracking) {
    return asked.kind != RequestKind::kTracked || audience_.MayListen();
  }
  const std::string shard(asked.shard);
  if (asked.kind == RequestKind::kChannels) {
    return audience_.Seat(shard, static_cast<ChannelsCargo*>(cargo));
  }
  auto* tracking = static_cast<TrackingCargo*>(cargo);
  return audience_.Seat(shard, ClientOf(tracking->session).session, tracking);
}

void PeerGuest::Send(const PeerRequest& asked, const CommandRow* row, uint32_t slot,
                     PeerCargo cargo) {
  const RequestKind kind = KindOnceTracked(asked.kind, asked.becomes);
  Pending* pending = pool_.New();
  pending->guest = this;
  pending->id = asked.id;
  pending->from = asked.session;
  pending->round = asked.round;
  pending->shard = asked.shard;
  pending->counted = asked.counted && !MayBeLate(kind);
  pending->bytes = asked.frame.size();
  if (const auto* libraries = dynamic_cast<const LibrariesCargo*>(cargo.cargo.get());
      libraries != nullptr && world_.on_libraries) {
    world_.on_libraries(libraries->shared);
  }
  if (cargo.cargo != nullptr) SetTicket(kind, cargo.ticket, cargo.cargo.get(), pending);
  Client& client = ClientOf(asked.session);
  pending->client = &client;
  ++client.pending;

  Request* request = world_.dispatcher->New();
  request->kind = asked.kind;
  request->becomes = asked.becomes;
  request->primary_only = asked.primary_only;
  request->cursors = asked.cursors;
  request->guarded = asked.guarded;
  request->block = asked.block;
  request->guest = true;
  request->database = asked.database;
  request->reply_log2 = asked.reply_log2 & 63;
  request->session = client.session;
  request->shard = static_cast<uint16_t>(slot);
  request->row = row;
  request->sink = pending;
  request->frame = asked.frame;
  if (cargo.cargo != nullptr) request->Extra().cargo = std::move(cargo.cargo);
  // It is in line beyond this call, and the bytes that it came with are not.
  if (kind == RequestKind::kBlocking) request->OwnFrame();

  ++pending_;
  if (pending->counted) {
    ++counted_;
    bytes_ += pending->bytes;
  }
  if (MayBeLate(kind)) late_[asked.id] = pending;
  Deliver(request, asked.counted);
}

void PeerGuest::Deliver(Request* request, bool counted) {
  if (world_.submit) {
    world_.submit(request);
  } else if (counted) {
    world_.dispatcher->Submit(request);
  } else {
    world_.dispatcher->SubmitApart(request);
  }
}

PeerGuest::Client& PeerGuest::ClientOf(uint32_t from) {
  if (last_client_ == nullptr || last_from_ != from) {
    const auto [client, made] = clients_.try_emplace(from);
    if (made) client->second.session = from == 0 ? 0 : world_.next_session();
    last_client_ = &client->second;
    last_from_ = from;
  }
  last_client_->used_ms = now_ms_;
  return *last_client_;
}

void PeerGuest::SetGone(uint32_t from, Client* client) {
  if (from == 0 || client->gone || client->pending == 0 || world_.gone == nullptr) return;
  client->gone = true;
  world_.gone->Add(client->session);
}

void PeerGuest::LeaveSession(Pending* pending) {
  Client* client = std::exchange(pending->client, nullptr);
  if (--client->pending > 0) return;
  const bool gone = client->gone;
  if (gone) world_.gone->Remove(client->session);
  if (audience_.Tracks(pending->from)) return;  // it is known there by its number
  if (!gone && !lost_ && clients_.size() <= kMostClients) return;
  last_client_ = nullptr;
  clients_.erase(pending->from);
}

void PeerGuest::OnAnswer(Pending* pending, Request* request, const Reply& reply) {
  if (request->submitted) world_.dispatcher->Answered(*request);
  --pending_;
  if (pending->counted) {
    --counted_;
    bytes_ -= pending->bytes;
  }
  if (pending->blocked != nullptr || pending->sync != nullptr) late_.erase(pending->id);
  pending->blocked.reset();
  pending->sync.reset();
  const uint64_t id = pending->id;
  if (lost_) {
    // Nobody hears it.
  } else if (request->not_here) {
    refused_[pending->shard] = std::max(refused_[pending->shard], pending->round);
    SayNotHere(id);
  } else if (reply.bytes.size() > kMostPeerFrame - (size_t{64} << 20) - 1024) {
    SayError(id, "ERR the reply is larger than what may pass between members of the fleet");
  } else {
    PeerReply said;
    said.id = id;
    cargo_.clear();
    AppendPeerAnswers(*request, &cargo_);
    said.cargo = cargo_;
    said.bytes = reply.bytes;
    Say(said, reply.buffer);
  }
  LeaveSession(pending);
  pool_.Free(pending);
  world_.dispatcher->Free(request);
}

void PeerGuest::Say(const PeerReply& reply, ByteBuffer* buffer) {
  text_.clear();
  AppendPeerReply(reply, &text_);
  const bool large = buffer != nullptr && reply.bytes.size() >= kLargeReply;
  const bool small = reply.bytes.size() <= kSmallReply;
  if (small) text_ += reply.bytes;
  out_.Append(text_);
  if (large) {
    out_.AppendChunk(world_.chunks->Adopt(std::move(*buffer)));
  } else if (!small) {
    out_.Append(reply.bytes);
  }
  said_ms_ = now_ms_;
  WantFlush();
}

// Those of a link that is lost have no seats any more.
void PeerGuest::Push() {
  if (out_.empty()) pushed_ = 0;
  out_.Append(text_);
  pushed_ += text_.size();
  said_ms_ = now_ms_;
  const uint64_t most = world_.dispatcher->pool().config().limits.subscriber_output;
  if (std::min<uint64_t>(pushed_, out_.bytes()) > most && error_.empty()) {
    error_ =
        "it does not take the messages of channels that it wants: more than [limits] "
        "subscriber_output wait for it";
  }
  WantFlush();
}

void PeerGuest::OnSeatMessages(uint32_t worker, std::string_view messages) {
  if (!error_.empty()) return;
  text_.clear();
  AppendPeerMessages(worker, messages, &text_);
  Push();
}

void PeerGuest::OnSeatChanges(uint32_t worker, const TrackingBatch& batch) {
  if (!error_.empty()) return;
  text_.clear();
  AppendPeerChanges(
      worker, batch, [this](uint32_t session) { return audience_.NumberOf(session); }, &text_);
  Push();
}

void PeerGuest::SayNotHere(uint64_t id) {
  PeerReply reply;
  reply.id = id;
  reply.not_here = true;
  Say(reply, nullptr);
}

void PeerGuest::SayError(uint64_t id, std::string_view text) {
  std::string frame;
  AppendError(&frame, text);
  PeerReply reply;
  reply.id = id;
  reply.bytes = frame;
  Say(reply, nullptr);
}

bool PeerGuest::Tick(uint64_t now_ms) {
  now_ms_ = now_ms;
  if (!error_.empty()) return false;
  if (Full()) {  // it is not listened to
    heard_ms_ = now_ms;
    if (now_ms >= said_ms_ + PeerLink::kAliveMs) SayAlive();
  }
  if (now_ms > heard_ms_ + PeerLink::kSilenceMs) {
    return Bad("it has said nothing for " + std::to_string(PeerLink::kSilenceMs) + " ms");
  }
  last_client_ = nullptr;
  std::erase_if(clients_, [this, now_ms](const auto& client) {
    return client.second.pending == 0 && now_ms > client.second.used_ms + kKeepClientMs &&
           !audience_.Tracks(client.first);
  });
  return true;
}

void PeerGuest::SayAlive() {
  text_.clear();
  AppendPeerAlive(&text_);
  out_.Append(text_);
  said_ms_ = now_ms_;
  WantFlush();
}

void PeerGuest::Lost() {
  if (std::exchange(lost_, true)) return;
  for (const auto& [number, ticket] : watched_) ticket->dropped = true;
  watched_.clear();
  for (auto& [from, client] : clients_) SetGone(from, &client);
  out_.Clear();
  audience_.End([this](Request* request) { Deliver(request, /*counted=*/false); });
  // Answers come inside these calls.
  std::vector<std::shared_ptr<BlockTicket>> blocked;
  std::vector<uint32_t> slots;
  const Pool& pool = world_.dispatcher->pool();
  for (const auto& [id, pending] : late_) {
    if (pending->sync != nullptr) pending->sync->ended = true;
    const PoolShard* shard = pool.Find(pending->shard);
    if (pending->blocked == nullptr || shard == nullptr) continue;
    blocked.push_back(pending->blocked);
    slots.push_back(shard->slot);
  }
  for (size_t i = 0; i < blocked.size(); ++i) {
    Request* request = world_.dispatcher->New();
    request->kind = RequestKind::kUnblock;
    request->guest = true;
    request->frame = {};
    request->shard = static_cast<uint16_t>(slots[i]);
    auto cargo = std::make_unique<UnblockCargo>();
    cargo->ticket = blocked[i];
    cargo->why = UnblockCargo::Why::kGone;
    request->Extra().cargo = std::move(cargo);
    request->sink = world_.dispatcher->unanswered();
    Deliver(request, /*counted=*/false);
  }
}

}  // namespace gemel

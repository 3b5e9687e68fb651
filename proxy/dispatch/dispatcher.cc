#include "proxy/dispatch/dispatcher.h"

#include <algorithm>
#include <utility>

#include "backend/bytes/give_back.h"
#include "backend/shard/watches.h"

namespace gemel {

namespace {

// A pooled request keeps small buffers, so that a warm proxy does not allocate, and gives large
// ones back.
constexpr size_t kKeepBytes = 512;

// A transaction that depends on keys whose watch ended with the shard's stay here.
bool WatchesNoMore(const Request& request) {
  return request.guarded && !request.guest &&
         static_cast<const WatchCargo&>(*request.extra->cargo).ticket->lost;
}

}  // namespace

Dispatcher::Dispatcher(const Pool* pool, uint32_t worker, uint32_t workers)
    : worker_(worker), outboxes_(workers) {
  SetPool(pool);
}

void Dispatcher::SetPool(const Pool* pool) {
  pool_ = pool;
  ++pools_;
  // Slots of shards that are no more stay: requests may be on their way back.
  if (slots_.size() < pool->slot_count()) slots_.resize(pool->slot_count());
  for (const PoolShard& shard : pool->shards()) slots_[shard.slot].owner = shard.owner;
  pending_limit_ = pool->config().limits.node_pending;
  // One node that hangs is not to take what is for all.
  const LimitsConfig& limits = pool->config().limits;
  pending_bytes_limit_ = std::min(limits.node_pending_bytes, limits.buffered / 4);
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::Trim() {
  requests_.Trim();
  for (std::vector<Message>& outbox : outboxes_) {
    if (outbox.empty()) GiveBack(&outbox);
  }
}

void Dispatcher::Empty(RequestExtra* extra) {
  extra->owned.Clear(kKeepBytes);
  extra->reply.Clear(kKeepBytes);
  extra->cargo.reset();
  extra->note.row = nullptr;
  extra->note.args.Clear(kKeepBytes);
  extra->note.waits = false;
  extra->away = AwayTime();
}

void Dispatcher::Forward(Request* request, uint32_t worker) {
  request->OwnFrame();
  request->extra->origin_worker = worker_;
  outboxes_[worker].push_back({request, false});
}

void Dispatcher::SetShard(uint32_t slot, Shard* shard) {
  const bool waits = shard != nullptr && elsewhere_ != nullptr && elsewhere_->Has(slot);
  slots_[slot].local = waits ? nullptr : shard;
  slots_[slot].arriving = waits ? shard : nullptr;
}

Shard* Dispatcher::Arrived(const Request& request) {
  Slot& slot = slots_[request.shard];
  if (slot.arriving == nullptr) [[likely]]
    return nullptr;
  if (!elsewhere_->Has(request.shard)) slot.local = std::exchange(slot.arriving, nullptr);
  // No other member's request stands behind those of this one.
  return slot.local == nullptr && request.guest ? slot.arriving : slot.local;
}

// Alone, a process owns all of its shards: then there is no elsewhere.
void Dispatcher::SubmitAway(Request* request) {
  if (Shard* arrived = Arrived(*request); arrived != nullptr) {
    arrived->Submit(request);
    return;
  }
  const Slot& slot = slots_[request->shard];
  if (slot.owner != worker_ || elsewhere_ == nullptr) [[likely]] {
    Forward(request, slot.owner);
  } else {
    NotHere(request);
  }
}

void Dispatcher::NotHere(Request* request) {
  if (request->guest) {
    request->not_here = true;
    request->sink->OnReply(request, Reply{"", nullptr});
  } else if (WatchesNoMore(*request)) {
    request->sink->OnReply(request, Reply{"_\r\n", nullptr});
  } else {
    elsewhere_->Submit(request);
  }
}

bool Dispatcher::ComeHome(Request* request) {
  const Slot& slot = slots_[request->shard];
  Shard* home = slot.local != nullptr ? slot.local : slot.arriving;
  if (home == nullptr) return false;
  home->Submit(request);
  return true;
}

void Dispatcher::SubmitToWorker(Request* request, uint32_t worker) {
  request->kind = RequestKind::kWorker;
  if (worker == worker_) {
    handler_->HandleWorkerRequest(request);
  } else {
    Forward(request, worker);
  }
}

void Dispatcher::Receive(const Message& message) {
  Request* request = message.request;
  if (message.answered) {
    request->sink->OnReply(request, Reply{request->extra->reply.view(), &request->extra->reply});
    return;
  }
  request->Extra().origin_sink = request->sink;
  request->sink = this;
  if (request->kind == RequestKind::kWorker) {
    handler_->HandleWorkerRequest(request);
  } else if (Shard* local = slots_[request->shard].local; local != nullptr) [[likely]] {
    local->Submit(request);
  } else if (Shard* arrived = Arrived(*request); arrived != nullptr) {
    arrived->Submit(request);
  } else {
    NotHere(request);
  }
}

void Dispatcher::OnReply(Request* request, const Reply& reply) {
  RequestExtra& extra = *request->extra;
  request->sink = extra.origin_sink;
  // The frame is the shard's, if that took over what was the request's.
  if (request->owns_frame()) {
    request->frame = extra.owned.view();
  } else if (request->frame_good && !request->noted && keep_args_ != nullptr) {
    keep_args_(request);
  }
  request->frame_good = false;
  KeepReply(request, reply);
  outboxes_[extra.origin_worker].push_back({request, true});
}

void Dispatcher::KeepReply(Request* request, const Reply& reply) {
  if (board_ != nullptr) {
    // Else what a part of it has said stays.
    if (const AwayTime away = board_->Away(); away.away_us > 0) request->Extra().away = away;
  }
  ByteBuffer& kept = request->Extra().reply;
  if (reply.buffer == &kept) return;
  if (reply.buffer != nullptr) {
    kept = std::move(*reply.buffer);
  } else {
    kept.Clear(kKeepBytes);
    kept.Append(reply.bytes);
  }
}

}  // namespace gemel

#include "proxy/dispatch/dispatcher.h"

#include <algorithm>

#include "backend/bytes/give_back.h"

namespace gemel {

namespace {

// A pooled request keeps small buffers, so that a warm proxy does not allocate, and gives large
// ones back.
constexpr size_t kKeepBytes = 512;

}  // namespace

Dispatcher::Dispatcher(const Pool* pool, uint32_t worker, uint32_t workers)
    : worker_(worker), outboxes_(workers) {
  SetPool(pool);
}

void Dispatcher::SetPool(const Pool* pool) {
  pool_ = pool;
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
}

void Dispatcher::Forward(Request* request, uint32_t worker) {
  request->OwnFrame();
  request->extra->origin_worker = worker_;
  outboxes_[worker].push_back({request, false});
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
  } else {
    slots_[request->shard].local->Submit(request);
  }
}

void Dispatcher::OnReply(Request* request, const Reply& reply) {
  RequestExtra& extra = *request->extra;
  request->sink = extra.origin_sink;
  KeepReply(request, reply);
  outboxes_[extra.origin_worker].push_back({request, true});
}

void Dispatcher::KeepReply(Request* request, const Reply& reply) {
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

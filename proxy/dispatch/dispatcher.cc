#include "proxy/dispatch/dispatcher.h"

namespace gemel {

namespace {

// A pooled request keeps small buffers, so that a warm proxy does not allocate, and gives large ones
// back.
constexpr size_t kKeepBytes = 512;

}  // namespace

Dispatcher::Dispatcher(const Pool* pool, uint32_t worker, uint32_t workers)
    : pool_(pool),
      worker_(worker),
      slots_(pool->shards().size()),
      outboxes_(workers),
      pending_limit_(pool->config().limits.node_pending),
      pending_bytes_limit_(pool->config().limits.node_pending_bytes) {
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i].owner = pool->shards()[i].owner;
}

Dispatcher::~Dispatcher() = default;

Request* Dispatcher::New() {
  if (free_ == nullptr) {
    constexpr size_t kBlock = 128;
    blocks_.push_back(std::make_unique<Request[]>(kBlock));
    for (size_t i = 0; i < kBlock; ++i) {
      blocks_.back()[i].next = free_;
      free_ = &blocks_.back()[i];
    }
  }
  Request* request = free_;
  free_ = request->next;
  __builtin_prefetch(free_, 1);
  request->next = nullptr;
  return request;
}

void Dispatcher::Free(Request* request) {
  if (request->has_buffers) {
    request->owned.Clear(kKeepBytes);
    request->reply.Clear(kKeepBytes);
    request->has_buffers = false;
  }
  request->sink = nullptr;
  request->row = nullptr;
  request->kind = RequestKind::kRead;
  request->primary_only = false;
  request->answered = false;
  request->submitted = false;
  request->frame = {};
  request->next = free_;
  free_ = request;
}

void Dispatcher::Forward(Request* request, uint32_t worker) {
  if (!request->owns_frame()) request->OwnedForWriting().Append(request->frame);
  request->frame = request->owned.view();
  request->origin_worker = worker_;
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
    request->sink->OnReply(request, Reply{request->reply.view(), &request->reply});
    return;
  }
  request->origin_sink = request->sink;
  request->sink = this;
  if (request->kind == RequestKind::kWorker) {
    handler_->HandleWorkerRequest(request);
  } else {
    slots_[request->shard].local->Submit(request);
  }
}

void Dispatcher::OnReply(Request* request, const Reply& reply) {
  request->sink = request->origin_sink;
  if (reply.buffer != nullptr) {
    request->ReplyForWriting() = std::move(*reply.buffer);
  } else {
    ByteBuffer& kept = request->ReplyForWriting();
    kept.Clear(kKeepBytes);
    kept.Append(reply.bytes);
  }
  outboxes_[request->origin_worker].push_back({request, true});
}

}  // namespace gemel

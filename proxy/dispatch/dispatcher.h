// Brings a worker's requests to their shards: its own by a call, another worker's by a message.
// Messages are collected and travel once a loop turn (see Outbox).

#ifndef GEMEL_PROXY_DISPATCH_DISPATCHER_H_
#define GEMEL_PROXY_DISPATCH_DISPATCHER_H_

#include <cstdint>
#include <vector>

#include "backend/bytes/block_pool.h"
#include "backend/shard/request.h"
#include "backend/shard/shard.h"
#include "proxy/dispatch/pool.h"

namespace gemel {

// A request on its way to the worker that owns its shard, or answered and on its way back.
struct Message {
  Request* request;
  bool answered;
};

// Requests addressed to a worker, not to a shard (CLIENT LIST over all workers): it answers through
// the request's sink.
class WorkerRequestHandler {
 public:
  virtual ~WorkerRequestHandler() = default;
  virtual void HandleWorkerRequest(Request* request) = 0;
};

// One worker's, used on its thread alone.
class Dispatcher : private RequestSink {
 public:
  Dispatcher(const Pool* pool, uint32_t worker, uint32_t workers);
  ~Dispatcher() override;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Requests go by this pool from now on.
  void SetPool(const Pool* pool);
  // A shard that this worker owns. Null: no request will come for that slot any more.
  void SetShard(uint32_t slot, Shard* shard) { slots_[slot].local = shard; }
  void set_handler(WorkerRequestHandler* handler) { handler_ = handler; }

  const Pool& pool() const { return *pool_; }
  uint32_t worker() const { return worker_; }
  uint32_t workers() const { return static_cast<uint32_t>(outboxes_.size()); }

  // Requests are pooled. New gives an empty one; Free takes back one that is answered, on the
  // worker that made it.
  Request* New() { return requests_.New(); }
  void Free(Request* request) {
    if (request->extra != nullptr) [[unlikely]]
      Empty(request->extra.get());
    request->kind = RequestKind::kRead;
    request->primary_only = false;
    request->submitted = false;
    request->answered = false;
    request->guarded = false;
    request->block = false;
    request->next = nullptr;
    request->row = nullptr;
    requests_.Free(request);
  }
  size_t requests_in_use() const { return requests_.in_use(); }

  // Sends a request to its shard. The frame must be valid during the call. The answer comes to its
  // sink, maybe at once.
  void Submit(Request* request) {
    Slot& slot = slots_[request->shard];
    ++slot.pending;
    slot.pending_bytes += request->frame.size();
    slot.expected_bytes += uint64_t{1} << request->reply_log2;
    request->submitted = true;
    if (slot.local != nullptr) [[likely]] {
      slot.local->Submit(request);
    } else {
      Forward(request, slot.owner);
    }
  }
  // Sends a request that may be answered much later, or says nothing of how busy its shard is: it
  // is not counted as pending there. Its sink does not call Answered.
  void SubmitApart(Request* request) {
    Slot& slot = slots_[request->shard];
    if (slot.local != nullptr) {
      slot.local->Submit(request);
    } else {
      Forward(request, slot.owner);
    }
  }
  // The same to a worker's own handler.
  void SubmitToWorker(Request* request, uint32_t worker);

  // A sink calls this first when a request that it submitted to a shard is answered.
  void Answered(const Request& request) {
    Slot& slot = slots_[request.shard];
    --slot.pending;
    slot.pending_bytes -= request.frame.size();  // which moves, but keeps its size
    slot.expected_bytes -= uint64_t{1} << request.reply_log2;
  }
  // So much waits for the shard that its clients are to be read from no further. Those of whom much
  // waits (`own` requests) are stopped long before the others: whoever comes stands behind it all.
  bool Congested(uint32_t shard, size_t own = 0) const {
    const Slot& slot = slots_[shard];
    return slot.pending > pending_limit_ || slot.pending_bytes > pending_bytes_limit_ ||
           (own > kFew && slot.pending > pending_limit_ / kPartOfFew);
  }
  // The replies to what is under way may be more than its nodes keep for one client: who asks for
  // large ones waits.
  bool Crowded(uint32_t shard) const {
    const Slot& slot = slots_[shard];
    return slot.expected_bytes > kLittle && slot.expected_bytes > RoomOf(slot);
  }

  // Keeps a reply with its request, until its turn comes.
  static void KeepReply(Request* request, const Reply& reply);

  // --- for the worker's loop ---
  // What is to go to another worker; the loop takes it at the end of a turn.
  std::vector<Message>& outbox(uint32_t worker) { return outboxes_[worker]; }
  void Receive(const Message& message);
  // Now and then: gives memory back that is not needed any more.
  void Trim();

 private:
  struct Slot {
    Shard* local = nullptr;
    uint32_t owner = 0;
    size_t pending = 0;
    size_t pending_bytes = 0;
    uint64_t expected_bytes = 0;  // of replies to what is pending, as far as they are known
  };
  static constexpr size_t kFew = 256;
  static constexpr size_t kPartOfFew = 8;
  // Less than this no node minds.
  static constexpr uint64_t kLittle = uint64_t{1} << 20;

  // What the nodes keep for one client, where they say so and the shard is this worker's.
  static uint64_t RoomOf(const Slot& slot) {
    return slot.local != nullptr ? slot.local->reply_room() : SideReads::kRoom;
  }

  void Forward(Request* request, uint32_t worker);
  [[gnu::noinline]] static void Empty(RequestExtra* extra);
  // The answer to a request of another worker's.
  void OnReply(Request* request, const Reply& reply) override;

  const Pool* pool_;
  uint32_t worker_;
  std::vector<Slot> slots_;
  std::vector<std::vector<Message>> outboxes_;
  WorkerRequestHandler* handler_ = nullptr;
  size_t pending_limit_;
  size_t pending_bytes_limit_;
  BlockPool<Request, 8> requests_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_DISPATCHER_H_

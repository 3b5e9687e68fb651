// Brings a worker's requests to their shards: its own by a call, another worker's by a message.
// Messages are collected and travel once a loop turn (see Outbox).

#ifndef GEMEL_PROXY_DISPATCH_DISPATCHER_H_
#define GEMEL_PROXY_DISPATCH_DISPATCHER_H_

#include <cstdint>
#include <vector>

#include "backend/bytes/block_pool.h"
#include "backend/shard/request.h"
#include "backend/shard/shard.h"
#include "proxy/dispatch/elsewhere.h"
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
  // A shard that this worker owns; it begins with what Elsewhere has for it. Null: no request will
  // come for that slot any more.
  void SetShard(uint32_t slot, Shard* shard);
  void set_handler(WorkerRequestHandler* handler) { handler_ = handler; }
  // Who brings requests to shards that this worker would have, and that another process owns; null:
  // there are no such shards. Outlives this.
  void set_elsewhere(Elsewhere* elsewhere) { elsewhere_ = elsewhere; }

  const Pool& pool() const { return *pool_; }
  // So many there were until now: what is remembered of one is good while this stays.
  uint64_t pools() const { return pools_; }
  uint32_t worker() const { return worker_; }
  uint32_t workers() const { return static_cast<uint32_t>(outboxes_.size()); }

  // Who knows how long a node had what is answered now; outlives this.
  void set_board(const AnswerBoard* board) { board_ = board; }
  // What is told of a request of another worker's, whose frame is gone once it is answered, is kept
  // by this in its note.
  using KeepArgs = void (*)(Request* request);
  void set_keep_args(KeepArgs keep) { keep_args_ = keep; }

  // Requests are pooled. New gives an empty one; Free takes back one that is answered, on the
  // worker that made it.
  Request* New() { return requests_.New(); }
  // One that `sink` sends for what `place` was reserved for: as that client asks, in its database.
  Request* NewFor(const Request& place, RequestSink* sink) {
    Request* request = New();
    request->sink = sink;
    request->session = place.session;
    request->database = place.database;
    request->reply_log2 = place.reply_log2;
    return request;
  }
  void Free(Request* request) {
    if (request->extra != nullptr) [[unlikely]]
      Empty(request->extra.get());
    request->kind = RequestKind::kRead;
    request->primary_only = request->cursors = false;
    request->submitted = false;
    request->answered = false;
    request->guarded = false;
    request->holds_pushes = false;
    request->frame_good = false;
    request->noted = false;
    request->guest = false;
    request->not_here = false;
    request->block = false;
    request->next = nullptr;
    request->row = nullptr;
    requests_.Free(request);
  }
  size_t requests_in_use() const { return requests_.in_use(); }
  // The sink of requests of SubmitApart whose answers are told to nobody.
  RequestSink* unanswered() { return &unanswered_; }

  // Sends a request to its shard. The frame must be valid during the call. The answer comes to its
  // sink, maybe at once.
  void Submit(Request* request) {
    Slot& slot = slots_[request->shard];
    ++slot.pending;
    request->NoteSize();
    slot.pending_bytes += request->NotedSize();
    slot.expected_bytes += uint64_t{1} << request->reply_log2;
    request->submitted = true;
    if (slot.local != nullptr) [[likely]] {
      slot.local->Submit(request);
    } else {
      SubmitAway(request);
    }
  }
  // Sends a request that may be answered much later, or says nothing of how busy its shard is: it
  // is not counted as pending there. Its sink does not call Answered.
  void SubmitApart(Request* request) {
    Slot& slot = slots_[request->shard];
    if (slot.local != nullptr) {
      slot.local->Submit(request);
    } else {
      SubmitAway(request);
    }
  }
  // The same to a worker's own handler.
  void SubmitToWorker(Request* request, uint32_t worker);

  // --- where shards change their owners, on the worker that has the shard or would have it ---
  // A shard of this worker's gives back what it has not sent to any node (ShardEnv::NotHere),
  // before anything else is submitted to it. A guest's request is answered so (Request::not_here,
  // with an empty reply), wherever its sink is; others go elsewhere, and are answered from there.
  void NotHere(Request* request);
  // One that Elsewhere holds, now that its shard is this worker's: to the shard, as it was
  // submitted once. It is counted already. False, and nothing is done: the shard is not here, for
  // a lease is known of before the shard is, and after it.
  bool ComeHome(Request* request);

  // A sink calls this first when a request that it submitted to a shard is answered.
  void Answered(const Request& request) {
    Slot& slot = slots_[request.shard];
    --slot.pending;
    slot.pending_bytes -= request.NotedSize();
    slot.expected_bytes -= uint64_t{1} << request.reply_log2;
  }
  // So many requests are submitted and not answered, of those that are counted.
  size_t pending() const {
    size_t pending = 0;
    for (const Slot& slot : slots_) pending += slot.pending;
    return pending;
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
  void KeepReply(Request* request, const Reply& reply);

  // --- for the worker's loop ---
  // What is to go to another worker; the loop takes it at the end of a turn.
  std::vector<Message>& outbox(uint32_t worker) { return outboxes_[worker]; }
  void Receive(const Message& message);
  // Now and then: gives memory back that is not needed any more.
  void Trim();

 private:
  struct Slot {
    Shard* local = nullptr;
    Shard* arriving = nullptr;  // will be local once Elsewhere has nothing for it any more
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
  // To a shard that this worker does not have.
  void SubmitAway(Request* request);
  // The shard that is arriving, for a request that need not go elsewhere first; null: it must.
  Shard* Arrived(const Request& request);
  [[gnu::noinline]] static void Empty(RequestExtra* extra);
  class Unanswered : public RequestSink {
   public:
    explicit Unanswered(Dispatcher* dispatcher) : dispatcher_(dispatcher) {}
    void OnReply(Request* request, const Reply&) override { dispatcher_->Free(request); }

   private:
    Dispatcher* const dispatcher_;
  };

  // The answer to a request of another worker's.
  void OnReply(Request* request, const Reply& reply) override;

  const Pool* pool_;
  uint64_t pools_ = 0;
  uint32_t worker_;
  std::vector<Slot> slots_;
  std::vector<std::vector<Message>> outboxes_;
  WorkerRequestHandler* handler_ = nullptr;
  Elsewhere* elsewhere_ = nullptr;
  KeepArgs keep_args_ = nullptr;
  const AnswerBoard* board_ = nullptr;
  size_t pending_limit_;
  size_t pending_bytes_limit_;
  BlockPool<Request, 8> requests_;
  Unanswered unanswered_{this};
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_DISPATCHER_H_

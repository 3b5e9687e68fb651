// One event-loop thread: its sessions, its shards with their links, probes and resyncs, and its
// mailbox.

#ifndef GEMEL_PROXY_WORKER_UV_WORKER_H_
#define GEMEL_PROXY_WORKER_UV_WORKER_H_

#include <uv.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/shard/node_abilities.h"
#include "backend/shard/server_claims.h"
#include "backend/shard/server_voices.h"
#include "backend/shard/shard.h"
#include "backend/topology/coordinator.h"
#include "backend/uv/uv_clock.h"
#include "backend/uv/uv_link.h"
#include "backend/uv/uv_timer.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/local/local_commands.h"
#include "proxy/worker/draining.h"
#include "proxy/worker/memory_ebb.h"
#include "proxy/worker/uv_listener.h"
#include "proxy/worker/uv_mailbox.h"
#include "proxy/worker/uv_owned_shard.h"
#include "proxy/worker/uv_relief.h"
#include "proxy/worker/uv_sessions.h"
#include "proxy/worker/uv_turns.h"

namespace gemel {

class UvWorker : private WorkerRequestHandler {
 public:
  // What all workers of the process share; outlives them.
  struct Shared {
    const ProcessInfo* process = nullptr;
    // A shard that a reload removed has come to its end. On any worker's thread.
    std::function<void(const std::string& shard)> retired;
    ResyncBoard* resyncs = nullptr;
    ServerClaims* claims = nullptr;
    ServerVoices voices;
    NodeAbilities* abilities = nullptr;
    OtherProxies* others = nullptr;
    bool after_crash = false;  // the last process did not stop in order
    std::vector<std::unique_ptr<UvWorker>> workers;
    std::atomic<uint32_t> clients{0};
    // What the limit on open files leaves; counts where it is below max_clients.
    std::atomic<uint32_t> room_for_clients{UINT32_MAX};
    std::atomic<uint64_t> next_session{1};
    GoneSessions gone_sessions;
  };

  // What is in effect: a config, and what was made of it. One at a time on all workers.
  struct Serving {
    std::shared_ptr<const Config> config;
    std::shared_ptr<const Pool> pool;
    std::shared_ptr<const RingHistory> rings;  // the last is the pool's
  };
  // What one worker must know to go over to the next.
  struct Change {
    Serving next;
    // With what was made durable for it: all shards of the next pool.
    std::shared_ptr<const Topology> topology;
    bool force = false;  // see Membership::SetNodes
    struct Listener {
      Address address;
      UniqueFd socket;
    };
    std::vector<Listener> listeners;  // new ones
  };

  UvWorker(Shared* shared, Serving serving, uint32_t index);
  ~UvWorker() override;
  UvWorker(const UvWorker&) = delete;
  UvWorker& operator=(const UvWorker&) = delete;

  // --- before Run, on the main thread ---
  uv_loop_t* loop() { return &loop_; }
  WorkerStats& stats() { return stats_; }
  void set_coordinator(std::unique_ptr<Coordinator> coordinator);
  // Of worker 0: see LocalCommands.
  void set_on_process_order(LocalCommands::OnProcessOrder on_order) {
    local_.set_on_process_order(std::move(on_order));
  }
  // A shard that this worker owns. `newcomer`: the process serves other shards already.
  void AddShard(const ShardConfig& config, const ShardInfo& info, bool newcomer = false);
  void AddListener(const Address& address, UniqueFd socket);

  // Runs the loop until Stop. On the worker's own thread.
  void Run();

  // --- any thread ---
  // Runs a closure on this worker's thread, soon.
  void Post(std::function<void()> task) { mailbox_.Post(std::move(task)); }
  // Takes messages that another worker collected; `messages` is empty afterwards.
  void Deliver(std::vector<Message>* messages) { mailbox_.Deliver(messages); }

  // --- on the worker's thread ---
  // Stops accepting, serves what has been sent already, answers what is in flight, then calls
  // `drained` (once; also when `deadline_ms` have passed). Its shards go on, for other workers.
  void Drain(uint64_t deadline_ms, std::function<void()> drained);
  // A reload, in three steps, each begun when all workers have done the one before: what the others
  // are to know is sent; what they sent is taken; the next pool is in effect. So every request that
  // goes by the old pool has reached its shard before the first that goes by the new is sent.
  void BeginChange() { FlushAll(); }
  void TakeAll() { mailbox_.ReceiveAll(&dispatcher_); }
  void EndChange(Change change);
  // Every copy has answered every write that was sent.
  bool Quiet() const;
  // Ends everything; Run returns.
  void Stop();

 private:
  class Env;
  struct Listener {
    Address address;
    std::unique_ptr<UvListener> listener;
  };

  void Use(const Serving& serving);
  void SetScheduling();
  void SetIoUring();
  void SetNow() { sessions_.session_context().now_ms = clock_->NowMs(); }
  void StartListener(const Listener& listener);

  // Parts of EndChange.
  void UnblockMoved();
  void AddNewShards(const Topology& topology);
  void ChangeShards(const Change& change, size_t known, bool ring_changed);
  void ChangeListeners(Change* change);

  void OnWake();
  void OnTick();
  void UnblockAt(uint64_t at_ms);
  void OnMessages(uint32_t worker, std::string messages);
  void OnUnblock();
  bool TickAll(uint64_t now_ms);
  void Retire(uint64_t now_ms);
  void CheckDrained(uint64_t now_ms);
  void OnSecond();
  void SumShards();
  void GiveMemoryBack();
  void Turn();
  void FlushAll();
  void OnConnection(UniqueFd socket, bool unix_socket);
  void HandleWorkerRequest(Request* request) override { local_.RunWorkerOrder(request); }

  Shared* shared_;
  Serving serving_;
  const uint32_t index_;
  // The loop first: what follows is made on it.
  struct Loop : uv_loop_t {
    Loop() { uv_loop_init(this); }
  } loop_;
  std::unique_ptr<UvClock> clock_;  // all ages on this loop are measured by it
  WorkerStats stats_;
  UvMailbox mailbox_;
  UvTurns turns_;

  ChunkPool chunks_;
  UvStreamGroup streams_;
  UvLinkContext link_context_;
  UvSessions sessions_;
  Dispatcher dispatcher_;
  ChannelRegistry channels_;
  LocalCommands local_;
  std::unique_ptr<Env> env_;
  std::vector<std::unique_ptr<UvOwnedShard>> shards_;
  std::vector<Listener> listeners_;
  UvRelief relief_;
  std::unique_ptr<UvTimer> tick_;
  std::unique_ptr<UvTimer> second_;
  std::unique_ptr<UvTimer> again_;  // the next turn, at once
  std::unique_ptr<UvTimer> unblock_;
  uint64_t unblock_ms_ = 0;  // when that fires; 0: it does not

  size_t delivered_ = 0;  // bytes of others' messages in this turn
  Draining draining_;
  std::vector<uint64_t> heard_;  // by shard: see Removals::AllHeard
  uint32_t random_;
  MemoryEbb memory_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_WORKER_H_

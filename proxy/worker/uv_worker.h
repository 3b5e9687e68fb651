// One event-loop thread: its sessions, its shards with their links, probes and resyncs, and its
// mailbox.

#ifndef GEMEL_PROXY_WORKER_UV_WORKER_H_
#define GEMEL_PROXY_WORKER_UV_WORKER_H_

#include <uv.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/shard/server_claims.h"
#include "backend/shard/shard.h"
#include "backend/topology/coordinator.h"
#include "backend/uv/uv_clock.h"
#include "backend/uv/uv_link.h"
#include "backend/uv/uv_timer.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/local/local_commands.h"
#include "proxy/worker/uv_listener.h"
#include "proxy/worker/uv_owned_shard.h"
#include "proxy/worker/uv_relief.h"
#include "proxy/worker/uv_session.h"

namespace gemel {

class UvWorker : private WorkerRequestHandler, private SessionDirectory {
 public:
  // What all workers of the process share; outlives them.
  struct Shared {
    const ProcessInfo* process = nullptr;
    // A shard that a reload removed has come to its end. On any worker's thread.
    std::function<void(const std::string& shard)> retired;
    ResyncBoard* resyncs = nullptr;
    ServerClaims* claims = nullptr;
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
  void set_coordinator(std::unique_ptr<Coordinator> coordinator) {
    coordinator_ = std::move(coordinator);
  }
  // Of worker 0: see LocalCommands.
  void set_on_process_order(LocalCommands::OnProcessOrder on_order) {
    local_.set_on_process_order(std::move(on_order));
  }
  // A shard that this worker owns.
  // `newcomer`: the process serves other shards already.
  void AddShard(const ShardConfig& config, const ShardInfo& info, bool newcomer = false);
  void AddListener(const Address& address, UniqueFd socket);

  // Runs the loop until Stop. On the worker's own thread.
  void Run();

  // --- any thread ---
  // Runs a closure on this worker's thread, soon.
  void Post(std::function<void()> task);
  // Takes messages that another worker collected; `messages` is empty afterwards.
  void Deliver(std::vector<Message>* messages);

  // --- on the worker's thread ---
  // Stops accepting, serves what has been sent already, answers what is in flight, then calls
  // `drained` (once; also when `deadline_ms` have passed). Its shards go on, for other workers.
  void Drain(uint64_t deadline_ms, std::function<void()> drained);
  // A reload, in three steps, each begun when all workers have done the one before: what the others
  // are to know is sent; what they sent is taken; the next pool is in effect. So every request that
  // goes by the old pool has reached its shard before the first that goes by the new is sent.
  void BeginChange() { FlushAll(); }
  void TakeAll() { ReceiveAll(); }
  void EndChange(Change change);
  // Every copy has answered every write that was sent.
  bool Quiet() const;
  // Ends everything; Run returns.
  void Stop();

 private:
  class Env;

  void OnWake();
  void ReceiveAll();
  void Use(const Serving& serving);
  void SetScheduling();
  void SetIoUring();
  void Retire(uint64_t now_ms);
  void OnTick();
  bool TickAll(uint64_t now_ms);
  void OnSecond();
  void GiveMemoryBack();
  void Turn();
  void NotePoll();
  void NotePolled();
  void NoteTurn(uint64_t took_ms);
  void FlushAll();
  void ResumePaused();
  void Reap();
  void OnConnection(UniqueFd socket, bool unix_socket);
  void CheckDrained();

  void HandleWorkerRequest(Request* request) override { local_.RunWorkerOrder(request); }
  void ForEachSession(const std::function<void(Session&)>& visit) override;
  void KillSession(Session& session) override;

  Shared* shared_;
  Serving serving_;
  const uint32_t index_;
  uv_loop_t loop_;
  std::unique_ptr<UvClock> clock_;  // all ages on this loop are measured by it
  uv_async_t wake_;
  uv_prepare_t prepare_;
  uv_check_t check_;
  WorkerStats stats_;

  std::mutex mutex_;  // guards the two below
  std::vector<Message> inbox_;
  std::vector<std::function<void()>> tasks_;
  std::vector<Message> receiving_;

  ChunkPool chunks_;
  UvStreamGroup streams_;
  UvLinkContext link_context_;
  UvSessionContext session_context_;
  Dispatcher dispatcher_;
  LocalCommands local_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Env> env_;
  std::vector<std::unique_ptr<UvOwnedShard>> shards_;
  struct Listener {
    Address address;
    std::unique_ptr<UvListener> listener;
  };
  std::vector<Listener> listeners_;
  std::vector<std::unique_ptr<UvSession>> sessions_;   // connected
  std::vector<std::unique_ptr<UvSession>> finishing_;  // over, but with requests in flight
  UvRelief relief_;
  std::unique_ptr<UvTimer> tick_;
  std::unique_ptr<UvTimer> second_;
  std::unique_ptr<UvTimer> again_;  // the next turn, at once

  std::function<void()> drained_;
  uint64_t drain_close_ms_ = 0;  // when sessions that are idle are closed
  uint64_t drain_deadline_ms_ = 0;
  uint32_t random_;
  uint64_t most_held_ = 0;                       // since memory was last given back to the system
  uint32_t give_back_s_ = 0;                     // so often still, once a second
  uint64_t poll_ms_ = 0;                         // when the last poll began
  int poll_for_ms_ = 0;                          // and for how long at most; -1: without an end
  uint64_t polled_ms_ = 0;                       // when it ended
  std::array<uint64_t, 11> longest_turns_ms_{};  // by second, the present one last
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_WORKER_H_

// One event-loop thread: its sessions, its shards with their links, probes and resyncs, and its
// mailbox.

#ifndef GEMEL_PROXY_WORKER_UV_WORKER_H_
#define GEMEL_PROXY_WORKER_UV_WORKER_H_

#include <uv.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/audit/audit.h"
#include "backend/resync/resync.h"
#include "backend/resync/role_watch.h"
#include "backend/shard/shard.h"
#include "backend/topology/coordinator.h"
#include "backend/uv/hiredis_control.h"
#include "backend/uv/hiredis_probe.h"
#include "backend/uv/uv_link.h"
#include "backend/uv/uv_timer.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/local/local_commands.h"
#include "proxy/worker/uv_listener.h"
#include "proxy/worker/uv_session.h"

namespace gemel {

class UvWorker : private WorkerRequestHandler, private SessionDirectory {
 public:
  // What all workers of the process share; outlives them.
  struct Shared {
    const Pool* pool = nullptr;
    const ProcessInfo* process = nullptr;
    ResyncBoard* resyncs = nullptr;
    std::vector<std::unique_ptr<UvWorker>> workers;
    std::atomic<uint32_t> clients{0};
    std::atomic<uint64_t> next_session{1};
  };

  UvWorker(Shared* shared, uint32_t index);
  ~UvWorker() override;
  UvWorker(const UvWorker&) = delete;
  UvWorker& operator=(const UvWorker&) = delete;

  // --- before Run, on the main thread ---
  uv_loop_t* loop() { return &loop_; }
  WorkerStats& stats() { return stats_; }
  void set_coordinator(std::unique_ptr<Coordinator> coordinator) {
    coordinator_ = std::move(coordinator);
  }
  // A shard that this worker owns, by its index in the pool.
  void AddShard(uint32_t index, const ShardInfo& info);
  void AddListener(UniqueFd socket, bool unix_socket);

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
  // Every copy has answered every write that was sent.
  bool Quiet() const;
  // Ends everything; Run returns.
  void Stop();

 private:
  class Env;
  struct OwnedShard;

  void OnWake();
  void OnTick();
  void OnSecond();
  void Turn();
  void FlushAll();
  void Reap();
  void OnConnection(uv_stream_t* server, bool unix_socket);
  void CheckDrained();

  void HandleWorkerRequest(Request* request) override;
  void ForEachSession(const std::function<void(Session&)>& visit) override;
  void KillSession(Session& session) override;

  Shared* shared_;
  const uint32_t index_;
  uv_loop_t loop_;
  uv_async_t wake_;
  uv_prepare_t prepare_;
  uv_check_t check_;
  WorkerStats stats_;

  std::mutex mutex_;  // guards the two below
  std::vector<Message> inbox_;
  std::vector<std::function<void()>> tasks_;
  std::vector<Message> receiving_;

  ChunkPool chunks_;
  UvLinkContext link_context_;
  UvSessionContext session_context_;
  Dispatcher dispatcher_;
  LocalCommands local_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Env> env_;
  std::vector<std::unique_ptr<OwnedShard>> shards_;
  std::vector<std::unique_ptr<UvListener>> listeners_;
  std::vector<std::unique_ptr<UvSession>> sessions_;   // connected
  std::vector<std::unique_ptr<UvSession>> finishing_;  // over, but with requests in flight
  std::unique_ptr<UvTimer> tick_;
  std::unique_ptr<UvTimer> second_;

  std::function<void()> drained_;
  uint64_t drain_close_ms_ = 0;  // when sessions that are idle are closed
  uint64_t drain_deadline_ms_ = 0;
  uint32_t random_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_WORKER_H_

// One event-loop thread: its sessions, its shards with their links, probes and resyncs, and its
// mailbox.

#ifndef GEMEL_PROXY_WORKER_UV_WORKER_H_
#define GEMEL_PROXY_WORKER_UV_WORKER_H_

#include <uv.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/shard/node_abilities.h"
#include "backend/shard/server_claims.h"
#include "backend/shard/server_voices.h"
#include "backend/shard/shard.h"
#include "backend/shard/tracking_totals.h"
#include "backend/topology/coordinator.h"
#include "backend/uv/uv_clock.h"
#include "backend/uv/uv_link.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/local/local_commands.h"
#include "proxy/seen/worker_seen.h"
#include "proxy/tracking/tracker_registry.h"
#include "proxy/tracking/tracking_mail.h"
#include "proxy/upgrade/hand_over.h"
#include "proxy/worker/draining.h"
#include "proxy/worker/memory_ebb.h"
#include "proxy/worker/uv_listener.h"
#include "proxy/worker/uv_mailbox.h"
#include "proxy/worker/uv_relief.h"
#include "proxy/worker/uv_sessions.h"
#include "proxy/worker/uv_turns.h"
#include "proxy/worker/uv_worker_fleet.h"
#include "proxy/worker/uv_worker_shards.h"
#include "proxy/worker/uv_worker_timers.h"

namespace gemel {

struct WorkerReadings;

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
    // Of a hand-over: workers that have brought back who had subscribed to something, or monitors.
    // Counts the one that asks, and waits for the others; for a second at most.
    std::atomic<uint32_t> listeners_back{0};
    void AwaitListeners();
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
  const ClientsSeen& seen() const { return seen_.clients; }
  void set_coordinator(std::unique_ptr<Coordinator> coordinator);
  // Of worker 0: see LocalCommands.
  void set_on_process_order(LocalCommands::OnProcessOrder on_order) {
    local_.set_on_process_order(std::move(on_order));
  }
  // The process is a member of a fleet: the worker has those of its shards whose leases are the
  // process's (AddShard is not called), from Run on. Requests for others go to the members that own
  // them.
  void JoinFleet(const FleetFacts& facts);
  void AddPeerListener(const Address& address, UniqueFd socket);
  // Of the worker's thread.
  Dispatcher& dispatcher() { return dispatcher_; }
  // A shard that this worker owns.
  void AddShard(const ShardConfig& config, const ShardInfo& info);
  void AddListener(const Address& address, UniqueFd socket);

  // What another process had, which this one follows: its clients go on here before anything else
  // is read. Each comes with its socket. `told`: see Session::TakeOver.
  struct Inherited {
    std::vector<std::pair<UniqueFd, HandedSession>> sessions;
    std::string told;
    uint64_t pause_left_ms = 0;  // of CLIENT PAUSE
    bool pause_all = false;
    bool handed = false;  // there is such a process, so that all workers have this
  };
  void set_inherited(Inherited inherited) { inherited_ = std::move(inherited); }

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
  void BeginChange() {
    channels_.BeginChange();
    FlushAll();
  }
  void TakeAll() { mailbox_.ReceiveAll(&dispatcher_); }
  void EndChange(Change change);
  // See UvWorkerFleet::Hold.
  void HoldClients(uint64_t for_ms, std::function<void(bool all)> done);
  void LetClientsGo();
  // --- the process goes over to another binary (uv_worker_hand_over.cc) ---
  // What a worker hands over, and what it knows of the others' clients.
  struct HandedPart {
    bool settled = false;
    std::string who;  // is not settled: "127.0.0.1:40000 has asked"
    bool quiet = false;
    uint64_t pause_left_ms = 0;
    bool pause_all = false;
    std::vector<HandedListener> listeners;
    std::vector<HandedSession> sessions;
  };
  using OnHanded = std::function<void(HandedPart part)>;
  // Accepts and reads nothing from clients; `done` runs once, when all that they asked is answered,
  // or after so long, not settled.
  void BeginHandOver(uint64_t for_ms, OnHanded done);
  // All workers have: when every write is answered by all copies, too, nothing at all is sent or
  // read any more, and `done` is told of all clients; or after so long, not settled.
  void FreezeForHandOver(uint64_t for_ms, OnHanded done);
  // Nothing came of it: goes on as before, whatever was begun.
  void EndHandOver();

  // The process keeps other libraries of functions: every shard is told.
  void TellLibraries();
  // Adds what it tells of `most` of its shards, from that one on. True: there are more; else the
  // rest of it was told, too.
  bool Read(WorkerReadings* readings, bool for_people, size_t from, size_t most);
  // Where such a request (of kind kExplain) to its shard of that slot would go; nothing: it has
  // none.
  std::optional<ShardExplanation> Explain(uint32_t slot, const Request& request) const;
  // Has that shard carry an order out; `done` runs once, maybe at once. False: it has none.
  bool Carry(uint32_t slot, const ShardOrder& order, OrderDone done);
  // Every copy has answered every write that was sent.
  bool Quiet() const { return shards_.Quiet(); }
  // Ends everything; Run returns.
  void Stop();

 private:
  class Env;
  struct Listener {
    Address address;
    std::unique_ptr<UvListener> listener;
  };

  void ConnectFleet(const FleetFacts& facts);
  void Use(const Serving& serving);
  void SetLooking();
  void SetScheduling();
  void SetIoUring();
  // At the beginning of whatever the loop calls.
  void SetNow();
  void StartListener(const Listener& listener);

  void ChangeListeners(Change* change);

  void OnWake();
  void OnTick();
  void OnMessages(uint32_t worker, std::string messages);
  void OnSentMessages(uint32_t worker, const std::string& messages);
  // All workers of the process: see ChannelRegistry::OnShardAnew.
  void TellShardAnew(uint32_t slot);
  void OnUnblock();
  bool TickAll(uint64_t now_ms);
  void CheckDrained(uint64_t now_ms);
  void CheckSettled();
  HandedPart Freeze();
  void TakeOver();
  void OnSecond();
  void GiveMemoryBack();
  void Turn();
  void SendMonitorLines();
  void FlushAll();
  void OnConnection(UniqueFd socket, bool unix_socket, bool tls);
  void HandleWorkerRequest(Request* request) override {
    if (tracking_mail_.Take(request) || channels_.Take(request)) return;
    local_.RunWorkerOrder(request);
  }

  Shared* shared_;
  Serving serving_;
  const uint32_t index_;
  // The loop first: what follows is made on it.
  struct OpenLoop : uv_loop_t {
    OpenLoop() { uv_loop_init(this); }
  };
  struct Loop : OpenLoop {
    UvClock clock{this};  // all ages on this loop are measured by it
  } loop_;
  WorkerStats stats_;
  WorkerSeen seen_;
  UvMailbox mailbox_;
  UvTurns turns_;

  ChunkPool chunks_;
  UvStreamGroup streams_;
  UvLinkContext link_context_;
  UvSessions sessions_;
  Dispatcher dispatcher_;
  ChannelRegistry channels_;
  TrackerRegistry trackers_;
  TrackingMail tracking_mail_;
  LocalCommands local_;
  std::unique_ptr<Env> env_;
  UvWorkerShards shards_;
  std::vector<Listener> listeners_;
  UvRelief relief_;
  std::unique_ptr<UvWorkerTimers> timers_;

  size_t delivered_ = 0;  // bytes of others' messages in this turn
  Draining draining_;
  struct HandingOver {
    OnHanded done;  // null: nobody waits
    bool freezes = false;
    uint64_t until_ms = 0;
    uint64_t tls_until_ms = 0;
    bool frozen = false;
  } handing_over_;
  Inherited inherited_;
  MemoryEbb memory_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_WORKER_H_

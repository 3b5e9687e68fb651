#include "proxy/server/uv_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <thread>

#include "backend/bytes/posix_system_memory.h"
#include "backend/link/node_identity.h"
#include "backend/settings/left_nodes.h"
#include "backend/uv/uv_coordinators.h"
#include "backend/uv/uv_names.h"
#include "backend/uv/uv_side_thread.h"
#include "backend/uv/uv_timer.h"
#include "config/config_load.h"
#include "proxy/channels/channel_counts.h"
#include "proxy/fleet/uv_fleet.h"
#include "proxy/local/node_baseline.h"
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"
#include "proxy/reload/reload_status.h"
#include "proxy/reload/uv_config_watch.h"
#include "proxy/seen/latency_events.h"
#include "proxy/seen/monitor_feed.h"
#include "proxy/seen/slow_log.h"
#include "proxy/seen/trace_desk.h"
#include "proxy/server/posix_process_facts.h"
#include "proxy/server/uv_end.h"
#include "proxy/server/uv_inheritance.h"
#include "proxy/server/uv_kept_texts.h"
#include "proxy/server/uv_presence.h"
#include "proxy/server/uv_process_info.h"
#include "proxy/server/uv_reloader.h"
#include "proxy/server/uv_room.h"
#include "proxy/server/uv_signals.h"
#include "proxy/server/uv_sockets.h"
#include "proxy/server/uv_start_check.h"
#include "proxy/server/uv_supervisor.h"
#include "proxy/server/uv_upgrade.h"
#include "proxy/worker/posix_socket_file.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

namespace {

// So long after the start the nodes keep connections that tell who serves, whatever becomes of the
// links meanwhile.
constexpr uint64_t kStartCheckMs = 3000;

// At the end, for the state to be written, and for what still hangs in a file system.
constexpr uint64_t kStateMs = 10000;
constexpr int64_t kAbandonedMs = 1000;

class Server {
 public:
  Server(const Config& config, const std::string& text, const std::string& version,
         const std::string& executable, bool take_over, Inheritance inheritance)
      : config_(config),
        text_(text),
        take_over_(take_over),
        inheritance_(std::move(inheritance)),
        resyncs_(config.pool().resync.max_parallel),
        process_(ThisProcess(version, executable)),
        seen_(config.workers) {
    process_.events = &events_;
    process_.access = &access_;
    process_.resyncs = &resyncs_;
    process_.abilities = &abilities_;
    process_.scripts = kept_.scripts();
    process_.functions = kept_.functions();
    process_.channels = &channels_;
    process_.options = kept_.options();
    process_.tracking = &tracking_;
    process_.slow_log = &seen_.slow_log;
    process_.latency = &seen_.latency;
    process_.traces = &seen_.traces;
    process_.watchers = &seen_.watchers;
    process_.baseline = &seen_.baseline;
    process_.reloads = &reloads_;
    reloads_.Loaded(UnixTimeUs());
    UvNames::Process().set_note(
        [this](NoteLevel level, const std::string& text) { Note(level, text); });
  }
  ~Server() { UvNames::Process().set_note(nullptr); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int Run() {
    std::string error;
    if (!Begin(&error)) {
      Log(NoteLevel::kError, error);
      EndNow(1);
    }
    for (uint32_t i = 1; i < config_.workers; ++i) {
      threads_.emplace_back([worker = shared_.workers[i].get()] {
        UvSignals::Block();  // they are the main thread's
        worker->Run();
      });
    }
    shared_.workers[0]->Run();
    for (std::thread& thread : threads_) thread.join();
    RemoveSocketFiles();  // of a reload that was under way
    const bool alone = UvSideThread::WaitForAbandoned(kAbandonedMs);
    Log(NoteLevel::kInfo, end_.Words());
    if (!alone) EndNow(end_.exit_code());
    FlushLog();
    return end_.exit_code();
  }

 private:
  bool Begin(std::string* error) {
    bool lost = false;
    const std::string follows = inheritance_.Words(&lost);
    if (!follows.empty()) Note(lost ? NoteLevel::kError : NoteLevel::kInfo, follows);
    MakeRoom();
    member_.opened = OpenCoordinator(kFileCoordinator, {config_.state_dir}, error);
    if (!member_.opened) return false;
    std::optional<Topology> initial = ReadState(member_.opened->stored(), error);
    if (!initial || !OpenFleet(&*initial, error) || !LookAtNodes(*initial, error)) return false;
    UvSignals::Block();
    // The listeners first: what is most likely to be wrong must not touch the state.
    if (!sockets_.Bind(config_, &inheritance_, error)) return false;
    if (fleet() && !fleet()->Bind(config_.workers, error)) return false;
    const UvWorker::Serving serving = MakeWorkers(*initial);
    uv_loop_t* loop = shared_.workers[0]->loop();
    const auto first = std::make_shared<const Topology>(*std::move(initial));
    coordinator_ = fleet() ? fleet()->Start(loop) : member_.opened->Start(loop, first);
    for (auto& worker : shared_.workers) {
      worker->set_coordinator(FrontFor(worker.get()));
      if (fleet()) fleet()->Add(worker.get());
    }
    signals_.Watch(loop);
    if (!Open(error)) return false;
    kept_.SetLimit(config_.pool().limits.scripts);
    kept_.Open(loop, config_.state_dir,
               [this](const std::string& text) { Note(NoteLevel::kWarn, text); });
    if (fleet()) {
      fleet()->ShareLibraries(loop, kept_.functions(),
                              [this] { shared_.workers[0]->TellLibraries(); });
    }
    AddShards(serving);
    inheritance_.GiveTo(&shared_, process_.version);
    sockets_.GiveTo(&shared_, config_);
    room_.WarnOfExposure(config_.pool());
    MakeReloader(serving);
    if (!reloader_->ShowMetrics(error)) return false;
    presence_->set_on_rival([this](const std::string& why, bool ends) {
      shared_.workers[0]->Post([this, why, ends] { OnRival(why, ends); });
    });
    start_.end = std::make_unique<UvTimer>(loop, [this] { start_.check.reset(); });
    start_.end->Set(kStartCheckMs);
    WatchConfig(loop);
    const std::string serves = "serves " + std::to_string(config_.pool().shards.size()) +
                               " shards with " + std::to_string(config_.workers) + " worker(s)";
    Log(NoteLevel::kInfo,
        "gemel " + process_.version + " " + serves + "; pid " + std::to_string(process_.pid));
    shared_.workers[0]->Post(
        [this, loop, serves] { supervisor_.Ready(loop, process_.stats, serves); });
    signals_.Deliver();
    return true;
  }

  // Of a gemel that is alone nothing. `topology`: what the file and the state say, then the fleet.
  bool OpenFleet(Topology* topology, std::string* error) {
    if (!config_.fleet.active()) return (*error = WhyNotAlone(config_.state_dir)).empty();
    const auto note = [this](NoteLevel level, const std::string& text) { Note(level, text); };
    member_.fleet = UvFleet::Open(config_, *topology, note, error);
    process_.fleet = member_.fleet.get();
    return member_.fleet != nullptr && MarkStateFolder(config_.state_dir, config_.fleet, error) &&
           fleet()->Follow(&config_, topology, error);
  }

  // What is known of the shards of the config, and of how the last process ended.
  // `stored`: the last snapshot; null: there was none.
  std::optional<Topology> ReadState(const Topology* stored, std::string* error) {
    shared_.after_crash = stored == nullptr || !stored->clean;
    if (stored != nullptr && !stored->clean) {
      Note(NoteLevel::kWarn,
           "the last proxy did not stop in order: every replica is resynced before it counts "
           "again");
    }
    std::optional<Topology> initial =
        InitialTopology(MembersOf(config_.pool()), RingOf(config_.pool()), stored, error);
    if (stored != nullptr && initial) {
      for (const std::string& left : LeftWithSettings(*stored, *initial)) {
        Note(NoteLevel::kWarn, left);
      }
    }
    return initial;
  }

  UvWorker::Serving MakeWorkers(const Topology& initial) {
    shared_.process = &process_;
    shared_.resyncs = &resyncs_;
    shared_.claims = &claims_;
    shared_.abilities = &abilities_;
    shared_.others = presence_.get();
    const auto pool = std::make_shared<Pool>(config_.pool(), config_.workers);
    if (fleet()) pool->set_route(fleet()->Record()->plan.route);
    UvWorker::Serving serving{std::make_shared<const Config>(config_), pool,
                              std::make_shared<const RingHistory>(initial.rings)};
    for (uint32_t i = 0; i < config_.workers; ++i) {
      shared_.workers.push_back(std::make_unique<UvWorker>(&shared_, serving, i));
      process_.stats.push_back(&shared_.workers.back()->stats());
      process_.seen.push_back(&shared_.workers.back()->seen());
    }
    return serving;
  }

  std::unique_ptr<Coordinator> FrontFor(UvWorker* worker) {
    return coordinator_->FrontFor(
        [worker](std::function<void()> task) { worker->Post(std::move(task)); });
  }

  // Those of a fleet come with their leases.
  void AddShards(const UvWorker::Serving& serving) {
    if (fleet()) return;
    const std::shared_ptr<const Topology> topology = coordinator_->current();
    for (size_t i = 0; i < config_.pool().shards.size(); ++i) {
      const PoolShard& shard = serving.pool->shards()[i];
      const int known = topology->IndexOf(shard.name);
      shared_.workers[shard.owner]->AddShard(config_.pool().shards[i],
                                             topology->shards[static_cast<size_t>(known)]);
    }
  }

  void MakeReloader(const UvWorker::Serving& serving) {
    uv_loop_t* loop = shared_.workers[0]->loop();
    reloader_ = std::make_unique<UvReloader>(loop, &shared_, presence_.get(), coordinator_.get(),
                                             &resyncs_, &reloads_, serving, text_);
    if (fleet()) {
      reloader_->SetFleet(fleet());
      fleet()->set_on_fleet([this] { reloader_->OnFleet(); });
      shared_.workers[0]->Post([this] { reloader_->OnFleet(); });
    }
    if (inheritance_.any()) reloader_->Remember(inheritance_.config());
    MakeUpgrade(loop);
    shared_.workers[0]->set_on_process_order([this](ReloadOrder order, ReloadDone done) {
      if (!order.upgrade) return reloader_->Submit(std::move(order), std::move(done));
      upgrade_->Submit(order, std::move(done));
    });
    shared_.retired = [this](const std::string& shard) {
      shared_.workers[0]->Post([this, shard] { reloader_->OnRetired(shard); });
    };
    reloads_.set_on_reload([this](bool begins) {
      return begins ? supervisor_.Reloading() : supervisor_.Reloaded(reloads_.Get().error);
    });
    reloader_->set_on_write([this](const std::string& file) {
      if (watch_) watch_->Expect(file);
    });
    reloader_->set_on_loaded([this, loop] {
      MakeRoom();
      kept_.SetLimit(config().pool().limits.scripts);
      room_.WarnOfExposure(config().pool());
      WatchConfig(loop);
    });
  }

  void MakeUpgrade(uv_loop_t* loop) {
    const auto note = [this](NoteLevel level, const std::string& text) { Note(level, text); };
    upgrade_ = std::make_unique<UvUpgrade>(UvUpgrade::World{
        loop, &shared_, reloader_.get(), coordinator_.get(), &kept_, &supervisor_, &end_,
        fleet() != nullptr, inheritance_.binary().empty() ? OwnBinary() : inheritance_.binary(),
        [this] { StopWatching(); }, note});
    upgrade_->set_on_reload([this] { Reload("SIGHUP"); });
  }

  // Nothing has been written yet, neither to the nodes nor to the state.
  bool LookAtNodes(const Topology& topology, std::string* error) {
    presence_ =
        std::make_unique<UvPresence>(config_.state_dir, config_.pool().listen[0].ToString());
    if (fleet()) {
      presence_->set_fleet(fleet()->facts().id, fleet()->facts().member);
      presence_->set_on_later_turn([this](const std::string&, uint64_t) { fleet()->LookSoon(); });
    }
    for (const ShardConfig& shard : config_.pool().shards) {
      const ShardInfo& info = topology.shards[static_cast<size_t>(topology.IndexOf(shard.name))];
      for (const CopyInfo& copy : info.copies) {
        if (copy.run_id.empty() || ProcessOf(copy.run_id) == kHiddenRunId) continue;
        claims_.Claim({shard.name, copy.node}, ProcessOf(copy.run_id), shard.database);
      }
    }
    // The links look, too: clients would wait for nodes that do not answer.
    if (inheritance_.any()) return true;
    start_.check = std::make_unique<UvStartCheck>(config_.pool(), presence_.get());
    const auto warn = [this](const std::string& text) { Note(NoteLevel::kWarn, text); };
    if (start_.check->Run(take_over_, claims_, warn, error)) return true;
    start_.check.reset();
    return false;
  }

  // Another gemel serves a node. `ends`: one of those that this one serves.
  void OnRival(const std::string& why, bool ends) {
    if (end_.begun() || upgrade_->closing()) return;
    Note(ends ? NoteLevel::kError : NoteLevel::kWarn, why);
    if (!ends) return;
    // At once: who waits for an answer would wait for nodes that are the other's.
    end_.Begin();
    upgrade_->Stop(why);
    end_.TakenOver();
    StopWatching();
    RemoveSocketFiles();
    CloseAll();
  }

  // Makes durable that a proxy serves: if the next one finds that, this one did not stop in order.
  bool Open(std::string* error) {
    bool ended = false;
    EditResult opened;
    const std::unique_ptr<Coordinator> front = FrontFor(shared_.workers[0].get());
    front->Propose(Edit{EditKind::kOpen, {}, {}, {}, "start"}, [&](const EditResult& result) {
      opened = result;
      ended = true;
    });
    uv_loop_t* loop = shared_.workers[0]->loop();
    // Who tells it to stop need not wait for a disk that hangs.
    UvTimer patience(loop, [this] {
      Log(NoteLevel::kError,
          "stopped before it served: " + coordinator_->place() + " does not answer");
      EndNow(1);
    });
    bool waits = false;
    while (!ended) {
      uv_run(loop, UV_RUN_ONCE);
      if (signals_.told_to_stop() && !std::exchange(waits, true)) patience.Set(kStateMs);
    }
    if (!opened.ok) *error = opened.error;
    return opened.ok;
  }

  // Nothing new is begun.
  void StopWatching() {
    watch_.reset();
    start_.end.reset();
    start_.check.reset();
    reloader_->Stop();
  }

  void OnSignal(int number) {
    if (upgrade_->closing()) return UvSignals::PutOff(number);
    if (number == SIGHUP || number == SIGUSR2) {
      if (end_.begun()) return;
      if (number == SIGUSR2) return upgrade_->Begin({}, "SIGUSR2", [](const ReloadOutcome&) {});
      return Reload("SIGHUP");
    }
    if (!end_.Begin()) return;
    upgrade_->Stop(kReloadStopped);
    supervisor_.Stopping();
    Log(NoteLevel::kInfo, SignalName(number) + ": stopping; what is in flight is answered first");
    StopWatching();
    if (!fleet()) return DrainWorkers();
    // The others get its shards while it still serves.
    member_.leave_end =
        std::make_unique<UvTimer>(shared_.workers[0]->loop(), [this] { DrainWorkers(); });
    member_.leave_end->Set(config().pool().timeouts.drain_ms);
    fleet()->Leave([this] { DrainWorkers(); });
  }

  void DrainWorkers() {
    if (std::exchange(member_.draining, true)) return;
    member_.leave_end.reset();
    RemoveSocketFiles();  // while they are open: see there
    end_.AwaitWorkers(config_.workers);
    const uint64_t drain_ms = config().pool().timeouts.drain_ms;
    for (auto& worker : shared_.workers) {
      UvWorker* target = worker.get();
      target->Post([this, target, drain_ms] {
        target->Drain(drain_ms, [this, target] {
          const bool quiet = target->Quiet();
          shared_.workers[0]->Post([this, quiet] { OnDrained(quiet); });
        });
      });
    }
  }

  // For the clients that the config in effect allows, and what they may hold.
  void MakeRoom() { shared_.room_for_clients = room_.Make(config()); }

  // As the config in effect says.
  void WatchConfig(uv_loop_t* loop) {
    if (!config().watch_config || end_.begun()) {
      watch_.reset();
      return;
    }
    if (!watch_) {
      watch_ = std::make_unique<UvConfigWatch>(
          loop, config().file, [this] { Reload("the config file has changed", watch_->known()); },
          [this](NoteLevel level, const std::string& text) { Note(level, text); });
    }
    watch_->Loaded(reloader_->file_text());
  }

  // Nobody waits for the answer.
  void Reload(const std::string& cause, std::optional<uint64_t> seen = std::nullopt) {
    if (upgrade_->PutsOffReload()) return;
    ReloadOrder order;
    order.cause = cause;
    order.patient = true;
    order.seen = seen;
    reloader_->Submit(std::move(order), [](const ReloadOutcome&) {});
  }

  void OnDrained(bool quiet) {
    if (!end_.OnDrained(quiet)) return;
    if (!end_.clean()) {
      Log(NoteLevel::kWarn, UvEnd::kNotClean);
    }
    CloseAll();
  }

  void CloseAll() {
    end_.BeginSaving(shared_.workers[0]->loop(), kStateMs, [this] {
      Log(NoteLevel::kError,
          "stopped, but the state was not saved: " + coordinator_->place() + " does not answer");
      EndNow(1);
    });
    coordinator_->Close(end_.clean(), [this](const EditResult& result) {
      end_.OnSaved(result.ok);
      kept_.Close();
      if (fleet()) fleet()->EndSharing();
      for (auto& worker : shared_.workers) {
        UvWorker* target = worker.get();
        target->Post([target] { target->Stop(); });
      }
      signals_.Close();
      supervisor_.Close();
    });
  }

  void Note(NoteLevel level, const std::string& text) {
    Log(level, text);
    events_.Add(UnixTimeUs(), level, text);
  }

  UvFleet* fleet() const { return member_.fleet.get(); }  // null: this gemel is alone
  // The one in effect.
  const Config& config() const { return reloader_ ? *reloader_->serving().config : config_; }

  Config config_;  // of the start; in a fleet with its plan
  const std::string text_;
  const bool take_over_;
  UvInheritance inheritance_;
  UvSockets sockets_;
  EventLog events_;
  AccessGuard access_{[](const std::string& line) { Log(NoteLevel::kWarn, line); }};
  ReloadStatus reloads_;
  ResyncBoard resyncs_;
  ProcessInfo process_;
  ServerClaims claims_;
  NodeAbilities abilities_;
  UvKeptTexts kept_;
  ChannelCounts channels_;
  TrackingTotals tracking_;
  // What the clients of all workers saw.
  struct Seen {
    explicit Seen(uint32_t workers) : watchers(workers) {}
    SlowLog slow_log;
    LatencyEvents latency;
    TraceDesk traces;
    WatcherCounts watchers;
    NodeBaseline baseline;
  } seen_;
  std::unique_ptr<UvPresence> presence_;
  struct StartLook {
    std::unique_ptr<UvStartCheck> check;  // null after a while
    std::unique_ptr<UvTimer> end;
  } start_;
  UvWorker::Shared shared_;
  UvRoom room_;
  struct Member {
    std::unique_ptr<OpenedCoordinator> opened;  // in a fleet it only holds the state folder
    std::unique_ptr<UvFleet> fleet;
    std::unique_ptr<UvTimer> leave_end;
    bool draining = false;
  } member_;
  std::unique_ptr<CoordinatorService> coordinator_;
  std::unique_ptr<UvReloader> reloader_;
  std::unique_ptr<UvUpgrade> upgrade_;
  std::unique_ptr<UvConfigWatch> watch_;
  std::vector<std::thread> threads_;
  UvSignals signals_{[this](int number) { OnSignal(number); }};
  UvSupervisor supervisor_;
  UvEnd end_;
};

}  // namespace

int RunServer(const Config& config, const std::string& text, const std::string& version,
              const std::string& executable, bool take_over, Inheritance inheritance) {
  PrepareMemory(config.workers);
  Server server(config, text, version, executable, take_over, std::move(inheritance));
  return server.Run();
}

}  // namespace gemel

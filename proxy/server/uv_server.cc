#include "proxy/server/uv_server.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <random>
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
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"
#include "proxy/reload/reload_status.h"
#include "proxy/reload/uv_config_watch.h"
#include "proxy/scripts/function_store.h"
#include "proxy/scripts/script_cache.h"
#include "proxy/server/uv_presence.h"
#include "proxy/server/uv_reloader.h"
#include "proxy/server/uv_room.h"
#include "proxy/server/uv_script_keeper.h"
#include "proxy/server/uv_signals.h"
#include "proxy/server/uv_start_check.h"
#include "proxy/worker/posix_socket_file.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

namespace {

// So long after the start the nodes keep connections that tell who serves, whatever becomes of the
// links meanwhile.
constexpr uint64_t kStartCheckMs = 3000;

std::string RandomHex(size_t digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string text;
  while (text.size() < digits) text += kDigits[random() % 16];
  return text;
}

int64_t UnixTimeUs() {
  timeval now{};
  gettimeofday(&now, nullptr);
  return int64_t{now.tv_sec} * 1000000 + now.tv_usec;
}

uint64_t ResidentBytes() {
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

// At the end, for the state to be written, and for what still hangs in a file system.
constexpr uint64_t kStateMs = 10000;
constexpr int64_t kAbandonedMs = 1000;

// What a thread that hangs still uses, the ordinary end would take from it.
[[noreturn]] void EndNow(int exit_code) {
  RemoveSocketFiles();
  FlushLog();
  ::_exit(exit_code);
}

std::string NameOf(int signal) {
  return signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "SIGQUIT";
}

std::vector<ShardMembers> MembersOf(const PoolConfig& pool) {
  std::vector<ShardMembers> members;
  for (const ShardConfig& shard : pool.shards) {
    ShardMembers member{shard.name, {}};
    for (const Address& node : shard.Nodes()) member.nodes.push_back(node.ToString());
    members.push_back(std::move(member));
  }
  return members;
}

class Server {
 public:
  Server(const Config& config, const std::string& text, const std::string& version,
         const std::string& executable, bool take_over)
      : config_(config),
        text_(text),
        take_over_(take_over),
        resyncs_(config.pool().resync.max_parallel) {
    process_.version = version;
    process_.executable = executable;
    process_.pid = static_cast<uint64_t>(getpid());
    process_.run_id = RandomHex(40);
    process_.events = &events_;
    process_.access = &access_;
    process_.unix_time_us = UnixTimeUs;
    process_.uptime_s = [started_ns = uv_hrtime()] {
      return (uv_hrtime() - started_ns) / 1000000000;
    };
    process_.resident_bytes = ResidentBytes;
    process_.resyncs = &resyncs_;
    process_.abilities = &abilities_;
    process_.scripts = &scripts_;
    process_.functions = &functions_;
    process_.channels = &channels_;
    process_.reloads = &reloads_;
    process_.lost_log_lines = LostLogLines;
    process_.log_error = LogError;
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
      threads_.emplace_back([worker = shared_.workers[i].get()] { worker->Run(); });
    }
    shared_.workers[0]->Run();
    for (std::thread& thread : threads_) thread.join();
    RemoveSocketFiles();  // of a reload that was under way
    const bool alone = UvSideThread::WaitForAbandoned(kAbandonedMs);
    Log(NoteLevel::kInfo, exit_code_ == 0 ? "stopped"
                          : taken_over_   ? "stopped: another gemel serves"
                                          : "stopped, but the state was not saved");
    if (!alone) EndNow(exit_code_);
    FlushLog();
    return exit_code_;
  }

 private:
  // By address of the config: one a worker, or one for all.
  using Sockets = std::vector<std::vector<UniqueFd>>;

  bool Begin(std::string* error) {
    MakeRoom();
    const std::unique_ptr<OpenedCoordinator> opened =
        OpenCoordinator(kFileCoordinator, {config_.state_dir}, error);
    if (!opened) return false;
    std::optional<Topology> initial = ReadState(opened->stored(), error);
    if (!initial || !LookAtNodes(*initial, error)) return false;
    UvSignals::Block();
    // The listeners first: what is most likely to be wrong must not touch the state.
    Sockets sockets;
    if (!Bind(&sockets, error)) return false;
    const UvWorker::Serving serving = MakeWorkers(*initial);
    uv_loop_t* loop = shared_.workers[0]->loop();
    coordinator_ = opened->Start(loop, std::make_shared<const Topology>(std::move(*initial)));
    for (auto& worker : shared_.workers) worker->set_coordinator(FrontFor(worker.get()));
    signals_.Watch(loop);
    if (!Open(error)) return false;
    scripts_.SetLimit(config_.pool().limits.scripts);
    functions_.SetLimit(config_.pool().limits.scripts);
    const auto warn = [this](const std::string& text) { Note(NoteLevel::kWarn, text); };
    script_keeper_ = std::make_unique<UvScriptKeeper>(
        loop, ScriptFile{config_.state_dir, "scripts"}, &scripts_, warn);
    function_keeper_ = std::make_unique<UvScriptKeeper>(
        loop, ScriptFile{config_.state_dir, "functions"}, &functions_, warn);
    AddShards(serving);
    AddListeners(&sockets);
    room_.WarnOfExposure(config_.pool());
    MakeReloader(serving);
    presence_->set_on_rival([this](const std::string& why, bool ends) {
      shared_.workers[0]->Post([this, why, ends] { OnRival(why, ends); });
    });
    start_check_end_ = std::make_unique<UvTimer>(loop, [this] { start_check_.reset(); });
    start_check_end_->Set(kStartCheckMs);
    WatchConfig(loop);
    Log(NoteLevel::kInfo, "gemel " + process_.version + " serves " +
                              std::to_string(config_.pool().shards.size()) + " shards with " +
                              std::to_string(config_.workers) + " worker(s); pid " +
                              std::to_string(process_.pid));
    signals_.Deliver();
    return true;
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

  bool Bind(Sockets* sockets, std::string* error) const {
    for (const Address& address : config_.pool().listen) {
      sockets->push_back(BindListeners(address, config_.workers, {}, error));
      if (!sockets->back().empty()) continue;
      *error = ConfigError{config_.file, address.line, address.column, *error}.ToString();
      return false;
    }
    return true;
  }

  UvWorker::Serving MakeWorkers(const Topology& initial) {
    shared_.process = &process_;
    shared_.resyncs = &resyncs_;
    shared_.claims = &claims_;
    shared_.abilities = &abilities_;
    shared_.others = presence_.get();
    UvWorker::Serving serving{std::make_shared<const Config>(config_),
                              std::make_shared<const Pool>(config_.pool(), config_.workers),
                              std::make_shared<const RingHistory>(initial.rings)};
    for (uint32_t i = 0; i < config_.workers; ++i) {
      shared_.workers.push_back(std::make_unique<UvWorker>(&shared_, serving, i));
      process_.stats.push_back(&shared_.workers.back()->stats());
    }
    return serving;
  }

  std::unique_ptr<Coordinator> FrontFor(UvWorker* worker) {
    return coordinator_->FrontFor(
        [worker](std::function<void()> task) { worker->Post(std::move(task)); });
  }

  void AddShards(const UvWorker::Serving& serving) {
    const std::shared_ptr<const Topology> topology = coordinator_->current();
    for (size_t i = 0; i < config_.pool().shards.size(); ++i) {
      const PoolShard& shard = serving.pool->shards()[i];
      const int known = topology->IndexOf(shard.name);
      shared_.workers[shard.owner]->AddShard(config_.pool().shards[i],
                                             topology->shards[static_cast<size_t>(known)]);
    }
  }

  void AddListeners(Sockets* sockets) {
    for (size_t i = 0; i < sockets->size(); ++i) {
      const Address& address = config_.pool().listen[i];
      for (size_t j = 0; j < (*sockets)[i].size(); ++j) {
        shared_.workers[j % config_.workers]->AddListener(address, std::move((*sockets)[i][j]));
      }
      Log(NoteLevel::kInfo, "listening on " + address.ToString());
    }
  }

  void MakeReloader(const UvWorker::Serving& serving) {
    uv_loop_t* loop = shared_.workers[0]->loop();
    reloader_ = std::make_unique<UvReloader>(loop, &shared_, presence_.get(), coordinator_.get(),
                                             &resyncs_, &reloads_, serving, text_);
    shared_.workers[0]->set_on_process_order([this](ReloadOrder order, ReloadDone done) {
      reloader_->Submit(std::move(order), std::move(done));
    });
    shared_.retired = [this](const std::string& shard) {
      shared_.workers[0]->Post([this, shard] { reloader_->OnRetired(shard); });
    };
    reloader_->set_on_write([this](const std::string& file) {
      if (watch_) watch_->Expect(file);
    });
    reloader_->set_on_loaded([this, loop] {
      MakeRoom();
      scripts_.SetLimit(config().pool().limits.scripts);
      functions_.SetLimit(config().pool().limits.scripts);
      room_.WarnOfExposure(config().pool());
      WatchConfig(loop);
    });
  }

  // Nothing has been written yet, neither to the nodes nor to the state.
  bool LookAtNodes(const Topology& topology, std::string* error) {
    presence_ =
        std::make_unique<UvPresence>(config_.state_dir, config_.pool().listen[0].ToString());
    for (const ShardConfig& shard : config_.pool().shards) {
      const ShardInfo& info = topology.shards[static_cast<size_t>(topology.IndexOf(shard.name))];
      for (const CopyInfo& copy : info.copies) {
        if (copy.run_id.empty() || ProcessOf(copy.run_id) == kHiddenRunId) continue;
        claims_.Claim({shard.name, copy.node}, ProcessOf(copy.run_id), shard.database);
      }
    }
    start_check_ = std::make_unique<UvStartCheck>(config_.pool(), presence_.get());
    const auto warn = [this](const std::string& text) { Note(NoteLevel::kWarn, text); };
    if (start_check_->Run(take_over_, claims_, warn, error)) return true;
    start_check_.reset();
    return false;
  }

  // Another gemel serves a node. `ends`: one of those that this one serves.
  void OnRival(const std::string& why, bool ends) {
    if (stopping_) return;
    Note(ends ? NoteLevel::kError : NoteLevel::kWarn, why);
    if (!ends) return;
    // At once: who waits for an answer would wait for nodes that are the other's.
    stopping_ = true;
    taken_over_ = true;
    exit_code_ = 1;
    watch_.reset();
    start_check_end_.reset();
    start_check_.reset();
    reloader_->Stop();
    RemoveSocketFiles();
    clean_ = false;
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

  void OnSignal(int number) {
    if (number == SIGHUP) {
      if (!stopping_) Reload("SIGHUP");
      return;
    }
    if (stopping_) return;
    stopping_ = true;
    Log(NoteLevel::kInfo, NameOf(number) + ": stopping; what is in flight is answered first");
    watch_.reset();
    start_check_end_.reset();
    start_check_.reset();
    reloader_->Stop();
    RemoveSocketFiles();  // while they are open: see there
    draining_ = config_.workers;
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
    if (!config().watch_config || stopping_) {
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
    ReloadOrder order;
    order.cause = cause;
    order.patient = true;
    order.seen = seen;
    reloader_->Submit(std::move(order), [](const ReloadOutcome&) {});
  }

  void OnDrained(bool quiet) {
    clean_ = clean_ && quiet;
    if (--draining_ > 0) return;
    if (!clean_) {
      Log(NoteLevel::kWarn,
          "some writes were not answered by all copies in time: the replicas are "
          "resynced at the next start");
    }
    CloseAll();
  }

  void CloseAll() {
    state_patience_ = std::make_unique<UvTimer>(shared_.workers[0]->loop(), [this] {
      Log(NoteLevel::kError,
          "stopped, but the state was not saved: " + coordinator_->place() + " does not answer");
      EndNow(1);
    });
    state_patience_->Set(kStateMs);
    coordinator_->Close(clean_, [this](const EditResult& result) {
      state_patience_.reset();
      if (!result.ok) exit_code_ = 1;
      script_keeper_.reset();
      function_keeper_.reset();
      for (auto& worker : shared_.workers) {
        UvWorker* target = worker.get();
        target->Post([target] { target->Stop(); });
      }
      signals_.Close();
    });
  }

  void Note(NoteLevel level, const std::string& text) {
    Log(level, text);
    events_.Add(UnixTimeUs(), level, text);
  }

  // The one in effect.
  const Config& config() const { return reloader_ ? *reloader_->serving().config : config_; }

  const Config config_;  // of the start
  const std::string text_;
  const bool take_over_;
  EventLog events_;
  AccessGuard access_{[](const std::string& line) { Log(NoteLevel::kWarn, line); }};
  ReloadStatus reloads_;
  ResyncBoard resyncs_;
  ProcessInfo process_;
  ServerClaims claims_;
  NodeAbilities abilities_;
  ScriptCache scripts_;
  FunctionStore functions_;
  ChannelCounts channels_;
  std::unique_ptr<UvScriptKeeper> script_keeper_;
  std::unique_ptr<UvScriptKeeper> function_keeper_;
  std::unique_ptr<UvPresence> presence_;
  std::unique_ptr<UvStartCheck> start_check_;  // null after a while
  std::unique_ptr<UvTimer> start_check_end_;
  UvWorker::Shared shared_;
  UvRoom room_;
  std::unique_ptr<CoordinatorService> coordinator_;
  std::unique_ptr<UvReloader> reloader_;
  std::unique_ptr<UvConfigWatch> watch_;
  std::vector<std::thread> threads_;
  UvSignals signals_{[this](int number) { OnSignal(number); }};
  std::unique_ptr<UvTimer> state_patience_;
  bool stopping_ = false;
  bool taken_over_ = false;
  bool clean_ = true;
  uint32_t draining_ = 0;
  int exit_code_ = 0;
};

}  // namespace

int RunServer(const Config& config, const std::string& text, const std::string& version,
              const std::string& executable, bool take_over) {
  PrepareMemory(config.workers);
  Server server(config, text, version, executable, take_over);
  return server.Run();
}

}  // namespace gemel

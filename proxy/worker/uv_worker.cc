#include "proxy/worker/uv_worker.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "backend/topology/changed_shards.h"
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"
#include "proxy/options/kept_options.h"
#include "proxy/scripts/function_store.h"
#include "proxy/worker/uv_worker_fleet.h"

namespace gemel {

namespace {

// Of a client with TLS.
constexpr uint64_t kShakesHandsMs = 10000;

constexpr uint64_t kTickMs = 20;
constexpr uint64_t kWaitingTickMs = 10;  // while requests wait for nodes

// Members look at each other's records five times a lease, and have to connect besides.
uint64_t MsToListen(uint32_t lease_ms) { return uint64_t{lease_ms} * 2 / 5 + 100; }

}  // namespace

// So many bytes of messages are given to clients before these are sent what they have.
constexpr size_t kDeliveredAtOnce = 1 << 20;

// Messages on their way to another worker, which count as held.
class SentMessages {
 public:
  explicit SentMessages(std::string text) : text_(std::move(text)) { Budget::Take(text_.size()); }
  ~SentMessages() { Budget::Give(text_.size()); }
  SentMessages(const SentMessages&) = delete;
  SentMessages& operator=(const SentMessages&) = delete;
  const std::string& text() const { return text_; }

 private:
  const std::string text_;
};

// The shards' world: this worker's clock, log and coordinator.
class UvWorker::Env : public ShardEnv {
 public:
  explicit Env(UvWorker* worker) : worker_(worker) {}
  uint64_t NowMs() override { return worker_->loop_.clock.NowMs(); }
  int64_t UnixMs() override { return worker_->shared_->process->unix_time_us() / 1000; }
  void Propose(Edit edit, EditDone done) override {
    coordinator->Propose(std::move(edit), std::move(done));
  }
  bool Release(const std::string& node, ReleaseDone done) override {
    return coordinator->Release(node, std::move(done));
  }
  void NotHere(Request* request) override { worker_->dispatcher_.NotHere(request); }
  void UnblockAt(uint64_t at_ms) override { worker_->timers_->UnblockAt(at_ms, NowMs()); }
  void OnMessages(uint32_t worker, std::string messages) override {
    worker_->OnMessages(worker, std::move(messages));
  }
  TrackingSink* tracking() override { return &worker_->tracking_mail_; }
  TrackingTotals* tracking_totals() override { return worker_->shared_->process->tracking; }
  void Note(NoteLevel level, const std::string& text) override {
    Log(level, text);
    Keep(level, text);
  }
  void NoteRole(NoteLevel level, const std::string& text) override {
    LogAlways(level, text);
    Keep(level, text);
  }
  bool IsGone(uint32_t session) override { return worker_->shared_->gone_sessions.Has(session); }
  ServerClaims* claims() override { return worker_->shared_->claims; }
  ServerVoices* voices() override { return &worker_->shared_->voices; }
  NodeAbilities* abilities() override { return worker_->shared_->abilities; }
  const LibrarySource* libraries() override { return worker_->shared_->process->functions; }
  const OptionSource* options() override { return worker_->shared_->process->options; }

  std::unique_ptr<Coordinator> coordinator;
  std::shared_ptr<const Topology> topology;  // that the shards know
  UvWorkerFleet fleet;

 private:
  void Keep(NoteLevel level, const std::string& text) {
    const ProcessInfo& process = *worker_->shared_->process;
    if (process.events != nullptr) process.events->Add(process.unix_time_us(), level, text);
  }

  UvWorker* worker_;
};

UvWorker::UvWorker(Shared* shared, Serving serving, uint32_t index)
    : shared_(shared),
      serving_(std::move(serving)),
      index_(index),
      seen_({shared->process->slow_log, shared->process->latency, shared->process->unix_time_us,
             shared->process->clock_us, shared->process->traces},
            shared->process->watchers, index, serving_.pool->table(), &stats_),
      mailbox_(&loop_, [this] { OnWake(); }),
      turns_(
          &loop_, &stats_, [this] { Turn(); },
          [this] {
            Turn();
            loop_.clock.OnHeard();
          }),
      streams_(&loop_),
      sessions_(&shared->clients, &stats_, &seen_),
      dispatcher_(serving_.pool.get(), index, serving_.config->workers),
      channels_(&dispatcher_, &chunks_, shared->process->channels),
      trackers_(&dispatcher_, shared->process->tracking),
      tracking_mail_(&dispatcher_, &trackers_),
      local_(shared->process, &sessions_),
      env_(std::make_unique<Env>(this)),
      shards_({&loop_, &link_context_, &chunks_, env_.get(), shared->resyncs, shared->after_crash,
               shared->others},
              &dispatcher_, &stats_, index),
      relief_(&sessions_.connected(), &shards_.all(), &shared->process->stats, &stats_) {
  streams_.set_after_batch([this] { relief_.Check(&loop_.clock); });
  link_context_.streams = &streams_;
  link_context_.board = &sessions_.session_context().board;
  sessions_.context().streams = &streams_;
  SessionContext& context = sessions_.session_context();
  context.dispatcher = &dispatcher_;
  context.chunks = &chunks_;
  context.stats = &stats_;
  context.pause.CountIn(&stats_.blocked_clients);
  context.local = &local_;
  context.gone = &shared_->gone_sessions;
  context.scripts = shared_->process->scripts;
  context.channels = &channels_;
  context.trackers = &trackers_;
  context.functions = shared_->process->functions;
  context.abilities = shared_->process->abilities;
  context.access = shared->process->access;
  context.seen = &seen_.clients;
  context.monitor = &seen_.monitor;
  dispatcher_.set_keep_args(Account::KeepArgsElsewhere);
  dispatcher_.set_board(&context.board);
  SetNow();
  Use(serving_);
  dispatcher_.set_handler(this);
  timers_ = std::make_unique<UvWorkerTimers>(
      &loop_,
      UvWorkerTimers::Calls{[this] { OnTick(); }, [this] { OnSecond(); }, [this] { OnUnblock(); }});
}

UvWorker::~UvWorker() = default;

void UvWorker::set_coordinator(std::unique_ptr<Coordinator> coordinator) {
  env_->coordinator = std::move(coordinator);
  env_->topology = env_->coordinator->current();
  env_->coordinator->Watch([this](const std::shared_ptr<const Topology>& now) {
    ForEachChangedShard(*std::exchange(env_->topology, now), *now, [this](const ShardInfo& info) {
      for (const auto& owned : shards_.all()) {
        if (owned->shard()->info().name == info.name) owned->shard()->edits().OnTopology(info);
      }
    });
    env_->fleet.OnLeases();  // of a shard that was not known before
  });
}

void UvWorker::JoinFleet(const FleetFacts& facts) {
  shards_.JoinFleet({{facts.id, 0, facts.member},
                     [this](uint32_t slot) { TellShardAnew(slot); },
                     [this](const std::string& shard) {
                       if (shared_->claims != nullptr) shared_->claims->ReleaseShard(shard);
                     },
                     MsToListen(facts.lease_ms)});
  UvWorkerFleet::World world;
  world.coordinator = env_->coordinator.get();
  world.shards = &shards_;
  world.serving = [this] { return UvWorkerFleet::Serving{serving_.pool.get(), serving_.rings}; };
  world.now_ms = [this] { return loop_.clock.NowMs(); };
  world.note = [this](const std::string& text) { env_->Note(NoteLevel::kWarn, text); };
  env_->fleet.Join(std::move(world));
  ConnectFleet(facts);
  env_->coordinator->set_on_leases([this] { env_->fleet.OnLeases(); });
  // What was read before the process was stopped is not given to anybody behind it.
  streams_.set_before_batch([this] { env_->fleet.Check(); });
}

void UvWorker::ConnectFleet(const FleetFacts& facts) {
  UvWorkerFleet::PeersWorld world;
  world.dispatcher = &dispatcher_;
  world.loop = &loop_;
  world.streams = &streams_;
  world.chunks = &chunks_;
  world.gone = &shared_->gone_sessions;
  world.next_session = [this] {
    return static_cast<uint32_t>(shared_->next_session.fetch_add(1, std::memory_order_relaxed));
  };
  world.on_messages = [this](uint32_t worker, std::string_view messages) {
    OnMessages(worker, std::string(messages));
  };
  world.tracking = &tracking_mail_;
  world.on_anew = [this](uint32_t slot) { TellShardAnew(slot); };
  world.listens = [process = shared_->process] {
    return process->channels->any() ||
           (process->tracking != nullptr && process->tracking->clients > 0);
  };
  world.functions = shared_->process->functions;
  env_->fleet.Connect(facts, std::move(world));
  tracking_mail_.set_on_seat([this](const TrackingBatch& batch) {
    if (PeerSeats* seats = env_->fleet.seats()) seats->OnChanges(batch.seat, batch);
  });
}

void UvWorker::AddPeerListener(const Address& address, UniqueFd socket) {
  env_->fleet.Listen(address, std::move(socket));
}

void UvWorker::SetNow() {
  sessions_.session_context().now_ms = loop_.clock.NowMs();
  sessions_.session_context().now_us = uv_hrtime() / 1000;
  env_->fleet.Check();
}

void UvWorker::Use(const Serving& serving) {
  serving_ = serving;
  const PoolConfig& config = serving_.pool->config();
  link_context_.keepalive_s = config.timeouts.keepalive_s;
  sessions_.context().keepalive_s = config.timeouts.keepalive_s;
  sessions_.session_context().pool = serving_.pool.get();
  sessions_.session_context().memo.Forget();
  sessions_.session_context().config = serving_.config.get();
  seen_.clients.SetOptions(config);
  SetLooking();
}

void UvWorker::AddShard(const ShardConfig& config, const ShardInfo& info) {
  shards_.Add(*serving_.pool, config, info, serving_.rings, /*newcomer=*/false);
}

void UvWorker::AddListener(const Address& address, UniqueFd socket) {
  listeners_.push_back({address, std::make_unique<UvListener>(
                                     &loop_, std::move(socket), address.IsUnix(),
                                     [this, tls = address.tls](UniqueFd accepted, bool is_unix) {
                                       OnConnection(std::move(accepted), is_unix, tls);
                                     })});
}

void UvWorker::StartListener(const Listener& listener) {
  std::string error;
  if (listener.listener->Start(&error)) return;
  Log(NoteLevel::kError, "cannot accept connections: " + error);
}

void UvWorker::HoldClients(uint64_t for_ms, std::function<void(bool all)> done) {
  env_->fleet.Hold(&sessions_.session_context().pause, loop_.clock.NowMs() + for_ms,
                   std::move(done));
}

void UvWorker::LetClientsGo() { env_->fleet.LetGo(); }

// An answer, which any step may give, lets its session go on at once. So each shard knows the ring
// before a request goes by it, and each is there before any other is changed.
void UvWorker::EndChange(Change change) {
  const bool ring_changed = change.next.rings != serving_.rings;
  if (ring_changed) shards_.SetHistory(change.next.rings);
  const bool io_changed = change.next.config->io_uring != serving_.config->io_uring;
  Use(change.next);
  SetScheduling();
  if (io_changed) SetIoUring();
  dispatcher_.SetPool(serving_.pool.get());
  sessions_.OnUsers();
  shards_.UnblockMoved(*serving_.pool);
  shards_.Change(*serving_.pool, *change.topology, serving_.rings, ring_changed, change.force,
                 loop_.clock.NowMs());
  ChangeListeners(&change);
  channels_.OnPool();
  trackers_.OnPool(/*moved=*/ring_changed);
  env_->fleet.OnPool();
  env_->fleet.OnLeases();
}

void UvWorker::ChangeListeners(Change* change) {
  const std::vector<Address>& wanted = serving_.pool->config().listen;
  std::erase_if(listeners_, [&](const Listener& listener) {
    if (std::find(wanted.begin(), wanted.end(), listener.address) != wanted.end()) return false;
    listener.listener->AcceptRest();
    return true;
  });
  for (Change::Listener& added : change->listeners) {
    AddListener(added.address, std::move(added.socket));
    StartListener(listeners_.back());
  }
}

// Of this thread. A batch process that is woken waits until whoever runs has slept or had its time.
// So nodes and clients get on with what they have, and more waits for each turn here. Where a core
// is free, it changes nothing. (sched(7); needs no permission; where it is refused, never mind.)
void UvWorker::SetScheduling() {
  const bool batch = serving_.config->scheduling == Scheduling::kBatch;
  const sched_param none{};
  sched_setscheduler(0, batch ? SCHED_BATCH : SCHED_OTHER, &none);
}

void UvWorker::SetIoUring() {
  std::string why;
  if (!streams_.UseRing(serving_.config->io_uring, &why) && index_ == 0) {
    Log(NoteLevel::kInfo, "io_uring is not used, which costs more CPU time: " + why);
  }
}

void UvWorker::Run() {
  SetScheduling();
  SetIoUring();
  uv_update_time(&loop_);
  shards_.Start();
  env_->fleet.OnLeases();
  TakeOver();
  for (const Listener& listener : listeners_) StartListener(listener);
  env_->fleet.StartListener();
  timers_->TickIn(kTickMs);
  timers_->SecondIn(1000);
  turns_.Forget();
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

void UvWorker::OnWake() {
  SetNow();
  mailbox_.RunAll(&dispatcher_);
}

void UvWorker::OnTick() {
  SetNow();
  if (handing_over_.frozen) {
    timers_->TickIn(kTickMs);
    return;
  }
  stats_.beats.Add(1);
  SessionContext& context = sessions_.session_context();
  context.pause.Tick(context.now_ms);
  context.deadlines.Tick(context.now_ms);
  seen_.OnTick(context.now_ms);
  bool waiting = true;
  try {
    waiting = TickAll(sessions_.session_context().now_ms);
  } catch (const std::bad_alloc&) {
    Log(NoteLevel::kError, "there is no memory: what was due now is done later");
  }
  timers_->TickIn(waiting ? kWaitingTickMs : kTickMs);
}

// True while requests wait for nodes.
bool UvWorker::TickAll(uint64_t now_ms) {
  const bool waiting = shards_.Tick(now_ms);
  shards_.Retire(now_ms, [this](const std::string& name) {
    if (shared_->claims != nullptr) shared_->claims->ReleaseShard(name);
    if (shared_->abilities != nullptr) shared_->abilities->ForgetShard(name);
    shared_->retired(name);
  });
  env_->fleet.Tick();
  relief_.Tick(now_ms);
  memory_.OnHeld(Budget::Held());
  if (draining_.active()) CheckDrained(now_ms);
  return waiting;
}

// For this worker, or a seat of it.
void UvWorker::OnSentMessages(uint32_t worker, const std::string& messages) {
  if (worker == index_) {
    channels_.Deliver(messages);
  } else if (PeerSeats* seats = env_->fleet.seats()) {
    seats->OnMessages(worker, messages);
  }
}

void UvWorker::OnMessages(uint32_t worker, std::string messages) {
  const uint32_t workers = dispatcher_.workers();
  const uint32_t home =
      PeerSeats::IsSeat(worker, workers) ? PeerSeats::HomeOf(worker, workers) : worker;
  if (home == index_) {
    OnSentMessages(worker, messages);
    return;
  }
  UvWorker* other = shared_->workers[home].get();
  // Before the answers that the shard gives behind them.
  other->mailbox_.PostFirst(
      [other, worker, sent = std::make_shared<SentMessages>(std::move(messages))] {
        other->OnSentMessages(worker, sent->text());
        other->delivered_ += sent->text().size();
        if (other->delivered_ < kDeliveredAtOnce) return;
        // Else who reads what comes would seem not to, for what waited meanwhile.
        other->delivered_ = 0;
        other->FlushAll();
      });
}

void UvWorker::OnUnblock() {
  SetNow();
  if (handing_over_.frozen) return;
  for (const auto& owned : shards_.all()) owned->shard()->TickBlocked(loop_.clock.NowMs());
}

void UvWorker::OnSecond() {
  SetNow();
  if (handing_over_.frozen) {
    timers_->SecondIn(1000);
    return;
  }
  shards_.UnblockMoved(*serving_.pool);
  channels_.Retry();
  trackers_.Retry();
  GiveMemoryBack();
  sessions_.session_context().reply_bytes /= 2;
  shards_.Sum();
  turns_.OnSecond();
  const uint64_t now_ms = loop_.clock.NowMs();
  const uint64_t idle_ms = uint64_t{serving_.pool->config().timeouts.idle_s} * 1000;
  if (idle_ms > 0 && now_ms >= idle_ms) sessions_.KillIdle(now_ms - idle_ms);
  if (now_ms >= kShakesHandsMs) sessions_.KillShaking(now_ms - kShakesHandsMs);
  timers_->SecondIn(1000);
}

// The end of a loop turn.
void UvWorker::Turn() {
  SetNow();
  if (handing_over_.frozen) [[unlikely]]
    return;
  delivered_ = 0;
  ++sessions_.session_context().turn;
  streams_.ReceiveAll();
  if (channels_.AfterReading()) timers_->TurnAgain();
  sessions_.Resume();
  if (std::exchange(sessions_.session_context().again, false)) timers_->TurnAgain();
  FlushAll();
  relief_.Check(&loop_.clock);
  sessions_.Reap();
  if (handing_over_.done != nullptr) [[unlikely]]
    CheckSettled();
}

// What this worker's clients asked, to who monitors on any worker.
void UvWorker::SendMonitorLines() {
  MonitorFeed& feed = seen_.monitor;
  if (feed.empty()) return;
  const auto sent = std::make_shared<SentMessages>(feed.Take());
  const uint64_t most = serving_.pool->config().limits.subscriber_output;
  for (uint32_t i = 0; i < dispatcher_.workers(); ++i) {
    if (i == index_ || !shared_->process->watchers->AnyOn(i)) continue;
    if (!feed.Send(i, sent->text().size(), most)) continue;
    UvWorker* other = shared_->workers[i].get();
    other->Post([other, sent] { other->seen_.monitor.OnSent(sent->text()); });
  }
}

void UvWorker::FlushAll() {
  if (handing_over_.frozen) [[unlikely]]
    return;
  SendMonitorLines();
  // A flush can end a connection, and so cause more to flush: until nothing is left.
  while (!link_context_.dirty.empty() || sessions_.dirty() || !tracking_mail_.empty() ||
         env_->fleet.dirty() || streams_.has_to_send()) {
    tracking_mail_.Flush();
    env_->fleet.Flush();
    std::vector<UvLink*>& links = link_context_.dirty;
    for (size_t i = 0; i < links.size(); ++i) links[i]->Flush();
    links.clear();
    sessions_.Flush();
    streams_.SendAll();
  }
  for (uint32_t i = 0; i < dispatcher_.workers(); ++i) {
    if (!dispatcher_.outbox(i).empty()) shared_->workers[i]->Deliver(&dispatcher_.outbox(i));
  }
}

void UvWorker::OnConnection(UniqueFd socket, bool unix_socket, bool tls) {
  SetNow();
  sessions_.Accept(std::move(socket), unix_socket, tls,
                   shared_->next_session.fetch_add(1, std::memory_order_relaxed),
                   std::min(serving_.pool->config().limits.max_clients,
                            shared_->room_for_clients.load(std::memory_order_relaxed)));
}

void UvWorker::Stop() {
  listeners_.clear();
  timers_->Close();
  env_->fleet.Stop();
  shards_.Stop();
  sessions_.Clear();
  link_context_.dirty.clear();
  shards_.Clear();
  env_->fleet.Clear();
  turns_.Close();
  mailbox_.Close();
}

}  // namespace gemel

#include "proxy/worker/uv_worker.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "backend/served/random_step.h"
#include "backend/topology/changed_shards.h"
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"
#include "proxy/scripts/function_store.h"

namespace gemel {

namespace {

constexpr uint64_t kTickMs = 20;
constexpr uint64_t kWaitingTickMs = 10;  // while requests wait for nodes

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
  uint64_t NowMs() override { return worker_->clock_->NowMs(); }
  int64_t UnixMs() override { return worker_->shared_->process->unix_time_us() / 1000; }
  void Propose(Edit edit, EditDone done) override {
    coordinator->Propose(std::move(edit), std::move(done));
  }
  void UnblockAt(uint64_t at_ms) override { worker_->UnblockAt(at_ms); }
  void OnMessages(uint32_t worker, std::string messages) override {
    worker_->OnMessages(worker, std::move(messages));
  }
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

  std::unique_ptr<Coordinator> coordinator;
  std::shared_ptr<const Topology> topology;  // that the shards know

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
      clock_(std::make_unique<UvClock>(&loop_)),
      mailbox_(&loop_, [this] { OnWake(); }),
      turns_(
          &loop_, &stats_, [this] { Turn(); },
          [this] {
            Turn();
            clock_->OnHeard();
          }),
      streams_(&loop_),
      sessions_(&shared->clients, &stats_),
      dispatcher_(serving_.pool.get(), index, serving_.config->workers),
      channels_(&dispatcher_, &chunks_, shared->process->channels),
      local_(shared->process, &sessions_),
      env_(std::make_unique<Env>(this)),
      relief_(&sessions_.connected(), &shards_, &shared->process->stats, &stats_),
      random_(0x9e3779b9u * (index + 1)) {
  streams_.set_after_batch([this] { relief_.Check(clock_.get()); });
  link_context_.streams = &streams_;
  sessions_.context().streams = &streams_;
  SessionContext& context = sessions_.session_context();
  context.dispatcher = &dispatcher_;
  context.chunks = &chunks_;
  context.stats = &stats_;
  context.local = &local_;
  context.gone = &shared_->gone_sessions;
  context.scripts = shared_->process->scripts;
  context.channels = &channels_;
  context.functions = shared_->process->functions;
  context.abilities = shared_->process->abilities;
  context.access = shared->process->access;
  SetNow();
  Use(serving_);
  dispatcher_.set_handler(this);
  tick_ = std::make_unique<UvTimer>(&loop_, [this] { OnTick(); });
  second_ = std::make_unique<UvTimer>(&loop_, [this] { OnSecond(); });
  again_ = std::make_unique<UvTimer>(&loop_, [] {});
  unblock_ = std::make_unique<UvTimer>(&loop_, [this] { OnUnblock(); });
}

UvWorker::~UvWorker() = default;

void UvWorker::set_coordinator(std::unique_ptr<Coordinator> coordinator) {
  env_->coordinator = std::move(coordinator);
  env_->topology = env_->coordinator->current();
  env_->coordinator->Watch([this](const std::shared_ptr<const Topology>& now) {
    ForEachChangedShard(*std::exchange(env_->topology, now), *now, [this](const ShardInfo& info) {
      for (const auto& owned : shards_) {
        if (owned->shard()->info().name == info.name) owned->shard()->edits().OnTopology(info);
      }
    });
  });
}

void UvWorker::Use(const Serving& serving) {
  serving_ = serving;
  const PoolConfig& config = serving_.pool->config();
  link_context_.keepalive_s = config.timeouts.keepalive_s;
  sessions_.context().keepalive_s = config.timeouts.keepalive_s;
  sessions_.session_context().pool = serving_.pool.get();
  sessions_.session_context().config = serving_.config.get();
}

void UvWorker::AddShard(const ShardConfig& config, const ShardInfo& info, bool newcomer) {
  const Pool& pool = *serving_.pool;
  const uint32_t slot = pool.Find(config.name)->slot;
  shards_.push_back(std::make_unique<UvOwnedShard>(
      UvOwnedShard::World{&loop_, &link_context_, &chunks_, env_.get(), shared_->resyncs,
                          shared_->after_crash, shared_->others, newcomer},
      &pool.table(), slot, pool.config(), config, info, serving_.rings));
  dispatcher_.SetShard(slot, shards_.back()->shard());
  if (shards_.size() == 1)
    SumShards();  // so that INFO names them before the first second has passed
}

void UvWorker::AddListener(const Address& address, UniqueFd socket) {
  listeners_.push_back(
      {address, std::make_unique<UvListener>(&loop_, std::move(socket), address.IsUnix(),
                                             [this](UniqueFd accepted, bool is_unix) {
                                               OnConnection(std::move(accepted), is_unix);
                                             })});
}

void UvWorker::StartListener(const Listener& listener) {
  std::string error;
  if (listener.listener->Start(&error)) return;
  Log(NoteLevel::kError, "cannot accept connections: " + error);
}

// An answer, which any step may give, lets its session go on at once. So each shard knows the ring
// before a request goes by it, and each is there before any other is changed.
void UvWorker::EndChange(Change change) {
  const bool ring_changed = change.next.rings != serving_.rings;
  for (auto& owned : shards_) {
    if (ring_changed && !owned->served().retiring()) owned->served().SetHistory(change.next.rings);
  }
  const bool io_changed = change.next.config->io_uring != serving_.config->io_uring;
  Use(change.next);
  SetScheduling();
  if (io_changed) SetIoUring();
  dispatcher_.SetPool(serving_.pool.get());
  UnblockMoved();
  const size_t known = shards_.size();
  AddNewShards(*change.topology);
  ChangeShards(change, known, ring_changed);
  ChangeListeners(&change);
  channels_.OnPool();
}

// Whoever waits for a key that is another shard's now would wait in vain. One may come behind a
// change, from a worker that has still to make it: so this is looked at now and then.
void UvWorker::UnblockMoved() {
  const Pool& pool = *serving_.pool;
  for (const auto& owned : shards_) {
    BlockedClients& blocked = owned->shard()->blocked();
    if (blocked.idle()) continue;
    blocked.OnMoved([&](std::string_view key) { return pool.ShardOf(key) != owned->slot(); });
  }
}

void UvWorker::AddNewShards(const Topology& topology) {
  const Pool& pool = *serving_.pool;
  const std::vector<ShardConfig>& configs = pool.config().shards;
  std::vector<bool> here(pool.slot_count());
  for (const auto& owned : shards_) {
    if (owned->served().retiring()) continue;
    const PoolShard* shard = pool.Find(owned->served().name());
    if (shard != nullptr) here[shard->slot] = true;
  }
  for (size_t i = 0; i < configs.size(); ++i) {
    const PoolShard& shard = pool.shards()[i];
    if (shard.owner != index_ || here[shard.slot]) continue;
    const int known = topology.IndexOf(shard.name);
    AddShard(configs[i], topology.shards[static_cast<size_t>(known)], /*newcomer=*/true);
    shards_.back()->served().Start(NextRandom(&random_));
  }
}

// Of those that are not new, the first `known`.
void UvWorker::ChangeShards(const Change& change, size_t known, bool ring_changed) {
  const Pool& pool = *serving_.pool;
  const uint64_t now_ms = clock_->NowMs();
  for (size_t i = 0; i < known; ++i) {
    ServedShard& served = shards_[i]->served();
    if (served.retiring()) continue;
    const PoolShard* shard = pool.Find(served.name());
    if (shard == nullptr) {
      served.Retire(now_ms);
      continue;
    }
    const auto place = static_cast<size_t>(shard - pool.shards().data());
    served.Change(pool.config(), pool.config().shards[place], change.force);
    if (ring_changed) served.AllowSweep();
  }
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

// Shards that a reload removed go when nothing of theirs is in flight any more.
void UvWorker::Retire(uint64_t now_ms) {
  for (size_t i = 0; i < shards_.size();) {
    if (!shards_[i]->served().retiring() || !shards_[i]->served().Retired(now_ms)) {
      ++i;
      continue;
    }
    const std::unique_ptr<UvOwnedShard> owned = std::move(shards_[i]);
    shards_.erase(shards_.begin() + static_cast<ptrdiff_t>(i));
    owned->served().Stop();
    dispatcher_.SetShard(owned->slot(), nullptr);
    const std::string& name = owned->served().name();
    if (shared_->claims != nullptr) shared_->claims->ReleaseShard(name);
    if (shared_->abilities != nullptr) shared_->abilities->ForgetShard(name);
    shared_->retired(owned->served().name());
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
  for (auto& owned : shards_) owned->served().Start(NextRandom(&random_));
  for (const Listener& listener : listeners_) StartListener(listener);
  tick_->Set(kTickMs);
  second_->Set(1000);
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
  sessions_.session_context().pause.Tick(sessions_.session_context().now_ms);
  bool waiting = true;
  try {
    waiting = TickAll(sessions_.session_context().now_ms);
  } catch (const std::bad_alloc&) {
    Log(NoteLevel::kError, "there is no memory: what was due now is done later");
  }
  if (tick_) tick_->Set(waiting ? kWaitingTickMs : kTickMs);
}

// True while requests wait for nodes.
bool UvWorker::TickAll(uint64_t now_ms) {
  bool waiting = false;
  for (auto& owned : shards_) {
    owned->served().Tick(now_ms, NextRandom(&random_) >> 8);
    waiting |= owned->shard()->nodes().Waiting();
  }
  Retire(now_ms);
  relief_.Tick(now_ms);
  memory_.OnHeld(Budget::Held());
  if (draining_.active()) CheckDrained(now_ms);
  return waiting;
}

// The ticks are too far apart for a timeout to the millisecond.
void UvWorker::UnblockAt(uint64_t at_ms) {
  if (!unblock_ || (unblock_ms_ != 0 && unblock_ms_ <= at_ms)) return;
  const uint64_t now_ms = clock_->NowMs();
  unblock_ms_ = at_ms;
  unblock_->Set(at_ms > now_ms ? at_ms - now_ms : 0);
}

void UvWorker::OnMessages(uint32_t worker, std::string messages) {
  if (worker == index_) {
    channels_.Deliver(messages);
    return;
  }
  UvWorker* other = shared_->workers[worker].get();
  other->Post([other, sent = std::make_shared<SentMessages>(std::move(messages))] {
    other->channels_.Deliver(sent->text());
    other->delivered_ += sent->text().size();
    if (other->delivered_ < kDeliveredAtOnce) return;
    // Else who reads what comes would seem not to, for what waited meanwhile.
    other->delivered_ = 0;
    other->FlushAll();
  });
}

void UvWorker::OnUnblock() {
  SetNow();
  unblock_ms_ = 0;
  for (const auto& owned : shards_) owned->shard()->TickBlocked(clock_->NowMs());
}

void UvWorker::OnSecond() {
  UnblockMoved();
  GiveMemoryBack();
  sessions_.session_context().reply_bytes /= 2;
  SumShards();
  turns_.OnSecond();
  const uint64_t now_ms = clock_->NowMs();
  const uint64_t idle_ms = uint64_t{serving_.pool->config().timeouts.idle_s} * 1000;
  if (idle_ms > 0 && now_ms >= idle_ms) sessions_.KillIdle(now_ms - idle_ms);
  if (second_) second_->Set(1000);
}

void UvWorker::SumShards() {
  std::vector<FigureSample> sums;
  for (const auto& owned : shards_) AddShardFigures(owned->shard()->figures(), &sums);
  stats_.shards.Set(std::move(sums));
}

// The end of a loop turn.
void UvWorker::Turn() {
  SetNow();
  delivered_ = 0;
  streams_.ReceiveAll();
  sessions_.Resume();
  if (std::exchange(sessions_.session_context().again, false) && again_) again_->Set(0);
  FlushAll();
  relief_.Check(clock_.get());
  sessions_.Reap();
}

void UvWorker::FlushAll() {
  // A flush can end a connection, and so cause more to flush: until nothing is left.
  while (!link_context_.dirty.empty() || sessions_.dirty()) {
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

void UvWorker::OnConnection(UniqueFd socket, bool unix_socket) {
  SetNow();
  sessions_.Accept(std::move(socket), unix_socket,
                   shared_->next_session.fetch_add(1, std::memory_order_relaxed),
                   std::min(serving_.pool->config().limits.max_clients,
                            shared_->room_for_clients.load(std::memory_order_relaxed)));
}

void UvWorker::Drain(uint64_t deadline_ms, std::function<void()> drained) {
  for (Listener& listener : listeners_) listener.listener->AcceptRest();
  listeners_.clear();
  draining_.Begin(clock_->NowMs(), deadline_ms, std::move(drained));
  for (auto& owned : shards_) owned->served().StopAudit();  // else who waits for one is waited for
}

void UvWorker::CheckDrained(uint64_t now_ms) {
  bool busy = !sessions_.empty();
  if (!busy) {
    heard_.resize(shards_.size());
    for (size_t i = 0; i < shards_.size(); ++i) {
      busy |= !shards_[i]->shard()->removals().AllHeard(&heard_[i]);
    }
  }
  const Draining::Step step = draining_.Next(now_ms, busy);
  if (step == Draining::Step::kServe) return;
  sessions_.Drain();
  if (step == Draining::Step::kClose) return;
  if (const size_t left = sessions_.connected().size(); left > 0) {
    Log(NoteLevel::kWarn,
        std::to_string(left) + " clients did not take their replies within the drain time");
    sessions_.KillAll();
  }
  draining_.End();
}

bool UvWorker::Quiet() const {
  for (const auto& owned : shards_) {
    if (!owned->shard()->Quiet()) return false;
  }
  return true;
}

void UvWorker::Stop() {
  listeners_.clear();
  tick_.reset();
  second_.reset();
  again_.reset();
  unblock_.reset();
  for (auto& owned : shards_) owned->served().Stop();
  sessions_.Clear();
  link_context_.dirty.clear();
  shards_.clear();
  turns_.Close();
  mailbox_.Close();
}

}  // namespace gemel

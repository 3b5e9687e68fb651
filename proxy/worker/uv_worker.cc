#include "proxy/worker/uv_worker.h"

#include <sched.h>

#include <algorithm>

#include "backend/served/random_step.h"
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"

namespace gemel {

namespace {

constexpr uint64_t kTickMs = 20;
// Of the sessions that wait to be read from, so many are looked at in one turn.
constexpr ptrdiff_t kTriedATurn = 256;
constexpr uint64_t kWaitingTickMs = 10;  // while requests wait for nodes
// After SIGTERM clients may have sent what was not read yet: that long it is still served.
constexpr uint64_t kDrainGraceMs = 100;

}  // namespace

// The shards' world: this worker's clock, log and coordinator.
class UvWorker::Env : public ShardEnv {
 public:
  explicit Env(UvWorker* worker) : worker_(worker) {}
  uint64_t NowMs() override { return worker_->clock_->NowMs(); }
  void Propose(Edit edit, EditDone done) override {
    worker_->coordinator_->Propose(std::move(edit), std::move(done));
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
      streams_(&loop_),
      dispatcher_(serving_.pool.get(), index, serving_.config->workers),
      local_(shared->process, this),
      env_(std::make_unique<Env>(this)),
      relief_(&sessions_, &shards_, &shared->process->stats, &stats_),
      random_(0x9e3779b9u * (index + 1)) {
  uv_loop_init(&loop_);
  clock_ = std::make_unique<UvClock>(&loop_);
  uv_async_init(&loop_, &wake_,
                [](uv_async_t* handle) { static_cast<UvWorker*>(handle->data)->OnWake(); });
  wake_.data = this;
  // After the timers and after the events: whatever was caused goes out before the loop sleeps.
  uv_prepare_init(&loop_, &prepare_);
  prepare_.data = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    static_cast<UvWorker*>(handle->data)->Turn();
    static_cast<UvWorker*>(handle->data)->NotePoll();
  });
  uv_check_init(&loop_, &check_);
  check_.data = this;
  uv_check_start(&check_, [](uv_check_t* handle) {
    static_cast<UvWorker*>(handle->data)->NotePolled();
    static_cast<UvWorker*>(handle->data)->Turn();
    static_cast<UvWorker*>(handle->data)->clock_->OnHeard();
  });
  streams_.set_after_batch([this] { relief_.Check(clock_.get()); });
  link_context_.streams = &streams_;
  session_context_.streams = &streams_;
  session_context_.session.dispatcher = &dispatcher_;
  session_context_.session.chunks = &chunks_;
  session_context_.session.stats = &stats_;
  session_context_.session.local = &local_;
  session_context_.session.gone = &shared_->gone_sessions;
  session_context_.session.access = shared->process->access;
  session_context_.session.now_ms = clock_->NowMs();
  Use(serving_);
  dispatcher_.set_handler(this);
  tick_ = std::make_unique<UvTimer>(&loop_, [this] { OnTick(); });
  second_ = std::make_unique<UvTimer>(&loop_, [this] { OnSecond(); });
  again_ = std::make_unique<UvTimer>(&loop_, [] {});
}

UvWorker::~UvWorker() = default;

void UvWorker::Use(const Serving& serving) {
  serving_ = serving;
  const PoolConfig& config = serving_.pool->config();
  link_context_.keepalive_s = config.timeouts.keepalive_s;
  session_context_.keepalive_s = config.timeouts.keepalive_s;
  session_context_.session.pool = serving_.pool.get();
  session_context_.session.config = serving_.config.get();
}

void UvWorker::AddShard(const ShardConfig& config, const ShardInfo& info, bool newcomer) {
  const Pool& pool = *serving_.pool;
  const uint32_t slot = pool.Find(config.name)->slot;
  shards_.push_back(std::make_unique<UvOwnedShard>(
      UvOwnedShard::World{&loop_, &link_context_, &chunks_, env_.get(), shared_->resyncs,
                          shared_->after_crash, shared_->others, newcomer},
      &pool.table(), slot, pool.config(), config, info, serving_.rings));
  dispatcher_.SetShard(slot, shards_.back()->shard());
}

void UvWorker::AddListener(const Address& address, UniqueFd socket) {
  listeners_.push_back(
      {address, std::make_unique<UvListener>(&loop_, std::move(socket), address.IsUnix(),
                                             [this](UniqueFd accepted, bool is_unix) {
                                               OnConnection(std::move(accepted), is_unix);
                                             })});
}

void UvWorker::EndChange(Change change) {
  // An answer, which any step may give, lets its session go on at once. So each shard knows the
  // ring before a request goes by it, and each is there before any other is changed.
  const bool ring_changed = change.next.rings != serving_.rings;
  for (auto& owned : shards_) {
    if (ring_changed && !owned->served().retiring()) owned->served().SetHistory(change.next.rings);
  }
  const bool io_changed = change.next.config->io_uring != serving_.config->io_uring;
  Use(change.next);
  SetScheduling();
  if (io_changed) SetIoUring();
  const Pool& pool = *serving_.pool;
  dispatcher_.SetPool(&pool);
  const uint64_t now_ms = clock_->NowMs();
  const std::vector<ShardConfig>& configs = pool.config().shards;
  const size_t known_shards = shards_.size();
  std::vector<bool> here(pool.slot_count());
  for (const auto& owned : shards_) {
    if (owned->served().retiring()) continue;
    const PoolShard* shard = pool.Find(owned->served().name());
    if (shard != nullptr) here[shard->slot] = true;
  }
  for (size_t i = 0; i < configs.size(); ++i) {
    const PoolShard& shard = pool.shards()[i];
    if (shard.owner != index_ || here[shard.slot]) continue;
    const int known = change.topology->IndexOf(shard.name);
    AddShard(configs[i], change.topology->shards[static_cast<size_t>(known)],
             /*newcomer=*/true);
    shards_.back()->served().Start(NextRandom(&random_));
  }
  for (size_t i = 0; i < known_shards; ++i) {
    UvOwnedShard* owned = shards_[i].get();
    if (owned->served().retiring()) continue;
    const PoolShard* shard = pool.Find(owned->served().name());
    if (shard == nullptr) {
      owned->served().Retire(now_ms);
      continue;
    }
    owned->served().Change(
        pool.config(), configs[static_cast<size_t>(shard - pool.shards().data())], change.force);
    if (ring_changed) owned->served().AllowSweep();
  }
  std::erase_if(listeners_, [&](const Listener& listener) {
    const std::vector<Address>& wanted = pool.config().listen;
    if (std::find(wanted.begin(), wanted.end(), listener.address) != wanted.end()) return false;
    listener.listener->AcceptRest();
    return true;
  });
  for (Change::Listener& added : change.listeners) {
    AddListener(added.address, std::move(added.socket));
    std::string error;
    if (!listeners_.back().listener->Start(&error)) {
      Log(NoteLevel::kError, "cannot accept connections: " + error);
    }
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
    if (shared_->claims != nullptr) shared_->claims->ReleaseShard(owned->served().name());
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
  for (Listener& listener : listeners_) {
    std::string error;
    if (!listener.listener->Start(&error))
      Log(NoteLevel::kError, "cannot accept connections: " + error);
  }
  tick_->Set(kTickMs);
  second_->Set(1000);
  poll_ms_ = polled_ms_ = 0;  // of the turns before it served
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

void UvWorker::Post(std::function<void()> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  uv_async_send(&wake_);
}

void UvWorker::Deliver(std::vector<Message>* messages) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool wake = inbox_.empty();
  if (wake) {
    inbox_.swap(*messages);
  } else {
    inbox_.insert(inbox_.end(), messages->begin(), messages->end());
  }
  messages->clear();
  if (wake) uv_async_send(&wake_);
}

void UvWorker::ReceiveAll() {
  std::vector<Message> messages;
  receiving_.clear();
  messages.swap(receiving_);  // its memory is kept
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    messages.swap(inbox_);
  }
  for (const Message& message : messages) dispatcher_.Receive(message);
  receiving_.swap(messages);
}

void UvWorker::OnWake() {
  session_context_.session.now_ms = clock_->NowMs();
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  ReceiveAll();
  for (std::function<void()>& task : tasks) task();
}

void UvWorker::OnTick() {
  const uint64_t now_ms = clock_->NowMs();
  session_context_.session.now_ms = now_ms;
  bool waiting = true;
  try {
    waiting = TickAll(now_ms);
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
  most_held_ = std::max(most_held_, Budget::Held());
  if (drained_) CheckDrained();
  return waiting;
}

void UvWorker::OnSecond() {
  GiveMemoryBack();
  session_context_.session.reply_bytes /= 2;
  const uint64_t now_ms = clock_->NowMs();
  uint64_t unsaved = 0;
  for (const auto& owned : shards_) unsaved += owned->shard()->edits().error().empty() ? 0 : 1;
  stats_.longest_turn_ms.Set(*std::max_element(longest_turns_ms_.begin(), longest_turns_ms_.end()));
  std::move(longest_turns_ms_.begin() + 1, longest_turns_ms_.end(), longest_turns_ms_.begin());
  longest_turns_ms_.back() = 0;
  const auto total = [this](std::string_view name) {
    uint64_t sum = 0;
    for (const auto& owned : shards_) sum += owned->shard()->figures().Get(name);
    return sum;
  };
  stats_.hedged.Set(total("hedged"));
  stats_.hedge_wins.Set(total("hedge_wins"));
  stats_.side_reads.Set(total("side_reads"));
  stats_.blamed_reads.Set(total("blamed_reads"));
  stats_.refused_large.Set(total("refused_large"));
  stats_.ended_scripts.Set(total("ended_scripts"));
  stats_.edits_failed.Set(total("edits_failed"));
  stats_.unsaved_shards.Set(unsaved);
  const uint64_t idle_ms = uint64_t{serving_.pool->config().timeouts.idle_s} * 1000;
  if (idle_ms > 0) {
    for (auto& session : sessions_) {
      Session& state = session->session();
      if (state.replies().pending() == 0 && now_ms >= state.facts().active_ms + idle_ms) {
        session->Kill();
      }
    }
  }
  if (second_) second_->Set(1000);
}

// Tries those who waited longest, and who gets on and waits again is last from then on: room for a
// few large replies is not to go to the same one each time. The others have their turn in the turns
// that follow, or thousands of them would make every turn a long one.
void UvWorker::ResumePaused() {
  if (session_context_.paused.empty()) return;
  std::vector<UvSession*> tried = std::move(session_context_.paused);
  session_context_.paused.clear();
  std::vector<UvSession*> last;
  if (std::ssize(tried) > kTriedATurn) {
    last.assign(tried.begin() + kTriedATurn, tried.end());
    tried.resize(kTriedATurn);
  }
  for (UvSession* session : tried) {
    const uint64_t before = session->session().facts().commands;
    bool resumed = true;
    try {
      resumed = session->TryResume();
    } catch (const std::bad_alloc&) {
      session->Kill();
    }
    if (resumed) continue;
    (session->session().facts().commands == before && last.empty() ? session_context_.paused : last)
        .push_back(session);
  }
  session_context_.paused.insert(session_context_.paused.end(), last.begin(), last.end());
}

// The end of a loop turn.
void UvWorker::Turn() {
  session_context_.session.now_ms = clock_->NowMs();
  streams_.ReceiveAll();
  ResumePaused();
  if (std::exchange(session_context_.session.again, false) && again_) again_->Set(0);
  FlushAll();
  relief_.Check(clock_.get());
  if (!session_context_.ended.empty() || !finishing_.empty()) Reap();
}

// The loop is about to poll: since it last did nobody was heard. Its own time will not do, since it
// is set anew before the timers. One reading of the clock a turn.
void UvWorker::NotePoll() {
  poll_ms_ = uv_hrtime() / 1000000;
  poll_for_ms_ = uv_backend_timeout(&loop_);
  if (polled_ms_ != 0 && poll_ms_ > polled_ms_) NoteTurn(poll_ms_ - polled_ms_);
}

// The poll is over, at the loop's time. Did it take longer than was asked for? Then this process
// was stopped, or had no CPU.
void UvWorker::NotePolled() {
  polled_ms_ = uv_now(&loop_);
  if (poll_ms_ == 0 || poll_for_ms_ < 0) return;
  const uint64_t until_ms = poll_ms_ + static_cast<uint64_t>(poll_for_ms_);
  if (polled_ms_ > until_ms) NoteTurn(polled_ms_ - until_ms);
}

void UvWorker::NoteTurn(uint64_t took_ms) {
  if (took_ms <= longest_turns_ms_.back()) return;
  longest_turns_ms_.back() = took_ms;
  stats_.longest_turn_ms.Set(std::max(stats_.longest_turn_ms.Get(), took_ms));
}

void UvWorker::FlushAll() {
  // A flush can end a connection, and so cause more to flush: until nothing is left.
  while (!link_context_.dirty.empty() || !session_context_.dirty.empty()) {
    std::vector<UvLink*>& links = link_context_.dirty;
    for (size_t i = 0; i < links.size(); ++i) links[i]->Flush();
    links.clear();
    std::vector<UvSession*>& sessions = session_context_.dirty;
    for (size_t i = 0; i < sessions.size(); ++i) sessions[i]->Flush();
    sessions.clear();
    streams_.SendAll();
  }
  for (uint32_t i = 0; i < dispatcher_.workers(); ++i) {
    if (!dispatcher_.outbox(i).empty()) shared_->workers[i]->Deliver(&dispatcher_.outbox(i));
  }
}

// Sessions whose connection is over go when nothing of theirs is in flight any more.
void UvWorker::Reap() {
  for (UvSession* ended : session_context_.ended) {
    const size_t at = ended->index;
    finishing_.push_back(std::move(sessions_[at]));
    if (at + 1 < sessions_.size()) {
      sessions_[at] = std::move(sessions_.back());
      sessions_[at]->index = at;
    }
    sessions_.pop_back();
    shared_->clients.fetch_sub(1, std::memory_order_relaxed);
    stats_.clients.Sub(1);
  }
  session_context_.ended.clear();
  std::erase_if(finishing_, [](const std::unique_ptr<UvSession>& session) {
    return session->session().Finished();
  });
}

void UvWorker::OnConnection(UniqueFd socket, bool unix_socket) {
  session_context_.session.now_ms = clock_->NowMs();
  const uint64_t id = shared_->next_session.fetch_add(1, std::memory_order_relaxed);
  std::unique_ptr<UvSession> session;
  try {
    session = std::make_unique<UvSession>(&session_context_, id);
    if (!session->Accept(std::move(socket), unix_socket)) return;
    if (sessions_.size() == sessions_.capacity()) sessions_.reserve(2 * sessions_.size() + 16);
  } catch (const std::bad_alloc&) {
    stats_.rejected.Add(1);
    return;
  }
  stats_.connections.Add(1);
  stats_.clients.Add(1);
  session->index = sessions_.size();
  sessions_.push_back(std::move(session));
  const uint32_t clients = shared_->clients.fetch_add(1, std::memory_order_relaxed) + 1;
  const uint32_t most = std::min(serving_.pool->config().limits.max_clients,
                                 shared_->room_for_clients.load(std::memory_order_relaxed));
  if (clients > most) {
    stats_.rejected.Add(1);
    sessions_.back()->session().ReplyError("ERR max number of clients reached");
    sessions_.back()->session().Drain();
  } else {
    sessions_.back()->session().TurnAwayIfProtected();
  }
}

void UvWorker::Drain(uint64_t deadline_ms, std::function<void()> drained) {
  for (Listener& listener : listeners_) listener.listener->AcceptRest();
  listeners_.clear();
  drained_ = std::move(drained);
  drain_close_ms_ = clock_->NowMs() + std::min(kDrainGraceMs, deadline_ms);
  drain_deadline_ms_ = clock_->NowMs() + deadline_ms;
  for (auto& owned : shards_)
    owned->served().StopAudit();  // else who waits for one would be waited for
}

void UvWorker::CheckDrained() {
  const uint64_t now_ms = clock_->NowMs();
  if (now_ms < drain_close_ms_) return;
  for (auto& session : sessions_) session->session().Drain();
  const bool late = now_ms >= drain_deadline_ms_;
  if (!late && (!sessions_.empty() || !finishing_.empty())) return;
  if (late && !sessions_.empty()) {
    Log(NoteLevel::kWarn, std::to_string(sessions_.size()) +
                              " clients did not take their replies within the drain time");
    for (auto& session : sessions_) session->Kill();
  }
  std::function<void()> drained = std::move(drained_);
  drained_ = nullptr;
  drained();
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
  for (auto& owned : shards_) owned->served().Stop();
  for (auto& session : sessions_) session->Kill();
  sessions_.clear();
  finishing_.clear();
  session_context_.dirty.clear();
  session_context_.paused.clear();
  session_context_.ended.clear();
  link_context_.dirty.clear();
  shards_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&check_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
}

void UvWorker::ForEachSession(const std::function<void(Session&)>& visit) {
  for (auto& session : sessions_) visit(session->session());
}

void UvWorker::KillSession(Session& session) {
  for (auto& candidate : sessions_) {
    if (&candidate->session() == &session) candidate->Kill();
  }
}

}  // namespace gemel

#include "proxy/worker/uv_worker.h"

#include <algorithm>

#include "backend/resp/request_reader.h"
#include "backend/shard/shard_control.h"
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"

namespace gemel {

namespace {

constexpr size_t kReadBuffer = 64 * 1024;
constexpr uint64_t kOwnReplies = 1 << 20;
constexpr uint64_t kTickMs = 20;
constexpr uint64_t kWaitingTickMs = 10;  // while requests wait for nodes
// After SIGTERM clients may have sent what was not read yet: that long it is still served.
constexpr uint64_t kDrainGraceMs = 100;

}  // namespace

// The shards' world: this worker's clock, log and coordinator.
class UvWorker::Env : public ShardEnv {
 public:
  explicit Env(UvWorker* worker) : worker_(worker) {}
  uint64_t NowMs() override { return uv_now(&worker_->loop_); }
  void Propose(Edit edit, EditDone done) override {
    worker_->coordinator_->Propose(std::move(edit), std::move(done));
  }
  void Note(NoteLevel level, const std::string& text) override {
    Log(level, text);
    const ProcessInfo& process = *worker_->shared_->process;
    if (process.events != nullptr) process.events->Add(process.unix_time_us(), level, text);
  }

 private:
  UvWorker* worker_;
};

struct UvWorker::OwnedShard {
  std::unique_ptr<Shard> shard;
  std::vector<std::unique_ptr<UvLink>> links;
  std::vector<std::unique_ptr<HiredisProbe>> probes;
  std::unique_ptr<HiredisControl> control;
  std::unique_ptr<Resync> resync;
  std::unique_ptr<Audit> audit;
  std::unique_ptr<RoleWatch> watch;

  ~OwnedShard() {
    audit.reset();
    resync.reset();
    watch.reset();
    probes.clear();
    control.reset();
    links.clear();
  }
};

UvWorker::UvWorker(Shared* shared, uint32_t index)
    : shared_(shared),
      index_(index),
      dispatcher_(shared->pool, index, shared->process->config->workers),
      local_(shared->process, this),
      env_(std::make_unique<Env>(this)),
      random_(0x9e3779b9u * (index + 1)) {
  uv_loop_init(&loop_);
  uv_async_init(&loop_, &wake_,
                [](uv_async_t* handle) { static_cast<UvWorker*>(handle->data)->OnWake(); });
  wake_.data = this;
  // After the timers and after the events: whatever was caused goes out before the loop sleeps.
  uv_prepare_init(&loop_, &prepare_);
  prepare_.data = this;
  uv_prepare_start(&prepare_,
                   [](uv_prepare_t* handle) { static_cast<UvWorker*>(handle->data)->Turn(); });
  uv_check_init(&loop_, &check_);
  check_.data = this;
  uv_check_start(&check_, [](uv_check_t* handle) { static_cast<UvWorker*>(handle->data)->Turn(); });
  const PoolConfig& config = shared->pool->config();
  link_context_.loop = &loop_;
  link_context_.read_buffer.resize(kReadBuffer);
  link_context_.keepalive_s = config.timeouts.keepalive_s;
  session_context_.loop = &loop_;
  session_context_.read_buffer.resize(kReadBuffer);
  session_context_.keepalive_s = config.timeouts.keepalive_s;
  session_context_.session.pool = shared->pool;
  session_context_.session.dispatcher = &dispatcher_;
  session_context_.session.chunks = &chunks_;
  session_context_.session.stats = &stats_;
  session_context_.session.local = &local_;
  session_context_.session.buffered_limit =
      config.limits.buffered / shared->process->config->workers;
  session_context_.session.now_ms = uv_now(&loop_);
  dispatcher_.set_handler(this);
  tick_ = std::make_unique<UvTimer>(&loop_, [this] { OnTick(); });
  second_ = std::make_unique<UvTimer>(&loop_, [this] { OnSecond(); });
}

UvWorker::~UvWorker() = default;

void UvWorker::AddShard(uint32_t index, const ShardInfo& info) {
  const PoolConfig& pool = shared_->pool->config();
  const ShardConfig& config = pool.shards[index];
  const std::vector<Address> nodes = config.Nodes();
  ShardOptions options;
  options.name = config.name;
  options.ack = pool.write.ack;
  options.read_from = pool.read.from;
  options.probe_failures = pool.health.failures;
  options.hang = {pool.health.min_timeout_ms, pool.health.timeout_ms};
  options.hedge_ms = pool.read.hedge_ms;
  options.held_limit = pool.limits.shard_held;
  options.wait_ms = pool.timeouts.request_ms > 0 ? pool.timeouts.request_ms : 60000;
  options.start_ms = pool.timeouts.connect_ms;
  options.pause_ms = pool.resync.pause_ms;
  options.failback = pool.health.failback == Failback::kWhenInSync;
  options.lag_bytes = pool.limits.node_pending_bytes;
  options.on_data_loss = pool.write.on_data_loss;
  options.journal_keys = pool.resync.journal_keys;
  options.journal_bytes = pool.resync.journal_bytes;
  options.repair_keys_per_s = pool.resync.repair_keys_per_s;
  std::vector<HiredisNode> control_nodes;
  for (const Address& node : nodes) {
    LinkOptions link;
    link.name = node.ToString();
    link.user = config.user;
    link.password = config.password;
    link.database = config.database;
    // What the proxy asks for itself (INFO) is small, and not a client's.
    link.limits.max_bulk = std::max<uint64_t>(pool.limits.max_bulk, kOwnReplies);
    link.limits.max_depth = pool.limits.max_reply_depth;
    link.connect_timeout_ms = pool.timeouts.connect_ms > 0 ? pool.timeouts.connect_ms : 60000;
    link.request_timeout_ms = pool.timeouts.request_ms;
    link.reconnect_min_ms = pool.timeouts.reconnect_min_ms;
    link.reconnect_max_ms = pool.timeouts.reconnect_max_ms;
    options.nodes.push_back(std::move(link));
    control_nodes.push_back({node, config.user, config.password, config.database});
  }
  auto owned = std::make_unique<OwnedShard>();
  owned->shard = std::make_unique<Shard>(std::move(options), info, &shared_->pool->table(),
                                         &chunks_, env_.get());
  Shard* shard = owned->shard.get();
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    owned->links.push_back(std::make_unique<UvLink>(&link_context_, shard->link(i), nodes[i]));
    shard->link(i)->set_transport(owned->links.back().get());
    owned->probes.push_back(std::make_unique<HiredisProbe>(
        &loop_, control_nodes[i], pool.health,
        [shard, i](Shard::Probe probe, uint64_t began_ms) { shard->OnProbe(i, probe, began_ms); },
        [this](NoteLevel level, const std::string& text) { env_->Note(level, text); }));
  }
  owned->control = std::make_unique<HiredisControl>(&loop_, control_nodes);
  owned->resync = std::make_unique<Resync>(shard, owned->control.get(), env_.get(), pool.resync,
                                           shared_->resyncs);
  shard->control().set_detach([control = owned->control.get()](
                                  uint32_t copy, std::function<void(const std::string&)> done) {
    MakeMaster(control, copy, std::move(done));
  });
  owned->audit = std::make_unique<Audit>(shard, env_.get(), pool.audit);
  owned->watch = std::make_unique<RoleWatch>(shard, owned->control.get(), env_.get());
  dispatcher_.SetShard(index, shard);
  shards_.push_back(std::move(owned));
}

void UvWorker::AddListener(UniqueFd socket, bool unix_socket) {
  listeners_.push_back(std::make_unique<UvListener>(
      &loop_, std::move(socket), unix_socket,
      [this](uv_stream_t* server, bool is_unix) { OnConnection(server, is_unix); }));
}

void UvWorker::Run() {
  uv_update_time(&loop_);
  for (auto& owned : shards_) {
    owned->shard->Start();
    for (auto& probe : owned->probes) probe->Start(random_ = random_ * 1664525u + 1013904223u);
  }
  for (auto& listener : listeners_) {
    std::string error;
    if (!listener->Start(&error)) Log(NoteLevel::kError, "cannot accept connections: " + error);
  }
  tick_->Set(kTickMs);
  second_->Set(1000);
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

void UvWorker::OnWake() {
  session_context_.session.now_ms = uv_now(&loop_);
  std::vector<std::function<void()>> tasks;
  receiving_.clear();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    receiving_.swap(inbox_);
    tasks.swap(tasks_);
  }
  for (const Message& message : receiving_) dispatcher_.Receive(message);
  for (std::function<void()>& task : tasks) task();
}

void UvWorker::OnTick() {
  const uint64_t now_ms = uv_now(&loop_);
  session_context_.session.now_ms = now_ms;
  bool waiting = false;
  for (auto& owned : shards_) {
    random_ = random_ * 1664525u + 1013904223u;
    owned->shard->Tick(now_ms, random_ >> 8);
    owned->resync->Tick(now_ms);
    owned->audit->Tick(now_ms);
    owned->watch->Tick(now_ms);
    for (uint32_t i = 0; i < owned->probes.size(); ++i) {
      if (owned->shard->TakeProbeWish(i)) owned->probes[i]->ProbeNow();
    }
    waiting |= owned->shard->Waiting();
  }
  stats_.buffered.Set(chunks_.bytes_in_use());
  if (drained_) CheckDrained();
  if (tick_) tick_->Set(waiting ? kWaitingTickMs : kTickMs);
}

void UvWorker::OnSecond() {
  const uint64_t now_ms = uv_now(&loop_);
  uint64_t hedged = 0;
  uint64_t hedge_wins = 0;
  for (const auto& owned : shards_) {
    hedged += owned->shard->stats().hedged;
    hedge_wins += owned->shard->stats().hedge_wins;
  }
  stats_.hedged.Set(hedged);
  stats_.hedge_wins.Set(hedge_wins);
  const uint64_t idle_ms = uint64_t{shared_->pool->config().timeouts.idle_s} * 1000;
  if (idle_ms > 0) {
    for (auto& session : sessions_) {
      const Session& state = session->session();
      if (state.pending() == 0 && now_ms >= state.active_ms() + idle_ms) session->Kill();
    }
  }
  if (second_) second_->Set(1000);
}

// The end of a loop turn.
void UvWorker::Turn() {
  session_context_.session.now_ms = uv_now(&loop_);
  if (!session_context_.paused.empty()) {
    std::vector<UvSession*> paused = std::move(session_context_.paused);
    session_context_.paused.clear();
    for (UvSession* session : paused) {
      if (!session->TryResume()) session_context_.paused.push_back(session);
    }
  }
  FlushAll();
  if (!session_context_.ended.empty() || !finishing_.empty()) Reap();
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

void UvWorker::OnConnection(uv_stream_t* server, bool unix_socket) {
  session_context_.session.now_ms = uv_now(&loop_);
  const uint64_t id = shared_->next_session.fetch_add(1, std::memory_order_relaxed);
  auto session = std::make_unique<UvSession>(&session_context_, id);
  if (!session->Accept(server, unix_socket)) return;
  stats_.connections.Add(1);
  stats_.clients.Add(1);
  session->index = sessions_.size();
  sessions_.push_back(std::move(session));
  const uint32_t clients = shared_->clients.fetch_add(1, std::memory_order_relaxed) + 1;
  if (clients > shared_->pool->config().limits.max_clients) {
    stats_.rejected.Add(1);
    sessions_.back()->session().ReplyError("ERR max number of clients reached");
    sessions_.back()->session().Drain();
  }
}

void UvWorker::Drain(uint64_t deadline_ms, std::function<void()> drained) {
  listeners_.clear();
  drained_ = std::move(drained);
  drain_close_ms_ = uv_now(&loop_) + std::min(kDrainGraceMs, deadline_ms);
  drain_deadline_ms_ = uv_now(&loop_) + deadline_ms;
  for (auto& owned : shards_) owned->audit->Stop();  // else who waits for one would be waited for
}

void UvWorker::CheckDrained() {
  const uint64_t now_ms = uv_now(&loop_);
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
    if (!owned->shard->Quiet()) return false;
  }
  return true;
}

void UvWorker::Stop() {
  listeners_.clear();
  tick_.reset();
  second_.reset();
  for (auto& owned : shards_) {
    for (auto& probe : owned->probes) probe->Stop();
    owned->resync.reset();
    owned->audit->Stop();
    owned->watch.reset();
    owned->shard->Stop();
  }
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

void UvWorker::HandleWorkerRequest(Request* request) {
  std::vector<std::string_view> args;
  SplitFrame(request->frame, &args);
  const std::string reply = local_.RunForOtherWorker(args);
  request->sink->OnReply(request, Reply{reply, nullptr});
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

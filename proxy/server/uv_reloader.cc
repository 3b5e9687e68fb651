#include "proxy/server/uv_reloader.h"

#include <unistd.h>

#include <algorithm>
#include <latch>

#include "config/config_edit.h"
#include "config/config_load.h"
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"
#include "proxy/reload/config_diff.h"
#include "proxy/reload/reload_check.h"
#include "proxy/server/check_hosts.h"
#include "proxy/server/replace_file.h"
#include "proxy/worker/uv_listener.h"

namespace gemel {

namespace {

constexpr uint64_t kAgainMs = 500;
constexpr uint32_t kMaxTries = 30;

}  // namespace

// One reload. Its thread-pool part touches nothing but it.
struct UvReloader::Job {
  ReloadOrder order;
  ReloadDone done;
  UvWorker::Serving now;
  std::vector<uint32_t> taken;  // slots
  // While the thread pool has it:
  uv_work_t work;
  UvReloader* reloader = nullptr;
  std::shared_ptr<Job> self;
  void (*run)(Job*) = nullptr;
  void (UvReloader::*then)(std::shared_ptr<Job>) = nullptr;

  std::string text;  // at first that of the config in effect
  std::vector<std::pair<std::string, std::string>> sets_before;
  std::string error;
  UvWorker::Serving next;
  ConfigDiff diff;
  std::string description;
  std::shared_ptr<const Topology> topology;  // with what was made durable for it

  bool momentary = false;  // what refused it may be over soon
  bool log_changed = false;
  std::vector<std::pair<Address, std::vector<UniqueFd>>> sockets;
  size_t edits = 0;    // not durable yet
  size_t workers = 0;  // that have not gone over yet
};

UvReloader::UvReloader(uv_loop_t* loop, UvWorker::Shared* shared, UvCoordinator* coordinator,
                       ResyncBoard* resyncs, ReloadStatus* status, UvWorker::Serving serving,
                       std::string text)
    : loop_(loop),
      shared_(shared),
      coordinator_(coordinator),
      front_(coordinator->FrontFor([worker = shared->workers[0].get()](std::function<void()> task) {
        worker->Post(std::move(task));
      })),
      resyncs_(resyncs),
      status_(status),
      serving_(std::move(serving)),
      text_(std::move(text)),
      file_text_(text_),
      again_(std::make_unique<UvTimer>(loop, [this] {
        if (!later_) return;
        waiting_.push_front(std::move(*later_));
        later_.reset();
        busy_ = false;
        Next();
      })) {}

UvReloader::~UvReloader() = default;

void UvReloader::Note(NoteLevel level, const std::string& text) {
  Log(level, text);
  const ProcessInfo& process = *shared_->process;
  process.events->Add(process.unix_time_us(), level, text);
}

void UvReloader::Submit(ReloadOrder order, ReloadDone done) {
  waiting_.push_back({std::move(order), std::move(done)});
  Next();
}

void UvReloader::Stop() {
  stopped_ = true;
  again_.reset();
  if (later_) {
    waiting_.push_front(std::move(*later_));
    later_.reset();
    busy_ = false;
  }
  Next();
}

void UvReloader::Next() {
  while (stopped_ && !waiting_.empty()) {
    const ReloadDone done = std::move(waiting_.front().done);
    waiting_.pop_front();
    done({false, false, "gemel is being stopped"});
  }
  if (busy_ || waiting_.empty()) return;
  busy_ = true;
  auto job = std::make_shared<Job>();
  job->order = std::move(waiting_.front().order);
  job->done = std::move(waiting_.front().done);
  waiting_.pop_front();
  job->now = serving_;
  for (const auto& [name, slot] : leaving_) job->taken.push_back(slot);
  job->text = text_;
  job->sets_before = sets_;
  if (!Queue(job, Load, &UvReloader::OnLoaded)) {
    Refuse(job, "the thread pool does not take the reload");
  }
}

bool UvReloader::Queue(const std::shared_ptr<Job>& job, void (*run)(Job*),
                       void (UvReloader::*then)(std::shared_ptr<Job>)) {
  job->reloader = this;
  job->run = run;
  job->then = then;
  job->self = job;
  job->work.data = job.get();
  const int queued = uv_queue_work(
      loop_, &job->work,
      [](uv_work_t* work) {
        Job* on_pool = static_cast<Job*>(work->data);
        on_pool->run(on_pool);
      },
      [](uv_work_t* work, int) {
        Job* ended = static_cast<Job*>(work->data);
        (ended->reloader->*ended->then)(std::move(ended->self));
      });
  if (queued != 0) job->self.reset();
  return queued == 0;
}

// On the thread pool: all that takes long.
void UvReloader::Load(Job* job) {
  const std::string& file = job->now.config->file;
  ConfigError error;
  bool read = true;
  if (job->order.sets.empty()) {
    std::optional<std::string> text = ReadConfigFile(file, &error);
    read = text.has_value();
    if (read) job->text = *std::move(text);
  }
  for (const auto* sets : {&job->order.sets, &job->sets_before}) {
    if (!read || (sets == &job->sets_before && !job->order.rewrite)) break;
    for (const auto& [name, value] : *sets) {
      if (SetOption(&job->text, name, value, &job->error)) continue;
      job->error = name + ": " + job->error;
      return;
    }
  }
  std::optional<Config> config;
  if (read) config = LoadConfigText(job->text, file, &error);
  if (config) {
    if (std::optional<ConfigError> unresolved = CheckHosts(*config)) {
      config.reset();
      error = *unresolved;
    }
  }
  if (!config) {
    // What is set has no line in the file.
    job->error = job->order.sets.empty() ? error.ToString() : error.message;
    return;
  }
  job->diff = DiffConfigs(*job->now.config, *config);
  job->next.pool = std::make_shared<const Pool>(config->pools[0], *job->now.pool, job->taken);
  std::optional<RingMoves> moves;
  if (job->diff.ring_changed) {
    moves = CompareRings(job->now.pool->ring(), job->now.pool->NamesBySlot(),
                         job->next.pool->ring(), job->next.pool->NamesBySlot());
  }
  job->next.config = std::make_shared<const Config>(*std::move(config));
  job->description = DescribeDiff(job->diff, moves ? &*moves : nullptr);
}

void UvReloader::Write(Job* job) {
  if (!ReplaceFile(job->now.config->file, job->text, &job->error)) {
    job->error = "the config file cannot be written: " + job->error;
  }
}

void UvReloader::OnLoaded(std::shared_ptr<Job> job) {
  if (!job->error.empty() || !job->order.rewrite || stopped_) {
    Apply(job);
    return;
  }
  if (on_write_) on_write_(job->text);
  if (!Queue(job, Write, &UvReloader::OnWritten)) {
    Refuse(job, "the thread pool does not take the file");
  }
}

void UvReloader::OnWritten(std::shared_ptr<Job> job) {
  if (job->error.empty()) {
    file_text_ = job->text;
  } else if (on_loaded_) {
    on_loaded_();
  }
  Apply(job);
}

void UvReloader::Apply(const std::shared_ptr<Job>& job) {
  std::string error = job->error;
  if (error.empty() && stopped_) error = "gemel is being stopped";
  if (!error.empty()) {
    Refuse(job, error);
    return;
  }
  if (job->diff.empty()) {
    if (!job->order.dry_run) Keep(*job);  // comments may have changed
    End(job, {true, false, "nothing changes"});
    return;
  }
  if (!job->diff.needs_restart.empty()) {
    const std::string& file = serving_.config->file;
    for (const std::string& sentence : job->diff.needs_restart) {
      error += (error.empty() ? file + ": " : "; ") + sentence;
    }
    Refuse(job, error);
    return;
  }
  std::vector<std::string> leaving;
  for (const auto& [name, slot] : leaving_) leaving.push_back(name);
  error =
      WhyRefused(job->next.config->pools[0], *coordinator_->current(), leaving, job->order.force);
  if (!error.empty()) {
    job->momentary = true;
    Refuse(job, serving_.config->file + ": " + error);
    return;
  }
  if (!Prepare(job.get(), &error)) {
    Refuse(job, error);
    return;
  }
  if (job->order.dry_run) {
    DropSockets(job.get());
    End(job, {true, false, job->description});
    return;
  }
  MakeDurable(job);
}

// Everything that can fail and can be taken back.
bool UvReloader::Prepare(Job* job, std::string* error) {
  const Config& next = *job->next.config;
  for (const Address& address : job->diff.listeners_added) {
    std::vector<UniqueFd> sockets = BindListeners(address, next.workers, error);
    if (sockets.empty()) {
      *error = ConfigError{next.file, address.line, address.column, *error}.ToString();
      return false;
    }
    job->sockets.emplace_back(address, std::move(sockets));
  }
  if (next.log != job->now.config->log && !job->order.dry_run) {
    if (!ChangeLog(next.log, error)) {
      *error = next.file + ": " + *error;
      return false;
    }
    job->log_changed = true;
  }
  return true;
}

void UvReloader::DropSockets(Job* job) {
  for (const auto& [address, sockets] : job->sockets) {
    if (address.IsUnix()) ::unlink(address.path.c_str());
  }
  job->sockets.clear();
}

void UvReloader::MakeDurable(const std::shared_ptr<Job>& job) {
  job->topology = coordinator_->current();
  std::vector<Edit> edits;
  for (const ShardConfig& shard : job->diff.shards_added) {
    if (job->topology->IndexOf(shard.name) >= 0) continue;
    Edit edit{EditKind::kAddShard, shard.name, {}, {}, job->order.cause};
    for (const Address& node : shard.Nodes()) edit.nodes.push_back(node.ToString());
    edits.push_back(std::move(edit));
  }
  if (job->diff.ring_changed) {
    Edit edit{EditKind::kSetRing, {}, {}, {}, job->order.cause};
    edit.spec = RingOf(job->next.config->pools[0]);
    edits.push_back(std::move(edit));
  }
  if (edits.empty()) {
    job->next.rings = serving_.rings;
    Change(job);
    return;
  }
  job->edits = edits.size();
  for (Edit& edit : edits) {
    front_->Propose(std::move(edit), [this, job](const EditResult& result) {
      if (!result.ok && job->error.empty()) job->error = result.error;
      if (--job->edits > 0) return;
      if (job->error.empty() && stopped_) job->error = "gemel is being stopped";
      if (!job->error.empty()) {
        Refuse(job, "the change could not be made durable: " + job->error);
        return;
      }
      job->topology = coordinator_->current();
      if (!Queue(job, MakeRings, &UvReloader::Change)) {
        Refuse(job, "the thread pool does not take the ring");
      }
    });
  }
}

void UvReloader::MakeRings(Job* job) {
  job->next.rings = std::make_shared<const RingHistory>(job->topology->rings, job->now.rings.get());
}

void UvReloader::Change(std::shared_ptr<Job> job) {
  const size_t workers = shared_->workers.size();
  auto sent = std::make_shared<std::latch>(static_cast<ptrdiff_t>(workers));
  auto taken = std::make_shared<std::latch>(static_cast<ptrdiff_t>(workers));
  job->workers = workers;
  for (size_t i = 0; i < workers; ++i) {
    auto change = std::make_shared<UvWorker::Change>();
    change->next = job->next;
    change->topology = job->topology;
    change->force = job->order.force;
    for (auto& [address, sockets] : job->sockets) {
      change->listeners.push_back({address, std::move(sockets[i])});
    }
    UvWorker* worker = shared_->workers[i].get();
    worker->Post([this, worker, sent, taken, change, job] {
      // Every worker is about to come here, and none of them waits for anything else.
      worker->BeginChange();
      sent->arrive_and_wait();
      worker->TakeAll();
      taken->arrive_and_wait();
      worker->EndChange(std::move(*change));
      shared_->workers[0]->Post([this, job] {
        if (--job->workers == 0) OnChanged(job);
      });
    });
  }
}

void UvReloader::OnChanged(const std::shared_ptr<Job>& job) {
  for (const Address& address : job->diff.listeners_removed) {
    if (address.IsUnix()) ::unlink(address.path.c_str());
    Log(NoteLevel::kInfo, "listens on " + address.ToString() + " no more; its clients stay");
  }
  for (const auto& [address, sockets] : job->sockets) {
    Log(NoteLevel::kInfo, "listening on " + address.ToString());
  }
  for (const ShardConfig& shard : job->diff.shards_removed) {
    leaving_.emplace_back(shard.name, job->now.pool->Find(shard.name)->slot);
  }
  resyncs_->set_max_parallel(job->next.config->pools[0].resync.max_parallel);
  serving_ = job->next;
  Keep(*job);
  End(job, {true, true, job->description});
}

// The job's text is that of the config in effect.
void UvReloader::Keep(const Job& job) {
  text_ = job.text;
  if (job.order.sets.empty()) {
    if (!sets_.empty() && !job.order.rewrite) {
      Note(NoteLevel::kInfo,
           "what CONFIG SET had changed since the file was last read is forgotten");
    }
    sets_.clear();
    file_text_ = job.text;
  }
  sets_.insert(sets_.end(), job.order.sets.begin(), job.order.sets.end());
  if (on_loaded_) on_loaded_();
}

void UvReloader::OnRetired(const std::string& name, uint32_t slot) {
  front_->Propose({EditKind::kRemoveShard, name, {}, {}, "the config has it no more"},
                  [this, name, slot](const EditResult& result) {
                    std::erase(leaving_, std::pair(name, slot));
                    Note(result.ok ? NoteLevel::kInfo : NoteLevel::kWarn,
                         "shard '" + name + "': removed" +
                             (result.ok ? std::string()
                                        : ", but that could not be made durable: " + result.error));
                  });
}

void UvReloader::Refuse(const std::shared_ptr<Job>& job, const std::string& why) {
  if (job->log_changed) {
    std::string ignored;
    ChangeLog(serving_.config->log, &ignored);
  }
  DropSockets(job.get());
  if (job->order.dry_run && job->next.config != nullptr) {
    // The plan, and what of it would be refused.
    const bool told = !job->diff.needs_restart.empty();
    End(job, {true, false, job->description + (told ? "" : "refused: " + why + "\n")});
    return;
  }
  if (job->momentary && job->order.patient && !stopped_ && ++tries_ < kMaxTries) {
    if (tries_ == 1) Note(NoteLevel::kWarn, job->order.cause + ": not yet: " + why);
    later_ = Waiting{std::move(job->order), std::move(job->done)};
    again_->Set(kAgainMs);
    return;
  }
  End(job, {false, false, why});
}

void UvReloader::End(const std::shared_ptr<Job>& job, ReloadOutcome outcome) {
  busy_ = false;
  tries_ = 0;
  if (!job->order.dry_run) {
    status_->Tried(shared_->process->unix_time_us(), outcome.changed,
                   outcome.ok ? "" : outcome.text);
    std::string line = job->order.cause + ": ";
    if (!outcome.ok) {
      line += "the config stays as it was: " + outcome.text;
    } else if (!outcome.changed) {
      line += "the config is what it was";
    } else {
      line += "a new config is in effect: " + outcome.text;
      std::replace(line.begin(), line.end(), '\n', ';');
    }
    Note(outcome.ok ? NoteLevel::kInfo : NoteLevel::kError, line);
  }
  job->done(outcome);
  Next();
}

}  // namespace gemel

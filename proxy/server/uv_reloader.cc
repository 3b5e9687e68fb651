#include "proxy/server/uv_reloader.h"

#include <algorithm>
#include <new>

#include "backend/command/command_names.h"
#include "backend/uv/uv_names.h"
#include "config/config_edit.h"
#include "config/config_edit_users.h"
#include "config/config_options.h"
#include "config/posix_config_file.h"
#include "proxy/fleet/uv_fleet.h"
#include "proxy/log/event_log.h"
#include "proxy/log/log.h"
#include "proxy/reload/config_diff.h"
#include "proxy/reload/posix_file_sighting.h"
#include "proxy/reload/reload_verdict.h"
#include "proxy/server/posix_replace_file.h"
#include "proxy/server/uv_check_hosts.h"
#include "proxy/server/uv_presence.h"
#include "proxy/server/uv_reload_job.h"
#include "proxy/server/uv_start_check.h"
#include "proxy/worker/posix_socket_file.h"
#include "proxy/worker/uv_listener.h"

namespace gemel {

namespace {

constexpr uint64_t kAgainMs = 500;
// For the hosts of new nodes to be resolved, if only to say so where they cannot be.
constexpr uint64_t kNamesMs = 1000;

// What a connection may not set by the config in effect: why, or empty.
std::string WhyProtected(const ReloadOrder& order, const Config& config) {
  for (const auto& [name, value] : order.sets) {
    const OptionInfo* option = FindOption(name);
    const std::string why = option == nullptr
                                ? std::string()
                                : WhyProtected(*option, config.protected_configs, order.local);
    if (!why.empty()) return name + ": " + why;
  }
  return {};
}

}  // namespace

UvReloader::UvReloader(uv_loop_t* loop, UvWorker::Shared* shared, UvPresence* presence,
                       CoordinatorService* coordinator, ResyncBoard* resyncs, ReloadStatus* status,
                       UvWorker::Serving serving, std::string text)
    : loop_(loop),
      side_(std::make_unique<UvSideThread>(loop, "gemel-reload")),
      shared_(shared),
      metrics_(std::make_shared<UvMetrics>(shared)),
      presence_(presence),
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
        member_.refused = 0;
        if (queue_.Again()) Next();
        OnFleet();
      })) {}

UvReloader::~UvReloader() = default;

void UvReloader::Note(NoteLevel level, const std::string& text) {
  Log(level, text);
  const ProcessInfo& process = *shared_->process;
  process.events->Add(process.unix_time_us(), level, text);
}

HandedConfig UvReloader::Handed() const {
  HandedConfig handed{file_text_, text_, sets_, {}};
  for (const auto& [name, rules] : users_) {
    handed.users.push_back({name, !rules.has_value(), rules.value_or("")});
  }
  return handed;
}

// If the file is another one by now it is in effect, and what was set is forgotten, as at a reload.
void UvReloader::Remember(const HandedConfig& handed) {
  if (text_ != handed.text) return;
  file_text_ = handed.file_text;
  sets_ = handed.sets;
  for (const HandedConfig::User& user : handed.users) {
    users_.emplace_back(user.name, user.gone ? std::nullopt : std::optional(user.rules));
  }
}

void UvReloader::Submit(ReloadOrder order, ReloadDone done) {
  queue_.Add(std::move(order), std::move(done));
  Next();
}

void UvReloader::Stop() {
  stopped_ = true;
  metrics_->Stop();
  steps_.Stop();
  UvNames::Process().Stop();  // what runs may wait for a name
  again_.reset();
  if (running_ && !steps_.changing()) {
    // It may hang on its thread for longer than who asked is there.
    const ReloadDone done = std::exchange(running_->done, [](const ReloadOutcome&) {});
    done({false, false, kReloadStopped});
  }
  side_.reset();
  queue_.Stop();
}

bool UvReloader::ShowMetrics(std::string* error) {
  UvMetrics::Opened opened;
  if (!metrics_->Open(*serving_.config, &opened, error)) return false;
  metrics_->Use(serving_, std::move(opened));
  return true;
}

void UvReloader::Next() {
  if (running_) return;
  std::optional<ReloadQueue::Waiting> next = queue_.Take();
  if (!next) return;
  auto job = running_ = std::make_shared<Job>();
  static_cast<ReloadQueue::Waiting&>(*job) = *std::move(next);
  job->now = serving_;
  job->metrics = metrics_;
  for (const LeavingShard& shard : Leaving()) job->taken.push_back(shard.slot);
  job->text = text_;
  if (member_.fleet != nullptr) {
    job->fleet = member_.fleet->Record();
    job->fingerprint_before = member_.fingerprint;
  }
  job->sets_before = sets_;
  const bool of_file = !job->order.edits() && !job->order.of_fleet;
  if (of_file && !job->order.dry_run && job->tries == 0) status_->Begun();
  job->users_before = users_;
  if (!Queue(job, Load, &UvReloader::OnLoaded)) {
    Refuse(job, "there is no thread for the reload");
  }
}

bool UvReloader::Queue(const std::shared_ptr<Job>& job, void (*run)(Job*),
                       void (UvReloader::*then)(std::shared_ptr<Job>)) {
  return side_ && side_->Run(
                      [job, run] {
                        try {
                          run(job.get());
                        } catch (const std::bad_alloc&) {
                          job->error = "there is no memory for it";
                        }
                      },
                      [this, job, then] { (this->*then)(job); });
}

// On the side thread: all that takes long.
void UvReloader::Load(Job* job) {
  const std::string& file = job->now.config->file;
  ConfigError error;
  bool read = true;
  job->error = WhyProtected(job->order, *job->now.config);
  if (job->error.empty()) SetUsers(job);
  if (!job->error.empty()) return;
  // Whatever is in the file: who has renamed the log's waits for this.
  const bool of_file = !job->order.edits() && !job->order.of_fleet;
  if (of_file && !job->order.dry_run) ReopenLog(&job->log_error);
  if (of_file) {
    std::optional<std::string> text = ReadConfigFile(file, &error);
    read = text.has_value();
    if (read) job->text = *std::move(text);
    if (job->order.seen && (!read || HashContent(job->text) != *job->order.seen)) {
      job->other_file = true;
      return;
    }
    if (read) job->order.seen = HashContent(job->text);
  }
  if (read && !EditText(job)) return;
  std::optional<Config> config;
  if (read) config = LoadConfigText(job->text, file, &error);
  if (config) {
    std::optional<ConfigError> wrong = CheckCommandNames(*config);
    if (!wrong) wrong = CheckUsers(*config);
    if (!wrong && (of_file || job->order.rewrite)) wrong = CheckSecretFile(*config);
    if (wrong) {
      error = *std::move(wrong);
      config.reset();
    }
  }
  if (!config) {
    // What is set has no line in the file.
    job->error = job->order.edits() ? error.message : error.ToString();
    return;
  }
  if (job->fleet != nullptr) PlanConfig(job, &*config);
  if (!job->error.empty()) return;
  job->tls = MakeTls(*config, &job->error);
  if (job->tls == nullptr) {
    job->error = file + ": " + job->error;
    return;
  }
  job->diff = DiffConfigs(*job->now.config, *config);
  job->pool = std::make_shared<Pool>(config->pool(), *job->now.pool, job->taken);
  if (job->fleet != nullptr) job->pool->set_route(job->plan.route);
  job->next.pool = job->pool;
  std::optional<RingMoves> moves;
  if (job->diff.ring_changed) {
    moves = CompareRings(job->now.pool->ring(), job->now.pool->NamesBySlot(),
                         job->next.pool->ring(), job->next.pool->NamesBySlot());
  }
  job->next.config = std::make_shared<const Config>(*std::move(config));
  job->description = DescribeDiff(job->diff, moves ? &*moves : nullptr);
  if (!job->diff.needs_restart.empty()) return;
  job->warnings = WarnOfNodeHosts(*job->next.config, job->now.config.get(), kNamesMs);
  for (const std::string& warning : job->warnings) job->description += warning + "\n";
  for (const Address& address : job->diff.listeners_added) {
    std::string why;
    std::vector<UniqueFd> sockets =
        BindListeners(address, job->now.config->workers, job->now.config->pool().listen, &why);
    if (sockets.empty()) {
      job->unbound = ConfigError{file, address.line, address.column, why}.ToString();
      return;
    }
    job->sockets.emplace_back(address, std::move(sockets));
  }
  if (!job->metrics->Open(*job->next.config, &job->metrics_opened, &job->unbound)) return;
  const LogConfig& log = job->next.config->log;
  if (log == job->now.config->log || job->order.dry_run) return;
  job->log = PrepareLog(log, &job->unopened);
  // What is set has no line in the file.
  if (!job->log && !job->order.edits()) {
    job->unopened = ConfigError{file, log.line, log.column, job->unopened}.ToString();
  }
}

// ACL SETUSER and DELUSER. Their rules were looked at where they came from; but the users may be
// others by now. A password in clear must not be in the log.
void UvReloader::SetUsers(Job* job) {
  const PoolConfig& pool = job->now.config->pool();
  for (const AclOrder& order : job->order.users) {
    std::optional<std::string> rules;
    std::string error;
    if (!CarryOut(order, pool, &rules, &error)) {
      job->error = "the rules do not fit what the user has become meanwhile";
      return;
    }
    // Its password is one of its table from now on.
    if (order.name == AclUsers::kDefault && !pool.password.empty()) {
      job->order.sets.emplace_back("proxy.password", "\"\"");
    }
    job->users.emplace_back(order.name, std::move(rules));
  }
}

// What was set goes into the text. False: it cannot be, and job->error says why.
bool UvReloader::EditText(Job* job) {
  const bool again = job->order.rewrite;
  for (const auto* sets : {&job->order.sets, &job->sets_before}) {
    if (sets == &job->sets_before && !again) break;
    for (const auto& [name, value] : *sets) {
      if (SetOption(&job->text, name, value, &job->error)) continue;
      job->error = name + ": " + job->error;
      return false;
    }
  }
  for (const auto* users : {&job->users, &job->users_before}) {
    if (users == &job->users_before && !again) break;
    for (const auto& [name, rules] : *users) {
      if (SetUserRules(&job->text, name, rules, &job->error)) continue;
      job->error = "user " + name + ": " + job->error;
      return false;
    }
  }
  return true;
}

void UvReloader::Write(Job* job) {
  if (!ReplaceFile(job->now.config->file, job->text, &job->error)) {
    job->error = "the config file cannot be written: " + job->error;
  }
}

void UvReloader::OnLoaded(std::shared_ptr<Job> job) {
  if (!SurveyNodes(job)) OnSurveyed(job);
}

// Who the nodes are that are new to their shards is known before anything is written. False if
// there are none.
bool UvReloader::SurveyNodes(const std::shared_ptr<Job>& job) {
  if (!job->error.empty() || job->next.config == nullptr || stopped_) return false;
  if (job->order.of_fleet) return false;  // who proposed it has looked at them
  std::vector<SurveyedNode> nodes =
      NodesToSurvey(job->next.config->pool(), &job->now.config->pool());
  if (nodes.empty()) return false;
  job->survey = std::make_unique<UvNodeSurvey>(loop_, &presence_->self(), std::move(nodes));
  job->survey->Ask([this, job] {
    const std::unique_ptr<UvNodeSurvey> survey = std::move(job->survey);
    job->error = WhySameServer(survey->nodes(), *shared_->claims);
    if (job->error.empty()) job->error = WhyServedByAnother(survey->nodes(), presence_);
    if (!job->error.empty()) {
      job->error = job->now.config->file + ": " + job->error;
      job->momentary = true;
    }
    OnSurveyed(job);
  });
  return true;
}

void UvReloader::OnSurveyed(const std::shared_ptr<Job>& job) {
  if (!job->error.empty() || !job->order.rewrite || stopped_) {
    Apply(job);
    return;
  }
  if (on_write_) on_write_(job->text);
  if (!Queue(job, Write, &UvReloader::OnWritten)) {
    Refuse(job, "there is no thread for the file");
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
  if (!job->log_error.empty() && job->tries == 0) Note(NoteLevel::kWarn, job->log_error);
  if (job->other_file && !stopped_) {
    Leave(job);
    return;
  }
  if (job->error.empty() && stopped_) job->error = kReloadStopped;
  std::vector<std::string> leaving;
  for (const LeavingShard& shard : Leaving()) leaving.push_back(shard.name);
  const ReloadFacts facts{job->order,   *job->now.config, job->next.config.get(),
                          job->diff,    job->description, job->error,
                          job->unbound, job->unopened,    job->fleet && !job->proposes};
  ReloadVerdict verdict = JudgeReload(facts, *Durable(), leaving);
  job->momentary |= verdict.momentary;
  job->description = std::move(verdict.description);
  if (!job->older.empty() && !job->description.empty() && job->description.back() != '\n') {
    job->description += "\n";
  }
  job->description += job->older;
  switch (verdict.kind) {
    case ReloadVerdict::Kind::kRefused:
      Refuse(job, verdict.why);
      return;
    case ReloadVerdict::Kind::kNothing:
      // Keys may have come and gone meanwhile.
      if (job->pool->route() != job->now.pool->route() && !job->order.dry_run) return Begin(*job);
      if (!job->order.dry_run) Keep(*job);  // comments may have changed
      End(job, {true, false, job->description});
      return;
    case ReloadVerdict::Kind::kDryRun:
      DropSockets(job.get());
      End(job, {true, false, job->description});
      return;
    case ReloadVerdict::Kind::kChange:
      Begin(*job);
      return;
  }
}

void UvReloader::DropSockets(Job* job) {
  for (const auto& [address, sockets] : job->sockets) {
    if (address.IsUnix()) RemoveSocketFile(address.path);
  }
  job->sockets.clear();
  job->metrics->Drop(std::exchange(job->metrics_opened, {}));
}

// The job's text is that of the config in effect.
void UvReloader::Keep(Job& job) {
  if (job.log) UseLog(job.log);
  metrics_->Use(serving_, std::exchange(job.metrics_opened, {}));
  text_ = job.text;
  UseTls(job.tls);
  if (job.fleet != nullptr) {
    member_.version = job.plan.version;
    member_.fingerprint = job.fingerprint;
    member_.fleet->Serve(job.plan.version, job.plan.route);
    if (job.next.config != nullptr) member_.fleet->Use(*job.next.config);
  }
  if (!job.order.edits() && !job.order.of_fleet) {
    if (!(sets_.empty() && users_.empty()) && !job.order.rewrite) {
      Note(NoteLevel::kInfo,
           "what CONFIG SET and ACL SETUSER had changed since the file was last read is forgotten");
    }
    sets_.clear();
    users_.clear();
    file_text_ = job.text;
    queue_.DropLater("the file was loaded meanwhile");
  }
  sets_.insert(sets_.end(), job.order.sets.begin(), job.order.sets.end());
  for (const auto& user : job.users) {
    std::erase_if(users_, [&user](const auto& known) { return known.first == user.first; });
    users_.push_back(user);
  }
  if (on_loaded_) on_loaded_();
}

void UvReloader::Refuse(const std::shared_ptr<Job>& job, const std::string& why) {
  DropSockets(job.get());
  if (job->order.dry_run && job->next.config != nullptr) {
    // The plan, and what of it would be refused.
    const bool told = !job->diff.needs_restart.empty();
    End(job, {true, false, job->description + (told ? "" : "refused: " + why + "\n")});
    return;
  }
  if (job->momentary && queue_.MayTryLater(*job)) {
    TryLater(job, why);
  } else {
    End(job, {false, false, why});
  }
}

// Others go first meanwhile.
void UvReloader::TryLater(const std::shared_ptr<Job>& job, const std::string& why) {
  const int64_t now_us = shared_->process->unix_time_us();
  if (job->tries == 0) {
    Note(NoteLevel::kWarn, job->order.cause + ": not yet: " + why);
    status_->Tried(now_us, false, why);
  } else {
    status_->TriedAgain(now_us, why);
  }
  queue_.TryLater(std::move(*job));
  again_->Set(kAgainMs);
  running_.reset();
  Next();
}

// The file is not the one that was meant.
void UvReloader::Leave(const std::shared_ptr<Job>& job) {
  const std::string why =
      std::string("the file has changed since it was read: ") +
      (serving_.config->watch_config ? "it is read when it is still" : "it is not tried again");
  Note(NoteLevel::kInfo, job->order.cause + ": " + why);
  if (on_loaded_) on_loaded_();  // the watch compares with what is in effect again
  status_->Left();
  running_.reset();
  job->done({false, false, why});
  Next();
}

void UvReloader::End(const std::shared_ptr<Job>& job, ReloadOutcome outcome) {
  running_.reset();
  if (!job->order.dry_run) {
    const int64_t now_us = shared_->process->unix_time_us();
    if (job->tries > 0 && !outcome.ok) {
      status_->TriedAgain(now_us, outcome.text);
    } else {
      status_->Tried(now_us, outcome.changed, outcome.ok ? "" : outcome.text);
    }
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
  OnFleet();
}

}  // namespace gemel

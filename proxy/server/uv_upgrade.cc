#include "proxy/server/uv_upgrade.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "backend/files/unique_fd.h"
#include "proxy/log/log.h"
#include "proxy/server/uv_end.h"
#include "proxy/server/uv_signals.h"
#include "proxy/upgrade/posix_hand_over_file.h"

namespace gemel {

namespace {

// A config whose hosts' names nobody knows is tested for half of it.
constexpr uint64_t kTryBinaryMs = 15000;
// So long clients are held at most, of whom one waits for something that takes long.
constexpr uint64_t kHeldMs = 2000;
// For the state to be written, and for what still hangs in a file system.
constexpr uint64_t kCloseMs = 10000;
constexpr int64_t kRestMs = 1000;

}  // namespace

std::string WhyNotBinary(ProtectedConfigs leave, bool local) {
  if (leave == ProtectedConfigs::kYes || (leave == ProtectedConfigs::kLocal && local)) return {};
  return "a path may be named only if the config file allows it, with protected_configs = "
         "\"local\" "
         "or \"yes\" in [proxy]; without one the file of the binary that serves is taken, as it is "
         "now";
}

struct UvUpgrade::Job {
  std::string binary;
  std::string config_file;
  ReloadDone done;
  TriedBinary tried;
  UniqueFd file;
  bool held = false;    // or being so
  bool freeze = false;  // the step that is under way
  size_t awaited = 0;   // workers that have not ended it
  std::string why;      // it is not to go on
  bool quiet = true;
  HandOver hand_over;
};

UvUpgrade::UvUpgrade(World world) : world_(std::move(world)) {}

std::string UvUpgrade::WhyNot() const {
  if (world_.end->begun()) return kReloadStopped;
  if (world_.of_fleet) {
    return "a member of a fleet is not upgraded in place: stop it in order, which hands its shards "
           "over to others, and start the new binary";
  }
  return world_.reloader->busy() ? "a reload is under way: try again" : std::string();
}

void UvUpgrade::Submit(const ReloadOrder& order, ReloadDone done) {
  const Config& config = *world_.reloader->serving().config;
  std::string why;
  if (!order.binary.empty()) why = WhyNotBinary(config.protected_configs, order.local);
  if (!why.empty()) return done({false, false, why});
  Begin(order.binary, order.cause, std::move(done));
}

void UvUpgrade::Begin(std::string binary, const std::string& cause, ReloadDone done) {
  std::string why = active() ? "an upgrade is under way already" : WhyNot();
  auto job = std::make_shared<Job>();
  if (why.empty()) {
    job->file = MakeHandOverFile(&why);
    if (!why.empty()) why = "there is no memory to hand over to another binary: " + why;
  }
  if (why.empty()) {
    job->binary = binary.empty() ? world_.binary : std::move(binary);
    job->config_file = world_.reloader->serving().config->file;
    job->done = done;
    if (!side_) side_ = std::make_unique<UvSideThread>(world_.loop, "gemel-upgrade");
    const bool begun =
        side_->Run([job] { job->tried = TryBinary(job->binary, job->config_file, kTryBinaryMs); },
                   [this, job] {
                     if (job == job_) OnTried(job);
                   });
    if (!begun) why = "there is no thread to look at the binary";
  }
  if (!why.empty()) {
    world_.note(NoteLevel::kWarn, cause + ": refused: " + why);
    if (!active() && !world_.reloader->busy()) world_.supervisor->UpgradeRefused(why);
    done({false, false, why});
    return;
  }
  world_.note(NoteLevel::kInfo, cause + ": looks at the binary " + job->binary);
  job_ = job;
}

void UvUpgrade::OnTried(const std::shared_ptr<Job>& job) {
  if (job->tried.error.empty()) job->tried.error = WhyNot();
  if (!job->tried.error.empty()) {
    Refuse(job->tried.error);
    return;
  }
  job->held = true;
  world_.supervisor->Reloading();
  Meet(job, /*freeze=*/false);
}

// All workers do a step; each says when it has.
void UvUpgrade::Meet(const std::shared_ptr<Job>& job, bool freeze) {
  job->freeze = freeze;
  job->awaited = world_.shared->workers.size();
  UvWorker* first = world_.shared->workers[0].get();
  for (auto& each : world_.shared->workers) {
    UvWorker* worker = each.get();
    UvWorker::OnHanded done = [this, first, job](UvWorker::HandedPart part) {
      auto sent = std::make_shared<UvWorker::HandedPart>(std::move(part));
      first->Post([this, job, sent] { OnPart(job, std::move(*sent)); });
    };
    worker->Post([worker, freeze, done = std::move(done)]() mutable {
      freeze ? worker->FreezeForHandOver(kHeldMs, std::move(done))
             : worker->BeginHandOver(kHeldMs, std::move(done));
    });
  }
}

void UvUpgrade::OnPart(const std::shared_ptr<Job>& job, UvWorker::HandedPart part) {
  if (job != job_) return;
  if (!part.settled && job->why.empty()) {
    job->why = "what " + part.who + " is not answered within the " +
               std::to_string(kHeldMs / 1000) +
               " s for which clients are held: try again once it is";
  }
  HandOver& to = job->hand_over;
  job->quiet &= part.quiet;
  to.pause_left_ms = std::max(to.pause_left_ms, part.pause_left_ms);
  to.pause_all |= part.pause_all;
  to.listeners.insert(to.listeners.end(), part.listeners.begin(), part.listeners.end());
  std::move(part.sessions.begin(), part.sessions.end(), std::back_inserter(to.sessions));
  if (--job->awaited > 0) return;
  if (!job->why.empty()) {
    Refuse(job->why);
  } else if (!job->freeze) {
    job->quiet = true;
    Meet(job, /*freeze=*/true);
  } else {
    OnFrozen(job);
  }
}

bool UvUpgrade::Describe(Job* job, std::string* error) const {
  HandOver& to = job->hand_over;
  to.version = world_.shared->process->version;
  to.binary = job->binary;
  to.next_session = world_.shared->next_session.load(std::memory_order_relaxed);
  to.config = world_.reloader->Handed();
  std::set<uint64_t> redirects;
  for (const HandedSession& session : to.sessions) {
    if (session.tracking.on) redirects.insert(session.tracking.redirect);
  }
  // As they were bound: one of each address for each worker.
  std::sort(to.listeners.begin(), to.listeners.end(),
            [](const HandedListener& a, const HandedListener& b) {
              return std::pair(a.place, a.worker) < std::pair(b.place, b.worker);
            });
  for (HandedSession& session : to.sessions) {
    session.tracking.for_others = redirects.contains(session.client.id);
  }
  return FillHandOverFile(job->file.get(), to, error);
}

void UvUpgrade::OnFrozen(const std::shared_ptr<Job>& job) {
  if (const std::string why = WhyNot(); !why.empty()) {
    Refuse(why);
    return;
  }
  std::string error;
  if (!Describe(job.get(), &error)) {
    Refuse("what the clients have set could not be handed over: " + error);
    return;
  }
  world_.note(NoteLevel::kInfo, "goes over to " + job->tried.version + " (" + job->binary +
                                    ") with " + std::to_string(job->hand_over.sessions.size()) +
                                    " clients");
  closing_ = true;
  UvSignals::Block();  // what has come already is put off
  Close(job);
}

// As at the end of the process.
void UvUpgrade::Close(const std::shared_ptr<Job>& job) {
  if (!job->quiet) world_.note(NoteLevel::kWarn, UvEnd::kNotClean);
  world_.stop_watching();
  world_.kept->Close();
  world_.end->BeginSaving(world_.loop, kCloseMs, [this, job] {
    Log(NoteLevel::kError, "the state was not saved: " + world_.coordinator->place() +
                               " does not answer; the replicas are resynced");
    Go(job);
  });
  world_.coordinator->Close(job->quiet, [this, job](const EditResult& result) {
    if (!result.ok) Log(NoteLevel::kError, "the state was not saved: " + result.error);
    Go(job);
  });
}

// What cannot be carried out, though it could be a moment ago, is followed by this binary itself.
void UvUpgrade::Go(const std::shared_ptr<Job>& job) {
  UvSideThread::WaitForAbandoned(kRestMs);  // what clients gave to keep is being written
  FlushLog();
  const std::string why = CarryOut(job->binary, job->file.get(), job->hand_over, {});
  const std::string failure =
      "the binary " + job->binary + " cannot be carried out: " + why + "; the one before goes on";
  const std::string again = CarryOut(kOwnImage, job->file.get(), job->hand_over, failure);
  Log(NoteLevel::kError, failure + ", but it cannot either: " + again);
  EndNow(1);
}

void UvUpgrade::Refuse(const std::string& why) {
  const std::shared_ptr<Job> job = std::exchange(job_, nullptr);
  world_.note(NoteLevel::kWarn, "the upgrade is refused: " + why);
  if (job->held) {
    for (auto& each : world_.shared->workers) {
      UvWorker* worker = each.get();
      worker->Post([worker] { worker->EndHandOver(); });
    }
  }
  if (job->held || !world_.reloader->busy()) world_.supervisor->UpgradeRefused(why);
  job->done({false, false, why});
  if (std::exchange(reload_later_, false) && on_reload_) on_reload_();
}

void UvUpgrade::Stop(const std::string& why) {
  if (job_ != nullptr && !closing_) Refuse(why);
  side_.reset();
}

}  // namespace gemel

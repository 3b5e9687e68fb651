// Goes over from one config to the next while clients are served: reads and checks it, makes what
// it needs, makes the new members and the new ring durable, and puts all of it into effect on all
// workers at one point. What is wrong is found before anything has changed.

#ifndef GEMEL_PROXY_SERVER_UV_RELOADER_H_
#define GEMEL_PROXY_SERVER_UV_RELOADER_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/resync/resync_board.h"
#include "backend/topology/coordinator.h"
#include "backend/uv/uv_side_thread.h"
#include "backend/uv/uv_timer.h"
#include "proxy/reload/reload_order.h"
#include "proxy/reload/reload_queue.h"
#include "proxy/reload/reload_status.h"
#include "proxy/reload/reload_steps.h"
#include "proxy/server/uv_metrics.h"
#include "proxy/upgrade/hand_over.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

class UvFleet;
class UvPresence;

// On the loop of worker 0, but for what it has read by a thread of its own.
class UvReloader : private ReloadSteps::Host {
 public:
  // All outlive it. `serving` is in effect; `text` is what its config was read from.
  UvReloader(uv_loop_t* loop, UvWorker::Shared* shared, UvPresence* presence,
             CoordinatorService* coordinator, ResyncBoard* resyncs, ReloadStatus* status,
             UvWorker::Serving serving, std::string text);
  ~UvReloader() override;
  UvReloader(const UvReloader&) = delete;
  UvReloader& operator=(const UvReloader&) = delete;

  // One after the other, as ReloadQueue has it; a patient one that waits ends when another loads
  // the file. `done` runs once.
  void Submit(ReloadOrder order, ReloadDone done);
  // The process is a member of that fleet, which outlives this. Before any Submit.
  void SetFleet(UvFleet* fleet);
  // Shows the metrics as the config in effect says. False and *error if it cannot. Before any
  // Submit.
  bool ShowMetrics(std::string* error);
  // What the fleet agrees on is another.
  void OnFleet();
  // A worker has let go of a shard that a change removed.
  void OnRetired(const std::string& shard) { steps_.OnRetired(shard); }
  // Nothing changes any more: what waits, what comes, and what is under way is refused at once;
  // only what the workers are going over to takes effect. Must come before the loop's end, and this
  // must outlive the loop's turns.
  void Stop();

  const UvWorker::Serving& serving() const { return serving_; }
  // An order is being carried out, or waits.
  bool busy() const { return running_ != nullptr; }
  // What a binary that takes over is to know of the config; and what it was told, of which `text`
  // is in effect already. Before any Submit.
  HandedConfig Handed() const;
  void Remember(const HandedConfig& handed);
  // What the file had when it was last read and found good.
  const std::string& file_text() const { return file_text_; }
  // Runs before the file is written with this text, which is no change by somebody else then.
  void set_on_write(std::function<void(const std::string& text)> on_write) {
    on_write_ = std::move(on_write);
  }
  // Runs when the file, or what was set besides, has taken effect, and when a write has failed.
  void set_on_loaded(std::function<void()> on_loaded) { on_loaded_ = std::move(on_loaded); }

 private:
  // By name; nothing: the user is gone.
  using UserRules = std::vector<std::pair<std::string, std::optional<std::string>>>;
  struct Job;
  struct Meeting;
  void Next();
  bool Queue(const std::shared_ptr<Job>& job, void (*run)(Job*),
             void (UvReloader::*then)(std::shared_ptr<Job>));
  static void Load(Job* job);
  static void SetUsers(Job* job);
  static bool EditText(Job* job);
  static void Write(Job* job);
  void OnWritten(std::shared_ptr<Job> job);
  void Apply(const std::shared_ptr<Job>& job);
  void OnLoaded(std::shared_ptr<Job> job);
  bool SurveyNodes(const std::shared_ptr<Job>& job);
  void OnSurveyed(const std::shared_ptr<Job>& job);
  static void PlanConfig(Job* job, Config* config);
  void CheckAgreed();
  ReloadSteps::Plan StepsOf(const Job& job) const;
  std::vector<LeavingShard> Leaving() const;
  static void DropSockets(Job* job);
  void Begin(const Job& job);
  static void BuildRings(Job* job);
  void OnRingsBuilt(std::shared_ptr<Job>) { steps_.OnRingsMade(); }
  void GoOver(UvWorker* worker, const std::shared_ptr<UvWorker::Change>& change,
              const std::shared_ptr<Meeting>& meeting);
  void Keep(Job& job);
  void End(const std::shared_ptr<Job>& job, ReloadOutcome outcome);
  void Refuse(const std::shared_ptr<Job>& job, const std::string& why);
  void TryLater(const std::shared_ptr<Job>& job, const std::string& why);
  void Leave(const std::shared_ptr<Job>& job);

  // --- ReloadSteps::Host ---
  void Propose(Edit edit, EditDone done) override {
    front_->Propose(std::move(edit), std::move(done));
  }
  std::shared_ptr<const Topology> Durable() const override { return coordinator_->current(); }
  void MakeRings(std::shared_ptr<const Topology> topology) override;
  void ChangeWorkers(std::shared_ptr<const Topology> topology) override;
  void ProposePlan() override;
  std::shared_ptr<const Topology> Planned() const override;
  void HoldClients() override;
  void LetClientsGo() override;
  void AgreeOnPlan() override;
  void OnTakenEffect() override;
  void OnRefused(const std::string& why) override;
  void Note(NoteLevel level, const std::string& text) override;

  uv_loop_t* loop_;
  std::unique_ptr<UvSideThread> side_;  // none after Stop
  UvWorker::Shared* shared_;
  std::shared_ptr<UvMetrics> metrics_;  // a job that hangs on its thread has it, too
  UvPresence* presence_;
  CoordinatorService* coordinator_;
  std::unique_ptr<Coordinator> front_;
  ResyncBoard* resyncs_;
  ReloadStatus* status_;
  UvWorker::Serving serving_;
  std::string text_;       // what the config in effect was read from
  std::string file_text_;  // the same without what CONFIG SET has changed
  // What CONFIG SET has changed since the file was read.
  UserRules users_;  // that ACL SETUSER has set, or DELUSER removed, since the file was read
  std::vector<std::pair<std::string, std::string>> sets_;
  std::function<void(const std::string&)> on_write_;
  std::function<void()> on_loaded_;
  ReloadQueue queue_;
  ReloadSteps steps_{this};
  std::shared_ptr<Job> running_;  // one at a time
  bool stopped_ = false;
  std::unique_ptr<UvTimer> again_;  // a patient order is tried again
  struct Member {
    UvFleet* fleet = nullptr;  // null: there is none
    uint64_t version = 1;      // of the plan that is served
    uint64_t refused = 0;      // the version that could not be gone over to a moment ago
    std::string fingerprint;   // of the file in effect
  } member_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_RELOADER_H_

// Goes over from one config to the next while clients are served: reads and checks it, makes what
// it needs, makes the new members and the new ring durable, and puts all of it into effect on all
// workers at one point. What is wrong is found before anything has changed.

#ifndef GEMEL_PROXY_SERVER_UV_RELOADER_H_
#define GEMEL_PROXY_SERVER_UV_RELOADER_H_

#include <uv.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/resync/resync_board.h"
#include "backend/topology/coordinator.h"
#include "backend/uv/uv_side_thread.h"
#include "backend/uv/uv_timer.h"
#include "proxy/reload/reload_status.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

class UvPresence;

struct ReloadOrder {
  std::string cause;     // "SIGHUP", "PROXY RELOAD", ...: for the log
  bool dry_run = false;  // only say what would change
  bool force = false;    // see WhyRefused
  // CONFIG SET: these options, as name and TOML value, on top of the config in effect. Nothing: the
  // file is read, and what was set before is forgotten.
  std::vector<std::pair<std::string, std::string>> sets;
  bool local = false;  // who sets them is on this machine
  // CONFIG REWRITE: what was set before is written into the file, and that is read.
  bool rewrite = false;
  bool patient = false;  // what is refused only for a moment is tried again by itself
  // Of the file that is meant (HashContent): if it is another by now it is not loaded. Who watches
  // it tells when that is still.
  std::optional<uint64_t> seen = {};
  // True once nobody waits for its outcome: if its turn has not come by then, it is dropped.
  std::shared_ptr<const std::atomic<bool>> gone = {};
};

struct ReloadOutcome {
  bool ok = false;
  bool changed = false;
  std::string text;  // what changed or would change, in lines; or why it was refused, a sentence
};

using ReloadDone = std::function<void(const ReloadOutcome&)>;

// On the loop of worker 0, but for what it has read by a thread of its own.
class UvReloader {
 public:
  // All outlive it. `serving` is in effect; `text` is what its config was read from.
  UvReloader(uv_loop_t* loop, UvWorker::Shared* shared, UvPresence* presence,
             CoordinatorService* coordinator, ResyncBoard* resyncs, ReloadStatus* status,
             UvWorker::Serving serving, std::string text);
  ~UvReloader();
  static constexpr size_t kMaxWaiting = 1024;
  UvReloader(const UvReloader&) = delete;
  UvReloader& operator=(const UvReloader&) = delete;

  // Further patient orders of the same cause, while one waits that nobody has begun, are that one.
  // One after the other, in their order, and not more than kMaxWaiting at a time; but a patient one
  // that waits lets others go first, and ends when one of them loads the file. `done` runs once,
  // later.
  void Submit(ReloadOrder order, ReloadDone done);
  // A worker has let go of a shard that a change removed.
  void OnRetired(const std::string& name, uint32_t slot);
  // Nothing changes any more: what waits, what comes, and what is under way is refused at once;
  // only what the workers are going over to takes effect. Must come before the loop's end, and this
  // must outlive the loop's turns.
  void Stop();

  const UvWorker::Serving& serving() const { return serving_; }
  // What the file had when it was last read and found good.
  const std::string& file_text() const { return file_text_; }
  // Runs before the file is written with this text, which is no change by somebody else then.
  void set_on_write(std::function<void(const std::string& text)> on_write) {
    on_write_ = std::move(on_write);
  }
  // Runs when the file, or what was set besides, has taken effect, and when a write has failed.
  void set_on_loaded(std::function<void()> on_loaded) { on_loaded_ = std::move(on_loaded); }

 private:
  struct Job;
  struct Waiting {
    ReloadOrder order;
    ReloadDone done;
    uint32_t tries = 0;  // that were refused for the moment
  };

  void Next();
  void DropGone();
  bool Queue(const std::shared_ptr<Job>& job, void (*run)(Job*),
             void (UvReloader::*then)(std::shared_ptr<Job>));
  static void Load(Job* job);
  static void Write(Job* job);
  void OnWritten(std::shared_ptr<Job> job);
  void Apply(const std::shared_ptr<Job>& job);
  void OnLoaded(std::shared_ptr<Job> job);
  bool SurveyNodes(const std::shared_ptr<Job>& job);
  void OnSurveyed(const std::shared_ptr<Job>& job);
  static void DropSockets(Job* job);
  void MakeDurable(const std::shared_ptr<Job>& job);
  void MakeRingDurable(const std::shared_ptr<Job>& job);
  void TakeBack(const std::shared_ptr<Job>& job, const std::string& why);
  static void MakeRings(Job* job);
  void Change(std::shared_ptr<Job> job);
  void OnChanged(const std::shared_ptr<Job>& job);
  void Keep(const Job& job);
  void End(const std::shared_ptr<Job>& job, ReloadOutcome outcome);
  void Refuse(const std::shared_ptr<Job>& job, const std::string& why);
  void TryLater(const std::shared_ptr<Job>& job, const std::string& why);
  void DropLater(const std::string& why);
  void Leave(const std::shared_ptr<Job>& job);
  void Note(NoteLevel level, const std::string& text);

  uv_loop_t* loop_;
  std::unique_ptr<UvSideThread> side_;  // none after Stop
  UvWorker::Shared* shared_;
  UvPresence* presence_;
  CoordinatorService* coordinator_;
  std::unique_ptr<Coordinator> front_;
  ResyncBoard* resyncs_;
  ReloadStatus* status_;
  UvWorker::Serving serving_;
  std::string text_;       // what the config in effect was read from
  std::string file_text_;  // the same without what CONFIG SET has changed
  // What CONFIG SET has changed since the file was read.
  std::vector<std::pair<std::string, std::string>> sets_;
  std::function<void(const std::string&)> on_write_;
  std::function<void()> on_loaded_;
  std::deque<Waiting> waiting_;
  std::shared_ptr<Job> running_;  // one at a time
  bool stopped_ = false;
  // Shards that a change removed, until their worker lets go of them.
  std::vector<std::pair<std::string, uint32_t>> leaving_;
  std::unique_ptr<UvTimer> again_;
  std::optional<Waiting> later_;  // a patient order, until it is tried again
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_RELOADER_H_

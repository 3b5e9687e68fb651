#include "proxy/server/uv_script_keeper.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/scripts/posix_script_file.h"

namespace gemel {

namespace {

constexpr uint64_t kLookMs = 500;
// With the disk, at the end.
constexpr std::chrono::milliseconds kPause{10};
constexpr int kPauses = 500;

}  // namespace

struct UvScriptKeeper::Writing {
  std::mutex mutex;
  uint64_t newest = 0;  // version that was written
};

void UvScriptKeeper::Write(const ScriptFile& file, uint64_t version,
                           const std::vector<TextStore::Text>& scripts, Writing* writing,
                           std::string* error) {
  std::unique_lock lock(writing->mutex, std::try_to_lock);
  for (int i = 0; i < kPauses && !lock.owns_lock(); ++i) {
    std::this_thread::sleep_for(kPause);
    (void)lock.try_lock();
  }
  if (!lock.owns_lock()) {
    *error = "the " + file.name + " are not saved: the disk of " + file.folder + " does not answer";
  } else if (version >= writing->newest && WriteScripts(file, scripts, error)) {
    writing->newest = version;
  }
}

UvScriptKeeper::UvScriptKeeper(uv_loop_t* loop, ScriptFile file, TextStore* store,
                               std::function<void(const std::string&)> warn)
    : file_(std::move(file)),
      store_(store),
      warn_(std::move(warn)),
      writing_(std::make_shared<Writing>()),
      thread_(loop, "gemel-scripts"),
      timer_(loop, [this] { Look(); }) {
  std::vector<std::string> scripts;
  std::string error;
  if (!ReadScripts(file_, &scripts, &error)) warn_(error);
  for (const std::string& script : scripts) store_->Restore(script);
  saved_ = store_->version();
  timer_.Set(kLookMs);
}

UvScriptKeeper::~UvScriptKeeper() {
  if (store_->version() == saved_) return;
  std::string error;
  Write(file_, store_->version(), store_->All(), writing_.get(), &error);
  if (!error.empty()) warn_(error);
}

void UvScriptKeeper::Look() {
  timer_.Set(kLookMs);
  if (store_->version() != saved_ && !saving_) Save();
}

void UvScriptKeeper::Save() {
  struct Job {
    uint64_t version;
    std::vector<TextStore::Text> scripts;
    std::string error;
  };
  auto job = std::make_shared<Job>();
  job->version = store_->version();
  job->scripts = store_->All();
  saving_ = thread_.Run(
      [job, file = file_, writing = writing_] {
        Write(file, job->version, job->scripts, writing.get(), &job->error);
      },
      [this, job] {
        saving_ = false;
        if (job->error.empty()) {
          saved_ = job->version;
          warned_ = false;
        } else if (!std::exchange(warned_, true)) {
          warn_(job->error);
        }
      });
}

}  // namespace gemel

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

void UvScriptKeeper::Write(const std::string& folder, uint64_t version,
                           const std::vector<ScriptCache::Text>& scripts, Writing* writing,
                           std::string* error) {
  std::unique_lock lock(writing->mutex, std::try_to_lock);
  for (int i = 0; i < kPauses && !lock.owns_lock(); ++i) {
    std::this_thread::sleep_for(kPause);
    (void)lock.try_lock();
  }
  if (!lock.owns_lock()) {
    *error = "the scripts are not saved: the disk of " + folder + " does not answer";
  } else if (version >= writing->newest && WriteScripts(folder, scripts, error)) {
    writing->newest = version;
  }
}

UvScriptKeeper::UvScriptKeeper(uv_loop_t* loop, std::string folder, ScriptCache* cache,
                               std::function<void(const std::string&)> warn)
    : folder_(std::move(folder)),
      cache_(cache),
      warn_(std::move(warn)),
      writing_(std::make_shared<Writing>()),
      thread_(loop, "gemel-scripts"),
      timer_(loop, [this] { Look(); }) {
  std::vector<std::string> scripts;
  std::string error;
  if (!ReadScripts(folder_, &scripts, &error)) warn_(error);
  for (const std::string& script : scripts) cache_->Add(script);
  saved_ = cache_->version();
  timer_.Set(kLookMs);
}

UvScriptKeeper::~UvScriptKeeper() {
  if (cache_->version() == saved_) return;
  std::string error;
  Write(folder_, cache_->version(), cache_->All(), writing_.get(), &error);
  if (!error.empty()) warn_(error);
}

void UvScriptKeeper::Look() {
  timer_.Set(kLookMs);
  if (cache_->version() != saved_ && !saving_) Save();
}

void UvScriptKeeper::Save() {
  struct Job {
    uint64_t version;
    std::vector<ScriptCache::Text> scripts;
    std::string error;
  };
  auto job = std::make_shared<Job>();
  job->version = cache_->version();
  job->scripts = cache_->All();
  saving_ = thread_.Run(
      [job, folder = folder_, writing = writing_] {
        Write(folder, job->version, job->scripts, writing.get(), &job->error);
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

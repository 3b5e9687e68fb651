#include "proxy/server/uv_script_keeper.h"

#include <memory>
#include <utility>
#include <vector>

#include "proxy/scripts/posix_script_file.h"

namespace gemel {

namespace {

constexpr uint64_t kLookMs = 500;

}  // namespace

UvScriptKeeper::UvScriptKeeper(uv_loop_t* loop, std::string folder, ScriptCache* cache,
                               std::function<void(const std::string&)> warn)
    : folder_(std::move(folder)),
      cache_(cache),
      warn_(std::move(warn)),
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
  if (cache_->version() != saved_ && !saving_) Save();
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
  saving_ =
      thread_.Run([job, folder = folder_] { WriteScripts(folder, job->scripts, &job->error); },
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

#include "proxy/server/uv_metrics.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <system_error>

#include "config/config_load.h"
#include "proxy/log/log.h"
#include "proxy/server/exposure.h"

namespace gemel {

namespace {

constexpr std::chrono::seconds kPatience{5};
// Of a worker, in one turn of its loop.
constexpr size_t kShardsATurn = 128;

bool Has(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

// One that came or went meanwhile may have been read twice.
void DropDoubles(std::vector<WorkerReadings>* workers) {
  std::set<std::string_view> names;
  for (WorkerReadings& worker : *workers) {
    for (size_t i = 0; i < worker.shards.size();) {
      if (names.insert(worker.shards[i].name).second) {
        ++i;
      } else {
        worker.shards.erase(worker.shards.begin() + static_cast<ptrdiff_t>(i));
      }
    }
  }
}

}  // namespace

struct UvMetrics::Collection {
  bool for_people = false;
  std::vector<WorkerReadings> readings;
  size_t left = 0;  // workers that have not told all; the metrics' mutex guards it
  UvMetrics* metrics = nullptr;
};

UvMetrics::~UvMetrics() {
  Stop();
  for (std::thread& closer : closers_) closer.join();
}

bool UvMetrics::Open(const Config& config, Opened* opened, std::string* error) {
  std::vector<Address> have;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [address, listener] : open_) have.push_back(address);
  }
  for (const Address& address : config.metrics.listen) {
    if (Has(have, address)) continue;
    std::string why;
    std::unique_ptr<CivetListener> listener = CivetListener::Open(
        address, [this](const PageRequest& request) { return Answer(request); }, &why);
    if (listener != nullptr) {
      opened->emplace_back(address, std::move(listener));
      continue;
    }
    *error = ConfigError{config.file, address.line, address.column,
                         "[metrics] listen: cannot listen on " + address.ToString() + ": " + why}
                 .ToString();
    Drop(std::move(*opened));
    opened->clear();
    return false;
  }
  return true;
}

void UvMetrics::Use(const UvWorker::Serving& serving, Opened opened) {
  const Config& config = *serving.config;
  for (const auto& [address, listener] : opened) {
    Log(NoteLevel::kInfo, "shows metrics on " + address.ToString());
  }
  if (const std::string warning = MetricsExposureWarning(config); !warning.empty()) {
    const std::shared_ptr<const Config> last = this->serving().config;
    const std::string before = last ? MetricsExposureWarning(*last) : "";
    if (warning != before) Log(NoteLevel::kWarn, warning);
  }
  Opened closed;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    serving_ = serving;
    for (auto& one : opened) open_.push_back(std::move(one));
    for (size_t i = 0; i < open_.size();) {
      if (Has(config.metrics.listen, open_[i].first)) {
        ++i;
        continue;
      }
      closed.push_back(std::move(open_[i]));
      open_.erase(open_.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  for (const auto& [address, listener] : closed) {
    Log(NoteLevel::kInfo, "shows metrics on " + address.ToString() + " no more");
  }
  Drop(std::move(closed));
}

void UvMetrics::Drop(Opened opened) {
  if (opened.empty()) return;
  const auto listeners = std::make_shared<Opened>(std::move(opened));
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    closers_.emplace_back([listeners] { listeners->clear(); });
  } catch (const std::system_error&) {
    Log(NoteLevel::kWarn, "there is no thread to close listeners of metrics on: all wait for it");
  }
}

void UvMetrics::Stop() {
  Opened closed;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    closed = std::move(open_);
    open_.clear();
  }
  came_.notify_all();
  Drop(std::move(closed));
}

UvWorker::Serving UvMetrics::serving() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stopped_ ? UvWorker::Serving() : serving_;
}

void UvMetrics::Ask(UvWorker* worker, const std::shared_ptr<Collection>& collection, size_t index,
                    size_t from) {
  worker->Post([worker, collection, index, from] {
    if (worker->Read(&collection->readings[index], collection->for_people, from, kShardsATurn)) {
      Ask(worker, collection, index, from + kShardsATurn);
      return;
    }
    UvMetrics* metrics = collection->metrics;
    const std::lock_guard<std::mutex> lock(metrics->mutex_);
    if (--collection->left == 0) metrics->came_.notify_all();
  });
}

bool UvMetrics::RunOn(UvWorker* worker, std::function<void(const Done& done)> task) {
  const auto ended = std::make_shared<bool>(false);  // mutex_ guards it
  worker->Post([this, ended, task = std::move(task)] {
    task([this, ended] {
      const std::lock_guard<std::mutex> lock(mutex_);
      *ended = true;
      came_.notify_all();
    });
  });
  std::unique_lock<std::mutex> lock(mutex_);
  came_.wait_for(lock, kPatience, [&] { return stopped_ || *ended; });
  return *ended;
}

std::shared_ptr<const Pool> UvMetrics::PoolInEffect() {
  const auto readings = std::make_shared<WorkerReadings>();
  UvWorker* worker = shared_->workers[0].get();
  const bool came = RunOn(worker, [worker, readings](const Done& done) {
    worker->Read(readings.get(), /*for_people=*/false, /*from=*/SIZE_MAX / 2, /*most=*/0);
    done();
  });
  return came ? readings->pool : nullptr;
}

std::vector<WorkerReadings> UvMetrics::Collect(bool for_people) {
  const auto collection = std::make_shared<Collection>();
  const size_t workers = shared_->workers.size();
  collection->readings.resize(workers);
  collection->left = workers;
  collection->for_people = for_people;
  collection->metrics = this;
  for (size_t i = 0; i < workers; ++i) Ask(shared_->workers[i].get(), collection, i, 0);
  std::unique_lock<std::mutex> lock(mutex_);
  came_.wait_for(lock, kPatience, [&] { return stopped_ || collection->left == 0; });
  if (collection->left > 0) return {};
  std::vector<WorkerReadings> readings = std::move(collection->readings);
  lock.unlock();
  DropDoubles(&readings);
  return readings;
}

}  // namespace gemel

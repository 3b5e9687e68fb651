// All of this folder that one worker has.

#ifndef GEMEL_PROXY_SEEN_WORKER_SEEN_H_
#define GEMEL_PROXY_SEEN_WORKER_SEEN_H_

#include <cstdint>
#include <utility>

#include "proxy/dispatch/stats.h"
#include "proxy/seen/clients_seen.h"
#include "proxy/seen/monitor_feed.h"
#include "proxy/seen/rate_sampler.h"

namespace gemel {

class WorkerSeen {
 public:
  // `watchers`, `stats` and `table` outlive it.
  WorkerSeen(ClientsSeen::Shared shared, WatcherCounts* watchers, uint32_t worker,
             const CommandTable& table, WorkerStats* stats)
      : clients(std::move(shared), table), monitor(watchers, worker), stats_(stats) {}

  // To be called often.
  void OnTick(uint64_t now_ms) {
    clients.OnTick(now_ms, stats_->commands.Get());
    if (!commands_.Sample(now_ms, stats_->commands.Get())) return;
    input_.Sample(now_ms, stats_->input_bytes.Get());
    output_.Sample(now_ms, stats_->output_bytes.Get());
    Show();
  }
  // CONFIG RESETSTAT, of what Redis resets.
  void Reset() {
    clients.Reset();
    stats_->Reset();
    for (RateSampler* rate : {&commands_, &input_, &output_}) rate->Reset();
    Show();
  }

  ClientsSeen clients;
  MonitorFeed monitor;

 private:
  void Show() {
    stats_->commands_rate.Set(commands_.per_second());
    stats_->input_rate.Set(input_.per_second());
    stats_->output_rate.Set(output_.per_second());
  }

  WorkerStats* stats_;
  RateSampler commands_;
  RateSampler input_;
  RateSampler output_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_WORKER_SEEN_H_

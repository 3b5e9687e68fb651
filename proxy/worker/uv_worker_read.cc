// What a worker tells of itself to who looks at the metrics.

#include <algorithm>

#include "proxy/metrics/readings.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

bool UvWorker::Read(WorkerReadings* readings, bool for_people, size_t from, size_t most) try {
  const auto& shards = shards_.all();
  from = std::min(from, shards.size());
  const size_t end = std::min(shards.size(), from + most);
  for (size_t i = from; i < end; ++i) {
    shards[i]->shard()->Read(for_people, &readings->shards.emplace_back());
  }
  if (end < shards.size()) return true;
  readings->config = serving_.config;
  readings->pool = serving_.pool;
  readings->seen = seen_.clients.shards().all();
  readings->users = seen_.clients.users().all();
  for (const auto& client : sessions_.connected()) {
    const std::string& user = client->session().state().access.user();
    if (readings->users.size() < UsersSeen::kMost || readings->users.contains(user)) {
      ++readings->users[user].clients;
    }
  }
  readings->in_flight = dispatcher_.pending();
  return false;
} catch (const std::bad_alloc&) {
  readings->config = serving_.config;
  readings->pool = serving_.pool;
  return false;
}

std::optional<ShardExplanation> UvWorker::Explain(uint32_t slot, const Request& request) const {
  for (const auto& owned : shards_.all()) {
    if (owned->slot() == slot && !owned->served().retiring()) {
      return owned->shard()->Explain(request);
    }
  }
  return std::nullopt;
}

bool UvWorker::Carry(uint32_t slot, const ShardOrder& order, OrderDone done) {
  for (const auto& owned : shards_.all()) {
    if (owned->slot() != slot || owned->served().retiring()) continue;
    owned->shard()->control().Carry(order, std::move(done));
    return true;
  }
  return false;
}

// Nothing is measured that nobody looks at.
void UvWorker::SetLooking() {
  const bool looked_at = !serving_.config->metrics.listen.empty();
  link_context_.times_answers = looked_at;
  seen_.clients.shards().Use(looked_at ? serving_.pool->NamesBySlot() : std::vector<std::string>());
  if (!looked_at) seen_.clients.users().Forget();
}

}  // namespace gemel

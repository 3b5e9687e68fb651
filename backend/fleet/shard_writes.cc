#include "backend/fleet/shard_writes.h"

#include <utility>

namespace gemel {

namespace {

constexpr uint64_t kRetryMs = 20;

}  // namespace

ShardWrites::ShardWrites(Registers* registers, FleetView* view, std::function<std::string()> stamp,
                         std::function<uint64_t()> clock)
    : registers_(registers), view_(view), stamp_(std::move(stamp)), clock_(std::move(clock)) {}

void ShardWrites::Add(const std::string& shard, Change change, Done done) {
  ++waiting_;
  queues_[shard].waiting.push_back({std::move(change), std::move(done), {}});
}

void ShardWrites::Tick(uint64_t now_ms) {
  std::vector<std::string> due;
  for (auto& [shard, queue] : queues_) {
    if (!queue.asking && (queue.batch.empty() || now_ms >= queue.retry_ms)) due.push_back(shard);
  }
  for (const std::string& shard : due) {
    const auto queue = queues_.find(shard);
    if (queue == queues_.end() || queue->second.asking) continue;
    if (queue->second.batch.empty()) {
      Begin(shard);
    } else {
      Write(shard);
    }
  }
  // These may add changes.
  for (auto& [done, error] : std::exchange(ended_, {})) {
    --waiting_;
    if (done) done(error);
  }
}

void ShardWrites::Begin(const std::string& shard) {
  Queue& queue = queues_[shard];
  const FleetView::Shard* known = view_->FindShard(shard);
  if (queue.waiting.empty() || known == nullptr) {
    for (Waiting& waiting : queue.waiting) {
      ended_.emplace_back(std::move(waiting.done), "the fleet has no shard \"" + shard + "\"");
    }
    queues_.erase(shard);
    return;
  }
  ShardRecord record = known->record;
  queue.batch = std::exchange(queue.waiting, {});
  for (Waiting& waiting : queue.batch) {
    ShardRecord next = record;
    waiting.error.clear();
    if (waiting.change(&next, &waiting.error)) {
      record = std::move(next);
    } else if (waiting.error.empty()) {
      waiting.error = "it is not possible now";
    }
  }
  if (record == known->record && known->version != 0) return End(shard);
  record.stamp = stamp_();
  queue.text = EncodeShard(record, view_->topology()->rings);
  queue.written = std::move(record);
  queue.expected = known->version;
  Write(shard);
}

// The same text with the same expected version: it comes to be once at most, however often it is
// sent.
void ShardWrites::Write(const std::string& shard) {
  Queue& queue = queues_[shard];
  queue.asking = true;
  registers_->Write(ShardRegister(shard), queue.expected, queue.text,
                    alive_.Guard([this, shard, generation = generation_](RegisterOutcome outcome,
                                                                         uint64_t version) {
                      if (generation == generation_) OnWritten(shard, outcome, version);
                    }));
}

void ShardWrites::OnWritten(const std::string& shard, RegisterOutcome outcome, uint64_t version) {
  Queue& queue = queues_[shard];
  queue.asking = false;
  switch (outcome) {
    case RegisterOutcome::kDone:
      view_->OnShard(queue.written, version);
      return End(shard);
    case RegisterOutcome::kConflict:
      return Look(shard);
    case RegisterOutcome::kUnknown:
    case RegisterOutcome::kUnreachable:
      return RetryLater(&queue);
  }
}

void ShardWrites::Look(const std::string& shard) {
  queues_[shard].asking = true;
  registers_->Read(ShardRegister(shard),
                   alive_.Guard([this, shard, generation = generation_](
                                    RegisterOutcome outcome, const RegisterValue& value) {
                     if (generation == generation_) OnLooked(shard, outcome, value);
                   }));
}

void ShardWrites::OnLooked(const std::string& shard, RegisterOutcome outcome,
                           const RegisterValue& value) {
  Queue& queue = queues_[shard];
  queue.asking = false;
  std::string error;
  if (outcome != RegisterOutcome::kDone ||
      !view_->OnText(ShardRegister(shard), value, clock_(), &error)) {
    return RetryLater(&queue);
  }
  if (value.text == queue.text) return End(shard);
  // Another's, or of an earlier try: all that wait are judged anew, by what is there now.
  std::vector<Waiting> again = std::exchange(queue.batch, {});
  for (Waiting& waiting : queue.waiting) again.push_back(std::move(waiting));
  queue.waiting = std::move(again);
  Begin(shard);
}

void ShardWrites::RetryLater(Queue* queue) const { queue->retry_ms = clock_() + kRetryMs; }

void ShardWrites::End(const std::string& shard) {
  Queue& queue = queues_[shard];
  for (Waiting& waiting : queue.batch) {
    ended_.emplace_back(std::move(waiting.done), std::move(waiting.error));
  }
  queue.batch.clear();
  queue.retry_ms = 0;
  if (queue.waiting.empty()) {
    queues_.erase(shard);
  } else {
    Begin(shard);
  }
}

void ShardWrites::DropAll(const std::string& error) {
  ++generation_;
  for (auto& [shard, queue] : std::exchange(queues_, {})) {
    for (std::vector<Waiting>* all : {&queue.batch, &queue.waiting}) {
      for (Waiting& waiting : *all) ended_.emplace_back(std::move(waiting.done), error);
    }
  }
}

}  // namespace gemel

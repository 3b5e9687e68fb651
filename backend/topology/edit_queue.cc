#include "backend/topology/edit_queue.h"

#include <utility>

namespace gemel {

EditQueue::EditQueue(std::shared_ptr<const Topology> initial) : current_(std::move(initial)) {}

void EditQueue::Add(Edit edit, EditDone done) {
  if (refusing_) {
    waiting_.push_back(
        {std::nullopt, std::move(done), {false, std::string(kCoordinatorClosed), {}}});
  } else {
    waiting_.push_back({std::move(edit), std::move(done), {}});
  }
}

void EditQueue::Close(bool clean, EditDone done) {
  refusing_ = true;
  closing_.emplace(Waiting{std::nullopt, std::move(done), {true, {}, {}}, /*last=*/true});
  if (clean) closing_->edit = Edit{EditKind::kClose, {}, {}, {}, "stopped in order"};
}

std::shared_ptr<const Topology> EditQueue::BeginWrite() {
  if (writing_) return nullptr;
  // In a batch of its own: it may become durable although what came before it did not.
  if (waiting_.empty() && closing_) {
    waiting_.push_back(*std::exchange(closing_, std::nullopt));
  }
  if (waiting_.empty()) return nullptr;
  writing_ = true;
  auto last = std::make_shared<Topology>(*current_);
  for (Waiting& waiting : waiting_) {
    if (waiting.edit) {
      waiting.result.ok = ApplyTo(last.get(), *waiting.edit, &waiting.result.error);
    }
    batch_.push_back(std::move(waiting));
  }
  waiting_.clear();
  // Every change raises the epoch; edits that change nothing need no write.
  if (last->epoch != current_->epoch) next_ = std::move(last);
  return next_;
}

bool EditQueue::NeedsEnd() const { return writing_ && next_ == nullptr; }

void EditQueue::EndWrite(bool ok, const std::string& error, std::vector<Finished>* finished) {
  if (!writing_) return;
  if (ok && next_ != nullptr) current_ = next_;
  next_ = nullptr;
  writing_ = false;
  for (Waiting& waiting : batch_) {
    if (!ok) {
      waiting.result.ok = false;
      waiting.result.error = error;
    }
    closed_ |= waiting.last;
    waiting.result.topology = current_;
    finished->push_back({std::move(waiting.done), std::move(waiting.result)});
  }
  batch_.clear();
}

uint64_t FrontWatchers::Add(uint64_t seen, Coordinator::Watcher watcher) {
  watchers_.emplace(++last_, Watching{seen, std::move(watcher)});
  return last_;
}

void FrontWatchers::Tell(const std::shared_ptr<const Topology>& topology) {
  // A watcher may add and remove others, and itself.
  for (auto next = watchers_.begin(); next != watchers_.end();) {
    const uint64_t id = next->first;
    if (next->second.seen < topology->epoch) {
      next->second.seen = topology->epoch;
      const Coordinator::Watcher watcher = next->second.watcher;
      watcher(topology);
    }
    next = watchers_.upper_bound(id);
  }
}

ShardLease SoleLease(const Topology& current, std::string_view shard, uint64_t epoch) {
  if (current.IndexOf(shard) < 0) return {};
  return {true, "this process", epoch, ShardLease::kForEver, false, {}};
}

uint64_t LeaseEpochOf(const Topology& initial) { return initial.epoch + 1; }

}  // namespace gemel

#include "backend/topology/coordinator.h"

#include <utility>

namespace gemel {

EditQueue::EditQueue(std::shared_ptr<const Topology> initial) : current_(std::move(initial)) {}

void EditQueue::Add(Edit edit, EditDone done) {
  waiting_.push_back({std::move(edit), std::move(done), {}});
}

std::shared_ptr<const Topology> EditQueue::BeginWrite() {
  if (writing_ || waiting_.empty()) return nullptr;
  writing_ = true;
  auto last = std::make_shared<Topology>(*current_);
  for (Waiting& waiting : waiting_) {
    waiting.result.ok = ApplyTo(last.get(), waiting.edit, &waiting.result.error);
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
    waiting.result.topology = current_;
    finished->push_back({std::move(waiting.done), std::move(waiting.result)});
  }
  batch_.clear();
}

}  // namespace gemel

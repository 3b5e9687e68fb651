#include "backend/topology/coordinator.h"

#include <optional>
#include <utility>

namespace gemel {

EditQueue::EditQueue(std::shared_ptr<const Topology> initial) : current_(std::move(initial)) {}

void EditQueue::Add(Edit edit, EditDone done) {
  waiting_.push_back({std::move(edit), std::move(done), {}});
}

std::shared_ptr<const Topology> EditQueue::BeginWrite() {
  if (writing_ || waiting_.empty()) return nullptr;
  writing_ = true;
  std::shared_ptr<const Topology> last = current_;
  for (Waiting& waiting : waiting_) {
    std::optional<Topology> next = Apply(*last, waiting.edit, &waiting.result.error);
    waiting.result.ok = next.has_value();
    // Every change raises the epoch; an edit that changes nothing needs no write.
    if (next && next->epoch != last->epoch) {
      last = std::make_shared<const Topology>(*std::move(next));
    }
    batch_.push_back(std::move(waiting));
  }
  waiting_.clear();
  if (last != current_) next_ = std::move(last);
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

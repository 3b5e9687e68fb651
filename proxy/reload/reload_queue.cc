#include "proxy/reload/reload_queue.h"

#include <algorithm>
#include <utility>

namespace gemel {

void ReloadQueue::Add(ReloadOrder order, ReloadDone done) {
  if (stopped_) {
    done({false, false, kReloadStopped});
    return;
  }
  const auto same = [&order](const Waiting& other) {
    return other.order.patient && other.order.cause == order.cause &&
           other.order.seen == order.seen;
  };
  if (order.patient && std::any_of(waiting_.begin(), waiting_.end(), same)) return;
  if (waiting_.size() >= kMaxWaiting) DropGone();
  if (waiting_.size() >= kMaxWaiting) {
    done({false, false,
          std::to_string(kMaxWaiting) + " orders wait already: try again when they are done"});
    return;
  }
  waiting_.push_back({std::move(order), std::move(done), 0});
}

std::optional<ReloadQueue::Waiting> ReloadQueue::Take() {
  DropGone();
  if (waiting_.empty()) return std::nullopt;
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  return next;
}

void ReloadQueue::DropGone() {
  std::deque<Waiting> waiting;
  waiting.swap(waiting_);
  for (Waiting& order : waiting) {
    if (order.order.gone != nullptr && order.order.gone->load(std::memory_order_relaxed)) {
      order.done({false, false, "the client has left"});
    } else {
      waiting_.push_back(std::move(order));
    }
  }
}

void ReloadQueue::TryLater(Waiting refused) {
  DropLater("a later reload takes its place");
  later_ = std::move(refused);
  ++later_->tries;
}

bool ReloadQueue::Again() {
  if (!later_) return false;
  waiting_.push_back(std::move(*later_));
  later_.reset();
  return true;
}

void ReloadQueue::DropLater(const std::string& why) {
  if (!later_) return;
  const ReloadDone done = std::move(later_->done);
  later_.reset();
  done({false, false, why});
}

void ReloadQueue::Stop() {
  stopped_ = true;
  DropLater(kReloadStopped);
  while (!waiting_.empty()) {
    const ReloadDone done = std::move(waiting_.front().done);
    waiting_.pop_front();
    done({false, false, kReloadStopped});
  }
}

}  // namespace gemel

#include "backend/paxos/paxos_operation.h"

#include <algorithm>
#include <utility>

namespace gemel {

namespace {

constexpr uint64_t kPauseMs = 20;  // before who did not answer is asked again

// Held by what it waits for.
class Operation : public std::enable_shared_from_this<Operation> {
 public:
  Operation(std::shared_ptr<PaxosView> view, PaxosPlan plan,
            std::function<void(const std::optional<PaxosValue>&)> done)
      : view_(std::move(view)),
        plan_(std::move(plan)),
        done_(std::move(done)),
        read_(plan_.read_first) {}

  void Start() {
    view_->After(view_->options().time_limit_ms,
                 [self = shared_from_this()] { self->End(std::nullopt); });
    // Not inside the call of who asked.
    Again(0);
  }

 private:
  void Again(uint64_t pause_ms) {
    view_->After(pause_ms, [self = shared_from_this()] { self->Try(); });
  }

  void Try() {
    if (ended_) return;
    view_->WhenKnown([self = shared_from_this()](bool known) {
      if (known) {
        self->Round();
      } else {
        self->Again(kPauseMs + self->view_->Random(kPauseMs));
      }
    });
  }

  void Round() {
    if (ended_) return;
    const auto on_end = [self = shared_from_this()](const PaxosRoundEnd& end) { self->OnEnd(end); };
    if (read_) {
      RunPaxosRead(view_, plan_.name, on_end);
    } else {
      RunPaxosRound(
          view_, plan_.name, plan_.rewrite(),
          [self = shared_from_this()](const PaxosValue& now) -> std::optional<PaxosValue> {
            // Who was told that the time is over is not to be surprised by a later attempt.
            return self->ended_ ? std::nullopt : self->plan_.change(now);
          },
          on_end);
    }
  }

  void OnEnd(const PaxosRoundEnd& end) {
    if (ended_) return;
    switch (end.kind) {
      case PaxosRoundEnd::Kind::kChosen:
        End(end.value);
        return;
      case PaxosRoundEnd::Kind::kMoved:
        Again(0);
        return;
      case PaxosRoundEnd::Kind::kConflict:
        conflicts_ = std::min(conflicts_ + 1, 5U);
        // Of a read nobody was in the way yet.
        Again(read_ ? 0 : 1 + view_->Random(uint64_t{4} << conflicts_));
        break;
      case PaxosRoundEnd::Kind::kShort:
        Again(kPauseMs + view_->Random(kPauseMs));
        break;
    }
    read_ = false;
  }

  void End(const std::optional<PaxosValue>& value) {
    if (ended_) return;
    ended_ = true;
    done_(value);
  }

  const std::shared_ptr<PaxosView> view_;
  const PaxosPlan plan_;
  const std::function<void(const std::optional<PaxosValue>&)> done_;
  bool read_;
  bool ended_ = false;
  uint32_t conflicts_ = 0;
};

}  // namespace

void RunPaxosOperation(const std::shared_ptr<PaxosView>& view, PaxosPlan plan,
                       std::function<void(const std::optional<PaxosValue>&)> done) {
  std::make_shared<Operation>(view, std::move(plan), std::move(done))->Start();
}

}  // namespace gemel

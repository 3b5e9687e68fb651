#include "backend/paxos/paxos_round.h"

#include <map>
#include <utility>

namespace gemel {

namespace {

using AnswerKind = PaxosAnswer::Kind;
using EndKind = PaxosRoundEnd::Kind;

// The answers to one question to all.
class Tally {
 public:
  explicit Tally(PaxosView::ConfigPtr config)
      : config_(std::move(config)),
        good_(config_->Acceptors().size(), false),
        open_(good_.size(), true) {}

  void Add(size_t place, const PaxosAnswer& answer) {
    good_[place] = open_[place] = answer.kind == AnswerKind::kOk;
    conflict_ |= answer.kind == AnswerKind::kConflict;
  }
  bool Enough() const { return config_->IsQuorum(good_); }
  // Whether it can be enough yet.
  bool Hopeless() const { return !config_->IsQuorum(open_); }
  EndKind Failure(const PaxosView& view) const {
    if (view.config() != config_) return EndKind::kMoved;
    return conflict_ ? EndKind::kConflict : EndKind::kShort;
  }

 private:
  PaxosView::ConfigPtr config_;
  std::vector<bool> good_;
  std::vector<bool> open_;  // good, or not answered yet
  bool conflict_ = false;
};

// Held by what it waits for.
class Round : public std::enable_shared_from_this<Round> {
 public:
  Round(std::shared_ptr<PaxosView> view, std::string name, bool rewrite, PaxosChange change,
        std::function<void(const PaxosRoundEnd&)> done)
      : view_(std::move(view)),
        config_(view_->config()),
        ballot_(view_->NextBallot()),
        name_(std::move(name)),
        rewrite_(rewrite),
        change_(std::move(change)),
        done_(std::move(done)) {}

  void Start() {
    AskQuorum(
        PaxosAsk::Kind::kPrepare, {},
        [this](const PaxosAnswer& answer) {
          if (promises_ > 0 && answer.accepted != highest_) agreed_ = false;
          if (promises_ == 0 || answer.accepted > highest_) {
            highest_ = answer.accepted;
            value_ = answer.value;
          }
          ++promises_;
        },
        [this] { OnPromised(); });
  }

 private:
  void AskQuorum(PaxosAsk::Kind kind, std::string text,
                 std::function<void(const PaxosAnswer&)> good, std::function<void()> enough) {
    PaxosAsk ask{kind};
    ask.name = name_;
    ask.ballot = ballot_;
    ask.text = std::move(text);
    auto tally = std::make_shared<Tally>(config_);
    view_->AskAll(
        config_, ask,
        [self = shared_from_this(), tally, good = std::move(good), enough = std::move(enough)](
            size_t place, const PaxosAnswer& answer) {
          tally->Add(place, answer);
          if (answer.kind == AnswerKind::kOk) good(answer);
          if (tally->Enough()) {
            enough();
            return true;
          }
          if (!tally->Hopeless()) return false;
          self->done_({tally->Failure(*self->view_), {}});
          return true;
        },
        [] {});
  }

  void OnPromised() {
    PaxosValue now;
    if (!PaxosValue::Decode(value_, &now)) {
      done_({EndKind::kShort, {}});
      return;
    }
    std::optional<PaxosValue> wanted = change_(now);
    const bool stays = !wanted.has_value();
    value_now_ = wanted ? std::move(*wanted) : std::move(now);
    // What was never written is not accepted either: there is nothing that could be chosen later.
    const bool nothing = highest_.counter == 0 && agreed_;
    if (stays && agreed_ && (!rewrite_ || nothing)) {
      done_({EndKind::kChosen, value_now_});
      return;
    }
    AskQuorum(
        PaxosAsk::Kind::kAccept, value_now_.Encode(), [](const PaxosAnswer&) {},
        [this] {
          done_({EndKind::kChosen, value_now_});
        });
  }

  const std::shared_ptr<PaxosView> view_;
  const PaxosView::ConfigPtr config_;
  const Ballot ballot_;
  const std::string name_;
  const bool rewrite_;
  const PaxosChange change_;
  const std::function<void(const PaxosRoundEnd&)> done_;
  size_t promises_ = 0;
  bool agreed_ = true;  // the promises are all of what was accepted by `highest_`
  Ballot highest_;
  std::string value_;
  PaxosValue value_now_;
};

}  // namespace

void RunPaxosRound(const std::shared_ptr<PaxosView>& view, const std::string& name, bool rewrite,
                   PaxosChange change, std::function<void(const PaxosRoundEnd&)> done) {
  std::make_shared<Round>(view, name, rewrite, std::move(change), std::move(done))->Start();
}

void RunPaxosRead(const std::shared_ptr<PaxosView>& view, const std::string& name,
                  std::function<void(const PaxosRoundEnd&)> done) {
  struct Accepted {
    std::vector<bool> by;
    std::string value;
  };
  const PaxosView::ConfigPtr config = view->config();
  auto all = std::make_shared<std::map<Ballot, Accepted>>();
  auto tally = std::make_shared<Tally>(config);
  PaxosAsk ask{PaxosAsk::Kind::kRead};
  ask.name = name;
  view->AskAll(
      config, ask,
      [=](size_t place, const PaxosAnswer& answer) {
        tally->Add(place, answer);
        if (answer.kind != AnswerKind::kOk) {
          if (!tally->Hopeless()) return false;
          done({tally->Failure(*view), {}});
          return true;
        }
        Accepted& accepted = (*all)[answer.accepted];
        accepted.by.resize(config->Acceptors().size());
        accepted.by[place] = true;
        accepted.value = answer.value;
        PaxosRoundEnd end{EndKind::kChosen, {}};
        if (!config->IsQuorum(accepted.by) || !PaxosValue::Decode(accepted.value, &end.value)) {
          return false;
        }
        done(end);
        return true;
      },
      [done] {
        done({EndKind::kConflict, {}});
      });
}

}  // namespace gemel

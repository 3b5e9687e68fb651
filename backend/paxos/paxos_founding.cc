#include "backend/paxos/paxos_founding.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace gemel {

namespace {

// Held by what it waits for.
class Founding : public std::enable_shared_from_this<Founding> {
 public:
  Founding(std::shared_ptr<PaxosView> view, std::function<void()> end)
      : view_(std::move(view)), end_(std::move(end)) {}

  void Start() { AskNodes({PaxosAsk::Kind::kHello}); }

 private:
  void AskNodes(PaxosAsk ask) {
    left_ = view_->wanted().size();
    for (const std::string& node : std::vector<std::string>(view_->wanted())) {
      // One for each, or a copy of another's data would pass for its own.
      if (offering_) ask.text = view_->NewNonce();
      view_->AskNode(node, ask, [self = shared_from_this(), node](const PaxosAnswer& answer) {
        self->OnAnswer(node, answer);
      });
    }
  }

  void OnAnswer(const std::string& node, const PaxosAnswer& answer) {
    if (answer.kind == PaxosAnswer::Kind::kAbout) {
      PaxosConfig config;
      if (PaxosConfig::Decode(answer.config, &config)) {
        ++texts_[answer.config];
        if (config.epoch > best_epoch_) best_epoch_ = config.epoch;
      } else if (answer.nonce.empty()) {
        if (!answer.offer.empty()) offers_.push_back({node, answer.offer});
        ++bare_;
      }
    }
    if (--left_ == 0) OnAll();
  }

  void OnAll() {
    const size_t nodes = view_->wanted().size();
    if (!texts_.empty()) {
      AdoptBest();
    } else if (offering_ && offers_.size() == nodes) {
      Found();
    } else if (!offering_ && bare_ == nodes) {
      offering_ = true;
      offers_.clear();
      AskNodes({PaxosAsk::Kind::kOffer});
      return;
    }
    end_();
  }

  void Found() {
    const PaxosConfig first = FoundingConfig(offers_);
    if (first.now.size() < std::min(kLeastPaxosNodes, view_->wanted().size())) {
      view_->Complain("its nodes are " + std::to_string(first.now.size()) +
                      " servers by several names, and it takes at least " +
                      std::to_string(kLeastPaxosNodes));
      return;
    }
    view_->Complain({});
    view_->Adopt(first);
  }

  // The latest; of equally late ones, which only a disturbed founding leaves, what most have.
  void AdoptBest() {
    size_t most = 0;
    PaxosConfig best;
    for (const auto& [text, count] : texts_) {
      PaxosConfig config;
      PaxosConfig::Decode(text, &config);
      if (config.epoch == best_epoch_ && count > most) {
        most = count;
        best = config;
      }
    }
    view_->Adopt(best);
  }

  const std::shared_ptr<PaxosView> view_;
  const std::function<void()> end_;
  size_t left_ = 0;
  bool offering_ = false;
  size_t bare_ = 0;  // nodes that have no config
  std::vector<PaxosMember> offers_;
  std::map<std::string, size_t> texts_;
  uint64_t best_epoch_ = 0;
};

}  // namespace

void FindOrFound(const std::shared_ptr<PaxosView>& view, std::function<void()> end) {
  std::make_shared<Founding>(view, std::move(end))->Start();
}

}  // namespace gemel

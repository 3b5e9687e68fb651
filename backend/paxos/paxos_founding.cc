#include "backend/paxos/paxos_founding.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "backend/paxos/paxos_operation.h"

namespace gemel {

namespace {

// Held by what it waits for.
class Founding : public std::enable_shared_from_this<Founding> {
 public:
  Founding(std::shared_ptr<PaxosView> view, std::function<void()> end)
      : view_(std::move(view)), end_(std::move(end)), nodes_(view_->wanted()) {}

  void Start() {
    AskNodes([](const std::string&) { return PaxosAsk{}; });
  }

 private:
  using AnswerKind = PaxosAnswer::Kind;

  template <typename AskOf>
  void AskNodes(const AskOf& ask_of) {
    left_ = nodes_.size();
    answers_.clear();
    for (const std::string& node : nodes_) {
      view_->AskNode(node, ask_of(node),
                     [self = shared_from_this(), node](const PaxosAnswer& answer) {
                       if (answer.kind == AnswerKind::kAbout) self->answers_[node] = answer;
                       if (--self->left_ == 0) self->OnAll();
                     });
    }
  }

  PaxosAsk OfferOf(const std::string& node, const PaxosAnswer& seen) const {
    PaxosAsk ask{PaxosAsk::Kind::kOffer};
    if (view_->IsVoid(node, seen)) ask.nonce = seen.offer;
    // One for each, or a copy of another's data would pass for its own.
    ask.text = view_->NewNonce();
    return ask;
  }

  void OnAll() {
    uint64_t latest = 0;
    std::map<std::string, PaxosConfig> configs;  // by their texts
    size_t offers = 0;
    size_t bare = 0;
    for (const auto& [node, answer] : answers_) {
      PaxosConfig config;
      if (PaxosConfig::Decode(answer.config, &config)) {
        latest = std::max(latest, config.epoch);
        configs[answer.config] = std::move(config);
      } else if (answer.nonce.empty()) {
        ++bare;
        offers += !answer.offer.empty() && !view_->IsVoid(node, answer);
      }
    }
    if (latest > 0) {
      AdoptBest(configs, latest);
    } else if (!configs.empty()) {
      GoOn(configs);
      return;
    } else if (offering_ && offers == nodes_.size()) {
      Found();
      return;
    } else if (!offering_ && bare == nodes_.size()) {
      offering_ = true;
      AskNodes([this, seen = answers_](const std::string& node) {
        return OfferOf(node, seen.at(node));
      });
      return;
    }
    end_();
  }

  void Found() {
    std::vector<PaxosMember> offers;
    for (const auto& [node, answer] : answers_) offers.push_back({node, answer.offer});
    const PaxosConfig first = FoundingConfig(std::move(offers));
    if (first.now.size() < std::min(kLeastPaxosNodes, nodes_.size())) {
      view_->Complain("its nodes are " + std::to_string(first.now.size()) +
                      " servers by several names, and it takes at least " +
                      std::to_string(kLeastPaxosNodes));
      end_();
      return;
    }
    view_->Complain({});
    Complete(first);
  }

  // Somebody began, whoever it was, and by whichever nodes.
  void GoOn(std::map<std::string, PaxosConfig> configs) {
    std::erase_if(configs, [this](const auto& each) { return IsDead(each.first, each.second); });
    if (!configs.empty()) {
      const auto skip = static_cast<ptrdiff_t>(view_->Random(configs.size()));
      Complete(std::next(configs.begin(), skip)->second);
      return;
    }
    // Those who began had other nodes each, and got in each other's way.
    left_ = 1;  // until all are asked
    const auto on_one = [self = shared_from_this()](const PaxosAnswer&) {
      if (--self->left_ == 0) self->end_();
    };
    for (const auto& [node, answer] : answers_) {
      if (answer.nonce.empty()) continue;
      ++left_;
      PaxosAsk ask{PaxosAsk::Kind::kOffer};
      ask.name = answer.nonce;
      ask.text = view_->NewNonce();
      view_->AskNode(node, ask, on_one);
    }
    on_one({});
  }

  // One of its nodes followed another config by the same offer, of which it had but one.
  bool IsDead(const std::string& text, const PaxosConfig& config) const {
    return std::any_of(config.now.begin(), config.now.end(), [&](const PaxosMember& member) {
      const auto answer = answers_.find(member.node);
      if (answer == answers_.end()) return false;
      const PaxosAnswer& its = answer->second;
      return (its.nonce == member.nonce && its.config != text) ||
             its.voided.find(member.nonce + ' ') != std::string::npos;
    });
  }

  // It holds once all of its nodes have followed it: no other one can come that far then, unless a
  // node has lost its data, and that one's other nodes would still be this one's.
  void Complete(const PaxosConfig& config) {
    const auto founding = std::make_shared<const PaxosConfig>(config);
    left_ = config.now.size();
    PaxosAsk ask{PaxosAsk::Kind::kRead};
    ask.name = kConfigRegister;
    for (const PaxosMember& member : config.now) {
      view_->Ask(founding, member, ask,
                 [self = shared_from_this(), founding, member](const PaxosAnswer& answer) {
                   self->OnFollowed(*founding, member, answer);
                 });
    }
  }

  void OnFollowed(const PaxosConfig& config, const PaxosMember& member, const PaxosAnswer& answer) {
    followed_ += answer.kind == AnswerKind::kOk;
    if (answer.kind == AnswerKind::kStranger || answer.kind == AnswerKind::kRestarted) {
      lost_.insert(member.node);
    }
    if (--left_ > 0) return;
    if (followed_ == config.now.size()) {
      view_->Complain({});
      PaxosConfig first = config;
      first.epoch = 1;
      view_->Adopt(first);
    } else if (!lost_.empty()) {
      // Nobody can tell any more whether it had come to hold before.
      view_->Complain(*lost_.begin() +
                      " lost its data while the registers were founded: unless another node has "
                      "them, end all members, delete the hash of the registers on all nodes, start");
    }
    end_();
  }

  // The latest; of equally late ones, of nodes that have nothing to do with each other, what most
  // have.
  void AdoptBest(const std::map<std::string, PaxosConfig>& configs, uint64_t latest) {
    int64_t most = 0;
    const PaxosConfig* best = nullptr;
    for (const auto& [text, config] : configs) {
      const int64_t count =
          std::count_if(answers_.begin(), answers_.end(),
                        [&text = text](const auto& each) { return each.second.config == text; });
      if (config.epoch != latest || count <= most) continue;
      most = count;
      best = &config;
    }
    view_->Adopt(*best);
  }

  const std::shared_ptr<PaxosView> view_;
  const std::function<void()> end_;
  const std::vector<std::string> nodes_;  // whatever is wanted meanwhile
  size_t left_ = 0;
  bool offering_ = false;
  std::map<std::string, PaxosAnswer> answers_;  // of kAbout
  size_t followed_ = 0;
  std::set<std::string> lost_;
};

}  // namespace

void FindOrFound(const std::shared_ptr<PaxosView>& view, std::function<void()> end) {
  std::make_shared<Founding>(view, std::move(end))->Start();
}

}  // namespace gemel

#include "backend/paxos/paxos_founding.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
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
      const auto skip = static_cast<ptrdiff_t>(view_->Random(configs.size()));
      Complete(std::next(configs.begin(), skip)->second);
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

  // Makes it the config that holds, if nothing stands in the way; whoever began it, and by
  // whichever nodes.
  //
  // It holds once each of its nodes has followed it or has lost, for good, what it was to follow it
  // by: where two configs have nodes in common, one of those that lost nothing keeps the other from
  // coming that far.
  void Complete(const PaxosConfig& config) {
    founding_ = std::make_shared<const PaxosConfig>(config);
    left_ = config.now.size();
    PaxosAsk ask{PaxosAsk::Kind::kRead};
    ask.name = kConfigRegister;
    for (size_t i = 0; i < config.now.size(); ++i) {
      view_->Ask(founding_, config.now[i], ask,
                 [self = shared_from_this(), i](const PaxosAnswer& answer) {
                   self->OnFollowed(i, answer);
                 });
    }
  }

  void OnFollowed(size_t place, const PaxosAnswer& answer) {
    followed_.resize(founding_->now.size());
    const PaxosMember& member = founding_->now[place];
    const bool is_it = answer.nonce == member.nonce;
    if (answer.kind == AnswerKind::kOk) {
      followed_[place] = true;
    } else if (answer.kind == AnswerKind::kOther) {
      // By one nonce it follows one of them.
      dead_ |= is_it && answer.epoch == 0;
    } else if (answer.kind == AnswerKind::kRestarted) {
      if (!view_->Keeps(member.node)) Renew(member.node, member.nonce, {});
    } else if (answer.kind == AnswerKind::kStranger) {
      if (answer.voided.find(member.nonce + ' ') != std::string::npos) {
        dead_ = true;
      } else if (!is_it && answer.offer != member.nonce) {
        ++lost_;
      } else if (is_it) {
        Renew(member.node, member.nonce, {});
      } else if (view_->IsVoid(member.node, answer)) {
        Renew(member.node, {}, member.nonce);
      }
    }
    if (--left_ > 0) return;
    Judge();
    end_();
  }

  void Judge() {
    const size_t followed =
        static_cast<size_t>(std::count(followed_.begin(), followed_.end(), true));
    const size_t all = founding_->now.size();
    if (dead_) {
      // Those who began had other nodes each, and got in each other's way.
      for (size_t i = 0; i < all; ++i) {
        const PaxosMember& member = founding_->now[i];
        if (followed_[i]) Renew(member.node, member.nonce, {});
      }
    } else if (followed + lost_ == all && founding_->IsQuorum(followed_)) {
      PaxosConfig first = *founding_;
      first.epoch = 1;
      view_->Adopt(first);
    } else if (all - lost_ <= all / 2 && answers_.size() == nodes_.size()) {
      view_->Complain(
          "too many nodes lost their data while the registers were founded: end all "
          "members, delete the hash of the registers on all nodes, start");
    }
  }

  // What that node is, of a config that does not hold yet, or offers, it will not be any more.
  void Renew(const std::string& node, const std::string& nonce, const std::string& offer) {
    PaxosAsk ask{PaxosAsk::Kind::kOffer};
    ask.name = nonce;
    ask.nonce = offer;
    ask.text = view_->NewNonce();
    view_->AskNode(node, ask, [](const PaxosAnswer&) {});
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
  PaxosView::ConfigPtr founding_;
  std::vector<bool> followed_;  // by its nodes' places
  size_t lost_ = 0;
  bool dead_ = false;
};

}  // namespace

void FindOrFound(const std::shared_ptr<PaxosView>& view, std::function<void()> end) {
  std::make_shared<Founding>(view, std::move(end))->Start();
}

}  // namespace gemel

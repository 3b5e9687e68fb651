#include "backend/paxos/paxos_readmission.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/paxos/paxos_operation.h"

namespace gemel {

namespace {

using Kind = PaxosAnswer::Kind;

const PaxosMember* Find(const std::vector<PaxosMember>& members, const std::string& node) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const PaxosMember& each) { return each.node == node; });
  return found == members.end() ? nullptr : &*found;
}

bool Has(const std::vector<std::string>& nodes, const std::string& node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

// Held by what it waits for.
class AcceptorChange : public std::enable_shared_from_this<AcceptorChange> {
 public:
  AcceptorChange(std::shared_ptr<PaxosView> view, std::function<void()> end)
      : view_(std::move(view)), end_(std::move(end)) {}

  void Start() {
    config_ = view_->config();
    if (config_->joint()) {
      Copy();
      return;
    }
    const bool follows = view_->plan() >= config_->plan;
    ++left_;  // until all are asked
    for (const auto& [node, seen] : std::map(view_->strangers())) {
      if (Find(config_->now, node) != nullptr) Offer(node, seen);
    }
    for (const std::string& node : std::vector<std::string>(view_->wanted())) {
      if (follows && Find(config_->now, node) == nullptr) Greet(node);
    }
    OnOne();
  }

  // Leaves that node out, which has that nonce now; and if it is no acceptor, so it stays.
  void Leave(const std::string& node, const std::string& nonce) {
    config_ = view_->config();
    PaxosConfig joint = Joint();
    const auto is_it = [&](const PaxosMember& each) { return each.node == node; };
    std::erase_if(joint.next, is_it);
    std::erase_if(joint.out, is_it);
    joint.out.push_back(LeftOut(node, nonce, joint.epoch));
    Begin(joint);
  }

 private:
  // One that is no acceptor: may it become one?
  void Greet(const std::string& node) {
    ++left_;
    view_->AskNode(node, {}, [self = shared_from_this(), node](const PaxosAnswer& answer) {
      if (self->MayCome(node, answer)) self->Offer(node, answer);
      self->OnOne();
    });
  }

  bool MayCome(const std::string& node, const PaxosAnswer& answer) const {
    if (answer.kind != Kind::kAbout) return false;
    // It is one by another address.
    const bool has_own = !answer.nonce.empty() && answer.run == answer.me;
    for (const PaxosMember& member : config_->now) {
      if (has_own && member.nonce == answer.nonce) return false;
    }
    // Its data is to be overwritten, and was not yet.
    const PaxosMember* out = Find(config_->out, node);
    return out == nullptr || !IsAsLeftOut(*out, answer.nonce) || view_->IsOverdue(*out);
  }

  void Offer(const std::string& node, const PaxosAnswer& seen) {
    ++left_;
    PaxosAsk ask{PaxosAsk::Kind::kOffer};
    ask.epoch = config_->epoch;
    ask.name = seen.nonce;
    if (view_->IsVoid(node, seen)) ask.nonce = seen.offer;
    for (const PaxosMember& member : config_->now) {
      // It was copied from there.
      if (member.nonce == seen.offer) ask.nonce = seen.offer;
    }
    ask.text = view_->NewNonce();
    view_->AskNode(node, ask, [self = shared_from_this(), node](const PaxosAnswer& answer) {
      self->view_->ForgetStranger(node);
      if (answer.kind == Kind::kAbout && !answer.offer.empty() &&
          !self->view_->IsVoid(node, answer)) {
        self->offers_.push_back({node, answer.offer});
      }
      self->OnOne();
    });
  }

  void OnOne() {
    if (--left_ == 0) OnAll();
  }

  PaxosConfig Joint() const {
    PaxosConfig joint = *config_;
    ++joint.epoch;
    joint.next = joint.now;
    return joint;
  }

  void OnAll() {
    PaxosConfig joint = Joint();
    for (const PaxosMember& offer : offers_) {
      // It may be that two addresses lead to one server.
      const bool known = std::any_of(joint.next.begin(), joint.next.end(),
                                     [&](const auto& each) { return each.nonce == offer.nonce; });
      if (known) continue;
      std::erase_if(joint.out, [&](const PaxosMember& each) { return each.node == offer.node; });
      std::erase_if(joint.next, [&](const PaxosMember& each) { return each.node == offer.node; });
      joint.next.push_back(offer);
    }
    LeaveOut(&joint);
    if (joint.next == joint.now) {
      end_();
    } else {
      Begin(joint);
    }
  }

  // Those that are not wanted any more.
  void LeaveOut(PaxosConfig* joint) const {
    if (view_->plan() <= config_->plan) return;
    const std::vector<std::string>& wanted = view_->wanted();
    std::vector<PaxosMember> stay = joint->next;
    std::erase_if(stay, [&](const PaxosMember& each) { return !Has(wanted, each.node); });
    if (stay.size() < std::max(kLeastPaxosNodes, wanted.size() / 2 + 1)) return;
    joint->next = std::move(stay);
    // A plan that others follow already may want them.
    std::erase_if(joint->out, [&](const PaxosMember& each) {
      return !Has(wanted, each.node) && view_->IsOverdue(each);
    });
    joint->plan = view_->plan();
  }

  // Once it is agreed there is no way back: a majority of those who are to be must be there now.
  void Begin(const PaxosConfig& joint) {
    joint_ = joint;
    left_ = 1;  // until all are asked
    there_ = 0;
    PaxosAsk ask{PaxosAsk::Kind::kRead};
    ask.name = kConfigRegister;
    for (const PaxosMember& member : joint.next) {
      ++left_;
      if (std::find(config_->now.begin(), config_->now.end(), member) == config_->now.end()) {
        view_->AskNode(
            member.node, {}, [self = shared_from_this(), member](const PaxosAnswer& answer) {
              self->there_ +=
                  answer.offer == member.nonce && !self->view_->IsVoid(member.node, answer);
              self->OnThere();
            });
        continue;
      }
      view_->Ask(config_, member, ask, [self = shared_from_this()](const PaxosAnswer& answer) {
        self->there_ += answer.kind == Kind::kOk;
        self->OnThere();
      });
    }
    OnThere();
  }

  void OnThere() {
    if (--left_ > 0) return;
    if (there_ > joint_.next.size() / 2 && view_->config() == config_) {
      Go();
    } else {
      end_();
    }
  }

  void Go() {
    Agree(joint_, [self = shared_from_this()] {
      self->config_ = self->view_->config();
      if (self->config_->joint()) {
        self->Copy();
      } else {
        self->end_();
      }
    });
  }

  // Makes it the next config, unless there is another one; then goes on with what there is.
  void Agree(const PaxosConfig& next, std::function<void()> then) {
    const PaxosConfig from = *config_;
    PaxosPlan plan;
    plan.name = kConfigRegister;
    const uint64_t writer = view_->options().proposer;
    const uint64_t write = view_->NextWrite();
    plan.change = [=](const PaxosValue& now) -> std::optional<PaxosValue> {
      if (now.version + 1 != from.epoch) return std::nullopt;
      return PaxosValue{from.epoch, writer, write, next.Encode()};
    };
    plan.rewrite = [] { return false; };
    RunPaxosOperation(view_, std::move(plan),
                      [self = shared_from_this(), then = std::move(then)](const auto& chosen) {
                        PaxosConfig config;
                        if (!chosen || !PaxosConfig::Decode(chosen->text, &config)) {
                          self->end_();
                          return;
                        }
                        self->view_->Adopt(config);
                        then();
                      });
  }

  void Copy() {
    AskPaxosNames(view_, {}, [self = shared_from_this()](bool known, const auto& names) {
      if (!known || self->view_->config() != self->config_) {
        self->end_();
        return;
      }
      self->names_ = names;
      self->CopyNext();
    });
  }

  // All of them, so that nobody depends any more on those who have left.
  void Tell() {
    PaxosAsk ask{PaxosAsk::Kind::kRead};
    ask.name = kConfigRegister;
    view_->AskAll(
        view_->config(), ask, [](size_t, const PaxosAnswer&) { return false; },
        [self = shared_from_this()] { self->end_(); });
  }

  void CopyNext() {
    if (names_.empty()) {
      PaxosConfig next = *config_;
      ++next.epoch;
      next.now = std::exchange(next.next, {});
      Agree(next, [self = shared_from_this()] { self->Tell(); });
      return;
    }
    PaxosPlan plan;
    plan.name = std::move(names_.back());
    names_.pop_back();
    plan.change = [](const PaxosValue&) { return std::nullopt; };
    plan.rewrite = [] { return true; };
    RunPaxosOperation(view_, std::move(plan), [self = shared_from_this()](const auto& chosen) {
      if (!chosen || self->view_->config() != self->config_) {
        self->end_();
      } else {
        self->CopyNext();
      }
    });
  }

  const std::shared_ptr<PaxosView> view_;
  const std::function<void()> end_;
  PaxosView::ConfigPtr config_;
  size_t left_ = 0;  // questions
  PaxosConfig joint_;
  size_t there_ = 0;  // of joint_.next
  std::vector<PaxosMember> offers_;
  std::vector<std::string> names_;  // to be copied yet
};

// Likewise.
class Release : public std::enable_shared_from_this<Release> {
 public:
  Release(std::shared_ptr<PaxosView> view, std::string node, ReleaseDone done)
      : view_(std::move(view)), node_(std::move(node)), done_(std::move(done)) {}

  // What a quorum agrees on is read first: the view may be behind.
  void Start() {
    PaxosPlan plan;
    plan.name = kConfigRegister;
    plan.change = [](const PaxosValue&) { return std::nullopt; };
    plan.rewrite = [] { return false; };
    plan.read_first = true;
    RunPaxosOperation(view_, std::move(plan), [self = shared_from_this()](const auto& value) {
      PaxosConfig chosen;
      if (value && PaxosConfig::Decode(value->text, &chosen)) self->view_->Adopt(chosen);
      if (value) {
        self->OnKnown();
      } else {
        self->done_({false, false, "the registers cannot be reached: " + self->view_->Trouble()});
      }
    });
  }

 private:
  static constexpr int kTries = 5;

  void OnKnown() {
    const PaxosView::ConfigPtr config = view_->config();
    const bool joint = config->joint();
    const bool is_one = Find(config->now, node_) != nullptr || Find(config->next, node_) != nullptr;
    const PaxosMember* const out = Find(config->out, node_);
    // By an earlier release it may come back at any moment.
    const bool is_out = out != nullptr && out->nonce == out_;
    const bool may_come = view_->plan() > 0 || Has(view_->wanted(), node_);
    if (!is_one && (is_out || !may_come)) {
      done_({true, false, {}});
    } else if (++tries_ > kTries) {
      done_({false, true, "not enough of the others answer"});
    } else if (joint) {
      ReadmitPaxosNode(view_, [self = shared_from_this()] { self->Start(); });
    } else if (const std::string why = WhyNot(*config, is_one); !why.empty()) {
      done_({false, true, why});
    } else {
      view_->AskNode(node_, {}, [self = shared_from_this(), config](const PaxosAnswer& answer) {
        self->Leave(config, answer);
      });
    }
  }

  std::string WhyNot(const PaxosConfig& config, bool is_one) const {
    const size_t wanted = std::max(view_->wanted().size(), config.now.size());
    const size_t may_lack = (wanted - 1) / 2;
    const size_t left = config.now.size() - (is_one ? 1 : 0);
    if (left + may_lack >= wanted && left >= kLeastPaxosNodes) return {};
    return std::to_string(config.now.size()) + " of " + std::to_string(wanted) +
           " nodes keep the registers of the fleet at the moment";
  }

  void Leave(const PaxosView::ConfigPtr& config, const PaxosAnswer& answer) {
    const auto again = [self = shared_from_this()] { self->Start(); };
    if (view_->config() != config) {
      again();
      return;
    }
    const std::string nonce = answer.kind == Kind::kAbout ? answer.nonce : kAnyNonce;
    out_ = LeftOut(node_, nonce, config->epoch + 1).nonce;
    std::make_shared<AcceptorChange>(view_, again)->Leave(node_, nonce);
  }

  const std::shared_ptr<PaxosView> view_;
  const std::string node_;
  const ReleaseDone done_;
  int tries_ = 0;
  std::string out_;  // how it is to be left out
};

}  // namespace

void ReadmitPaxosNode(const std::shared_ptr<PaxosView>& view, std::function<void()> end) {
  std::make_shared<AcceptorChange>(view, std::move(end))->Start();
}

void ReleasePaxosNode(const std::shared_ptr<PaxosView>& view, const std::string& node,
                      ReleaseDone done) {
  std::make_shared<Release>(view, node, std::move(done))->Start();
}

void AskPaxosNames(const std::shared_ptr<PaxosView>& view, const std::string& prefix,
                   std::function<void(bool, const std::vector<std::string>&)> done) {
  const PaxosView::ConfigPtr config = view->config();
  auto names = std::make_shared<std::set<std::string>>();
  auto good = std::make_shared<std::vector<bool>>(config->Acceptors().size(), false);
  PaxosAsk ask{PaxosAsk::Kind::kNames};
  ask.name = prefix;
  view->AskAll(
      config, ask,
      [=](size_t place, const PaxosAnswer& answer) {
        if (answer.kind != PaxosAnswer::Kind::kOk) return false;
        (*good)[place] = true;
        names->insert(answer.names.begin(), answer.names.end());
        if (!config->IsQuorum(*good)) return false;
        done(true, {names->begin(), names->end()});
        return true;
      },
      [done] { done(false, {}); });
}

}  // namespace gemel

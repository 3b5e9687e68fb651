#include "backend/paxos/paxos_readmission.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/paxos/paxos_operation.h"

namespace gemel {

namespace {

// Held by what it waits for.
class Readmission : public std::enable_shared_from_this<Readmission> {
 public:
  Readmission(std::shared_ptr<PaxosView> view, std::function<void()> end)
      : view_(std::move(view)), end_(std::move(end)) {}

  void Start() {
    config_ = view_->config();
    if (config_->joint()) {
      Copy();
    } else if (view_->stranger() != nullptr) {
      Offer(view_->stranger()->first, view_->stranger()->second);
    } else {
      end_();
    }
  }

 private:
  void Offer(const std::string& node, const PaxosAnswer& seen) {
    PaxosAsk ask{PaxosAsk::Kind::kOffer};
    ask.epoch = config_->epoch;
    ask.name = seen.nonce;
    ask.text = view_->NewNonce();
    view_->AskNode(node, ask, [self = shared_from_this(), node](const PaxosAnswer& answer) {
      self->OnOffer(node, answer);
    });
  }

  void OnOffer(const std::string& node, const PaxosAnswer& answer) {
    view_->ForgetStranger(node);
    PaxosConfig joint = *config_;
    ++joint.epoch;
    joint.next = joint.now;
    bool found = false;
    for (PaxosMember& member : joint.next) {
      if (member.node != node) continue;
      found = member.nonce != answer.offer;
      member.nonce = answer.offer;
    }
    if (answer.kind != PaxosAnswer::Kind::kAbout || answer.offer.empty() || !found) {
      end_();
      return;
    }
    Agree(joint, [self = shared_from_this()] {
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

  void CopyNext() {
    if (names_.empty()) {
      PaxosConfig next{config_->epoch + 1, config_->next, {}};
      Agree(next, [self = shared_from_this()] { self->end_(); });
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
  std::vector<std::string> names_;  // to be copied yet
};

}  // namespace

void ReadmitPaxosNode(const std::shared_ptr<PaxosView>& view, std::function<void()> end) {
  std::make_shared<Readmission>(view, std::move(end))->Start();
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

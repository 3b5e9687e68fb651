#include "backend/paxos/paxos_view.h"

#include <algorithm>
#include <utility>

#include "backend/paxos/paxos_founding.h"

namespace gemel {

namespace {

using AnswerKind = PaxosAnswer::Kind;

constexpr int kRemedies = 3;  // for one question
// From when an acceptor was left out until its data is being overwritten, at most.
constexpr uint64_t kOverwriteMs = 20 * 1000;

}  // namespace

// Until it is answered.
struct PaxosView::Question {
  ConfigPtr config;
  PaxosMember member;
  PaxosAsk ask;
  PaxosPort::Done done;
  int remedies = 0;
};

PaxosView::PaxosView(PaxosPort* port, PaxosOptions options)
    : port_(port), options_(std::move(options)), random_(options_.seed), wanted_(options_.nodes) {}

void PaxosView::Want(std::vector<std::string> nodes, uint64_t plan) {
  if (plan < plan_) return;
  wanted_ = std::move(nodes);
  plan_ = plan;
}

void PaxosView::Adopt(const PaxosConfig& config) {
  if (config_ != nullptr && config_->epoch >= config.epoch) return;
  config_ = std::make_shared<const PaxosConfig>(config);
  complaint_.clear();
  config_id_ = config.Id();
  const std::vector<PaxosMember> acceptors = config.Acceptors();
  std::erase_if(strangers_, [&](const auto& stranger) {
    return std::none_of(acceptors.begin(), acceptors.end(),
                        [&](const PaxosMember& each) { return each.node == stranger.first; });
  });
  for (const PaxosMember& member : config.out) {
    if (!left_out_.insert(member.nonce).second) continue;
    After(kOverwriteMs, [this, nonce = member.nonce] { overdue_.insert(nonce); });
  }
}

bool PaxosView::NeedsChange() const {
  if (config_ == nullptr) return false;
  if (config_->joint() || !strangers_.empty()) return true;
  if (plan_ < config_->plan) return false;
  const auto has = [](const std::vector<std::string>& nodes, const std::string& node) {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
  };
  size_t there = 0;
  for (const PaxosMember& member : config_->now) there += has(wanted_, member.node);
  return there < wanted_.size() || (plan_ > config_->plan && there < config_->now.size());
}

std::string PaxosView::IdOf(const ConfigPtr& config) const {
  return config == config_ ? config_id_ : config->Id();
}

void PaxosView::WhenKnown(std::function<void(bool known)> call) {
  if (config_ != nullptr) {
    call(true);
    return;
  }
  waiting_.push_back(std::move(call));
  if (founding_) return;
  founding_ = true;
  FindOrFound(shared_from_this(), [this] {
    founding_ = false;
    std::vector<std::function<void(bool)>> waiting;
    waiting.swap(waiting_);
    for (const auto& waiter : waiting) {
      if (!ended_) waiter(config_ != nullptr);
    }
  });
}

void PaxosView::End() {
  ended_ = true;
  // They hold this view.
  const std::vector<std::function<void(bool)>> waiting = std::exchange(waiting_, {});
}

void PaxosView::AskNode(const std::string& node, const PaxosAsk& ask, PaxosPort::Done done) {
  port_->Ask(node, ask,
             [self = shared_from_this(), node, done = std::move(done)](const PaxosAnswer& answer) {
               if (self->ended_) return;
               self->Hear(node, answer);
               done(answer);
             });
}

void PaxosView::After(uint64_t ms, std::function<void()> call) {
  port_->After(ms, [self = shared_from_this(), call = std::move(call)] {
    if (!self->ended_) call();
  });
}

void PaxosView::Ask(const ConfigPtr& config, const PaxosMember& member, const PaxosAsk& ask,
                    PaxosPort::Done done) {
  auto question = std::make_shared<Question>(Question{config, member, ask, std::move(done)});
  question->ask.nonce = member.nonce;
  question->ask.epoch = config->epoch;
  question->ask.config_id = IdOf(config);
  Send(question);
}

void PaxosView::Send(const std::shared_ptr<Question>& question) {
  AskNode(question->member.node, question->ask,
          [this, question](const PaxosAnswer& answer) { OnAnswer(question, answer); });
}

void PaxosView::OnAnswer(const std::shared_ptr<Question>& question, const PaxosAnswer& answer) {
  PaxosAsk remedy;
  if (question->remedies < kRemedies && Remedy(*question, answer, &remedy)) {
    ++question->remedies;
    AskNode(question->member.node, remedy, [this, question](const PaxosAnswer& remedied) {
      if (remedied.kind == AnswerKind::kSilent) {
        question->done(remedied);
      } else {
        Send(question);
      }
    });
    return;
  }
  const PaxosConfig& config = *question->config;
  if (answer.kind == AnswerKind::kOther || answer.kind == AnswerKind::kStranger) {
    PaxosConfig later;
    if (answer.epoch > config.epoch && PaxosConfig::Decode(answer.config, &later)) Adopt(later);
  }
  const bool lost = answer.kind == AnswerKind::kStranger || answer.kind == AnswerKind::kRestarted;
  // Of an old life of the node nothing more is to be expected.
  if (lost && question->config == config_ && (!config.joint() || config.IsNext(question->member))) {
    strangers_[question->member.node] = answer;
  }
  question->done(answer);
}

bool PaxosView::Remedy(const Question& question, const PaxosAnswer& answer,
                       PaxosAsk* remedy) const {
  const std::string& nonce = question.ask.nonce;
  remedy->nonce = nonce;
  remedy->epoch = question.ask.epoch;
  remedy->config_id = question.ask.config_id;
  const bool offers = answer.kind == AnswerKind::kStranger && answer.nonce.empty() &&
                      answer.offer == nonce && !nonce.empty();
  if ((offers && answer.run == answer.me) || answer.kind == AnswerKind::kBehind) {
    remedy->kind = PaxosAsk::Kind::kInstall;
    remedy->text = question.config->Encode();
    return true;
  }
  const bool restarted =
      offers ? !IsVoid(question.member.node, answer)
             : answer.kind == AnswerKind::kRestarted && port_->Keeps(question.member.node);
  if (restarted) {
    remedy->kind = PaxosAsk::Kind::kResume;
    remedy->name = answer.run;
    return true;
  }
  return false;
}

bool PaxosView::IsVoid(const std::string& node, const PaxosAnswer& seen) const {
  return !seen.offer.empty() && seen.run != seen.me && (seen.run.empty() || !port_->Keeps(node));
}

void PaxosView::AskAll(const ConfigPtr& config, const PaxosAsk& ask, Each each,
                       std::function<void()> end) {
  struct State {
    Each each;
    std::function<void()> end;
    size_t left = 0;
    bool enough = false;
  };
  const std::vector<PaxosMember> acceptors = config->Acceptors();
  auto state = std::make_shared<State>(State{std::move(each), std::move(end), acceptors.size()});
  for (size_t i = 0; i < acceptors.size(); ++i) {
    Ask(config, acceptors[i], ask, [state, i](const PaxosAnswer& answer) {
      --state->left;
      if (state->enough) return;
      state->enough = state->each(i, answer);
      if (!state->enough && state->left == 0) {
        state->enough = true;
        state->end();
      }
    });
  }
}

void PaxosView::Hear(const std::string& node, const PaxosAnswer& answer) {
  if (answer.kind == AnswerKind::kSilent) {
    silent_[node] = answer.why;
  } else {
    silent_.erase(node);
  }
  if (answer.kind == AnswerKind::kOk || answer.kind == AnswerKind::kConflict)
    strangers_.erase(node);
  if (answer.kind == AnswerKind::kConflict) Saw(answer.promised);
}

std::string PaxosView::Trouble() const {
  std::string text = complaint_;
  const auto add = [&text](const std::string& node, const std::string& what) {
    text += (text.empty() ? "" : "; ") + node + ": " + what;
  };
  for (const auto& [node, why] : silent_) add(node, why);
  for (const auto& [node, answer] : strangers_) {
    if (!silent_.contains(node)) add(node, "it has lost its registers");
  }
  return text.empty() ? "too few nodes answered in time, or too many asked at once" : text;
}

}  // namespace gemel

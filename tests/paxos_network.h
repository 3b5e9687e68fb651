// Acceptors, proposers and what lies between them, in a time of their own: a seeded simulator.

#ifndef GEMEL_TESTS_PAXOS_NETWORK_H_
#define GEMEL_TESTS_PAXOS_NETWORK_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/paxos/paxos_config.h"
#include "backend/paxos/paxos_operation.h"
#include "backend/paxos/paxos_value.h"
#include "tests/paxos_acceptor.h"

namespace gemel {

struct PaxosNetworkFaults {
  // Of 1000 messages.
  uint32_t lost = 0;
  uint32_t doubled = 0;
  uint32_t late = 0;  // by up to late_ms
  uint64_t late_ms = 600;
};

class PaxosNetwork {
 public:
  static constexpr uint64_t kAskLimitMs = 100;

  PaxosNetwork(uint64_t seed, size_t nodes, PaxosMutant mutant)
      : random_(seed), mutant_(mutant), nodes_(nodes) {
    for (Node& node : nodes_) {
      node.acceptor.mutant = mutant;
      node.acceptor.run = "first of " + std::to_string(&node - nodes_.data());
    }
  }
  PaxosNetwork(const PaxosNetwork&) = delete;
  PaxosNetwork& operator=(const PaxosNetwork&) = delete;

  uint64_t now_ms() const { return now_ms_; }
  uint64_t Draw(uint64_t below) { return random_() % below; }
  bool Chance(uint32_t of_1000) { return Draw(1000) < of_1000; }
  void After(uint64_t ms, std::function<void()> event) {
    events_.emplace(std::pair(now_ms_ + ms, next_++), std::move(event));
  }
  // False: nothing is left to happen, or only after that time.
  bool Step(uint64_t until_ms) {
    const auto first = events_.begin();
    if (first == events_.end() || first->first.first > until_ms) return false;
    now_ms_ = first->first.first;
    const std::function<void()> event = std::move(first->second);
    events_.erase(first);
    event();
    return true;
  }
  bool RunUntil(const std::function<bool()>& condition, uint64_t ms) {
    const uint64_t end_ms = now_ms_ + ms;
    while (!condition()) {
      if (!Step(end_ms)) return false;
    }
    return true;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (size_t i = 0; i < nodes_.size(); ++i) all.push_back("n" + std::to_string(i));
    return all;
  }
  size_t size() const { return nodes_.size(); }
  // How many values nodes were asked to accept.
  uint64_t accepts() const { return accepts_; }
  PaxosAcceptor& acceptor(size_t i) { return nodes_[i].acceptor; }
  PaxosNetworkFaults faults;
  bool keeps = true;  // the nodes keep what they answered, through a restart

  void Restart(size_t i, bool with_data) {
    nodes_[i].acceptor.run = std::to_string(++runs_);
    nodes_[i].acceptor.master.clear();
    if (!with_data) nodes_[i].acceptor.Lose();
  }
  void SetDown(size_t i, bool down) { nodes_[i].down = down; }

  // Whether each is an acceptor of the last config, which is no joint one.
  bool Whole() const {
    PaxosConfig last;
    for (const Node& node : nodes_) {
      PaxosConfig config;
      if (PaxosConfig::Decode(node.acceptor.config(), &config) && config.epoch > last.epoch) {
        last = config;
      }
    }
    if (last.epoch == 0 || last.joint()) return false;
    for (const PaxosMember& member : last.now) {
      const size_t i = std::stoul(member.node.substr(1));
      const PaxosAcceptor& acceptor = nodes_[i].acceptor;
      if (acceptor.nonce() != member.nonce || (acceptor.restarted() && !keeps) ||
          acceptor.came_home()) {
        return false;
      }
    }
    return true;
  }

  // Whether that node may lose its data: none else has, of those that are acceptors or are to be.
  // (Of a node that has offered itself nobody may know yet whether it is to be one. Once a change
  // is agreed, a majority of the new ones is needed, too: with two of four lost it never ends.)
  bool MayLose(size_t i) const {
    if (!Whole() || nodes_[i].acceptor.offers(keeps)) return false;
    uint64_t agreed = 0;  // or about to be
    uint64_t known = 0;
    for (const Node& node : nodes_) {
      PaxosConfig config;
      PaxosValue value;
      if (PaxosConfig::Decode(node.acceptor.config(), &config)) {
        known = std::max(known, config.epoch);
      }
      if (PaxosValue::Decode(node.acceptor.value(kConfigRegister), &value)) {
        agreed = std::max(agreed, value.version + 1);
      }
    }
    return agreed <= known;
  }

  // One member's way to the nodes.
  class Port : public PaxosPort {
   public:
    explicit Port(PaxosNetwork* network) : network_(network) {}

    void Ask(const std::string& node, const PaxosAsk& ask, Done done) override {
      network_->Ask(std::stoul(node.substr(1)), Reuse(ask), std::move(done), promises_);
    }
    void After(uint64_t ms, std::function<void()> call) override {
      network_->After(ms, std::move(call));
    }
    bool Keeps(const std::string&) const override { return network_->keeps; }

   private:
    // The mutant's: by register, the ballot that it goes on with, and which stand for that.
    struct Promises {
      std::map<std::string, Ballot> ballot;
      std::map<std::pair<std::string, size_t>, PaxosAnswer> answers;
      std::map<std::string, std::set<size_t>> by;
    };
    friend class PaxosNetwork;

    PaxosAsk Reuse(PaxosAsk ask) {
      if (network_->mutant_ != PaxosMutant::kReusedBallot) return ask;
      const auto held = promises_->by.find(ask.name);
      const bool enough =
          held != promises_->by.end() && held->second.size() > network_->nodes_.size() / 2;
      if (ask.kind == PaxosAsk::Kind::kPrepare && !enough) {
        Ballot& ballot = promises_->ballot[ask.name];
        if (ask.ballot > ballot) {
          ballot = ask.ballot;
          promises_->by.erase(ask.name);
        }
      } else if (enough && ask.ballot.counter > 0) {
        ask.ballot = promises_->ballot[ask.name];
      }
      return ask;
    }

    PaxosNetwork* const network_;
    std::shared_ptr<Promises> promises_ = std::make_shared<Promises>();
  };

 private:
  struct Node {
    PaxosAcceptor acceptor;
    bool down = false;  // nothing gets there or back
  };

  uint64_t Delay() {
    const uint64_t usual = 1 + Draw(8);
    return Chance(faults.late) ? usual + Draw(faults.late_ms) : usual;
  }

  void Ask(size_t i, const PaxosAsk& ask, PaxosPort::Done done,
           const std::shared_ptr<Port::Promises>& promises) {
    auto open = std::make_shared<bool>(true);
    auto shared =
        std::make_shared<const std::pair<PaxosAsk, PaxosPort::Done>>(ask, std::move(done));
    After(kAskLimitMs, [open, shared] {
      if (!std::exchange(*open, false)) return;
      PaxosAnswer silent;
      silent.why = "no answer in time";
      shared->second(silent);
    });
    const auto deliver = [this, i, open, shared, promises] {
      if (nodes_[i].down) return;
      auto answer = std::make_shared<const PaxosAnswer>(Answer(i, shared->first, promises.get()));
      if (Chance(faults.lost)) return;
      After(Delay(), [open, shared, answer] {
        if (std::exchange(*open, false)) shared->second(*answer);
      });
    };
    if (!Chance(faults.lost)) After(Delay(), deliver);
    if (Chance(faults.doubled)) After(Delay(), deliver);
  }

  PaxosAnswer Answer(size_t i, const PaxosAsk& ask, Port::Promises* promises) {
    accepts_ += ask.kind == PaxosAsk::Kind::kAccept;
    if (mutant_ != PaxosMutant::kReusedBallot || ask.kind != PaxosAsk::Kind::kPrepare) {
      return nodes_[i].acceptor.Handle(ask);
    }
    const auto known = promises->answers.find({ask.name, i});
    const bool same = promises->ballot[ask.name] == ask.ballot;
    if (same && promises->by[ask.name].contains(i)) return known->second;
    const PaxosAnswer answer = nodes_[i].acceptor.Handle(ask);
    if (same && answer.kind == PaxosAnswer::Kind::kOk) {
      promises->by[ask.name].insert(i);
      promises->answers[{ask.name, i}] = answer;
    }
    return answer;
  }

  std::mt19937_64 random_;
  const PaxosMutant mutant_;
  std::vector<Node> nodes_;
  std::map<std::pair<uint64_t, uint64_t>, std::function<void()>> events_;
  uint64_t now_ms_ = 0;
  uint64_t next_ = 0;
  uint64_t runs_ = 1;
  uint64_t accepts_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_PAXOS_NETWORK_H_

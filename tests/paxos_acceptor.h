// The acceptor's rules once more, in C++: what the script on the nodes is compared with, and what
// the simulator runs. It can be told to break them, for tests of the tests.

#ifndef GEMEL_TESTS_PAXOS_ACCEPTOR_H_
#define GEMEL_TESTS_PAXOS_ACCEPTOR_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "backend/paxos/paxos_messages.h"

namespace gemel {

enum class PaxosMutant : uint8_t {
  kNone,
  kPromiseNotStored,
  kAcceptBelowPromise,
  kSilentAmnesia,  // the registers are lost, but the nonce is not
  kReusedBallot,   // a proposer whose attempt failed goes on with its promises and another value
  kNothingCopied,  // a node is readmitted without its registers
  kComesHome,      // an old copy of a node's own data passes for what it has
};

class PaxosAcceptor {
 public:
  struct Register {
    Ballot promised;
    Ballot accepted;
    std::string value;
  };

  PaxosMutant mutant = PaxosMutant::kNone;
  std::string run = "1";  // of the process
  std::string master;     // whose replica it was last; empty: nobody's

  PaxosAnswer Handle(const PaxosAsk& ask) {
    using Kind = PaxosAsk::Kind;
    if (ask.kind == Kind::kHello) return About(PaxosAnswer::Kind::kAbout);
    if (ask.kind == Kind::kOffer) {
      if (nonce_ == ask.name && (offer_.empty() || offer_ == ask.nonce) && epoch_ <= ask.epoch) {
        std::string voided = voided_;
        if (!nonce_.empty() && own() && epoch_ == 0) voided += nonce_ + ' ';
        Forget();
        voided_ = std::move(voided);
        offer_ = ask.text;
        joined_in_ = run;
        joined_after_ = master;
      }
      return About(PaxosAnswer::Kind::kAbout);
    }
    if (ask.kind == Kind::kInstall && nonce_.empty() && !offer_.empty() && offer_ == ask.nonce &&
        own()) {
      std::string voided = std::move(voided_);
      Forget();
      voided_ = std::move(voided);
      nonce_ = ask.nonce;
      joined_in_ = run;
      joined_after_ = master;
      return Install(ask);
    }
    const std::string& is = nonce_.empty() ? offer_ : nonce_;
    if (is.empty() || is != ask.nonce) return About(PaxosAnswer::Kind::kStranger);
    if (came_home()) return About(PaxosAnswer::Kind::kStranger);
    if (ask.kind == Kind::kResume) {
      if (joined_in_ == ask.name) {
        joined_in_ = run;
        joined_after_ = master;
      }
      return {PaxosAnswer::Kind::kOk};
    }
    if (nonce_.empty()) return About(PaxosAnswer::Kind::kStranger);
    if (joined_in_ != run) return About(PaxosAnswer::Kind::kRestarted);
    if (epoch_ > ask.epoch || (epoch_ == ask.epoch && id_ != ask.config_id)) {
      return About(PaxosAnswer::Kind::kOther);
    }
    if (ask.kind == Kind::kInstall) return Install(ask);
    if (epoch_ < ask.epoch) return About(PaxosAnswer::Kind::kBehind);
    return ask.kind == Kind::kNames ? Names(ask.name) : OfRegister(ask);
  }

  // Its data is gone.
  void Lose() {
    if (mutant == PaxosMutant::kSilentAmnesia) {
      registers_.clear();
      joined_in_ = run;
    } else {
      Forget();
    }
  }
  // It has a copy of another node's data, as by REPLICAOF.
  void CopyOf(const PaxosAcceptor& other) {
    const std::string own = run;
    const std::string was = master;
    *this = other;
    run = own;
    master = was + "+";
  }

  const std::string& nonce() const { return nonce_; }
  const std::string& config() const { return config_; }
  // It may become an acceptor by what it offers.
  bool offers(bool keeps) const {
    return nonce_.empty() && !offer_.empty() && !came_home() && (keeps || own());
  }
  // What it accepted last.
  std::string value(const std::string& name) const {
    const auto found = registers_.find(name);
    return found == registers_.end() ? std::string() : found->second.value;
  }
  bool restarted() const { return joined_in_ != run; }
  // What it has was a copy that another node had of it.
  bool came_home() const {
    return mutant != PaxosMutant::kComesHome && !master.empty() &&
           (joined_in_ != run || joined_after_ != master);
  }

  PaxosAcceptor() = default;

 private:
  PaxosAcceptor(PaxosMutant the_mutant, std::string the_run, std::string the_master)
      : mutant(the_mutant), run(std::move(the_run)), master(std::move(the_master)) {}

  // What it has is of this process, which was nobody's replica since.
  bool own() const {
    return joined_in_ == run &&
           (mutant == PaxosMutant::kComesHome || master.empty() || joined_after_ == master);
  }
  void Forget() { *this = PaxosAcceptor(mutant, run, master); }

  PaxosAnswer About(PaxosAnswer::Kind kind) const {
    PaxosAnswer answer{kind};
    answer.nonce = nonce_;
    answer.epoch = epoch_;
    answer.offer = offer_;
    answer.config = config_;
    if (!came_home()) answer.run = joined_in_;
    answer.me = run;
    answer.voided = voided_;
    return answer;
  }

  PaxosAnswer Install(const PaxosAsk& ask) {
    epoch_ = ask.epoch;
    id_ = ask.config_id;
    config_ = ask.text;
    return {PaxosAnswer::Kind::kOk};
  }

  PaxosAnswer Names(const std::string& prefix) const {
    PaxosAnswer answer{PaxosAnswer::Kind::kOk};
    if (mutant == PaxosMutant::kNothingCopied && prefix.empty()) return answer;
    for (const auto& [name, its] : registers_) {
      if (its.accepted.counter > 0 && name.starts_with(prefix)) answer.names.push_back(name);
    }
    return answer;
  }

  PaxosAnswer OfRegister(const PaxosAsk& ask) {
    Register its;
    if (const auto found = registers_.find(ask.name); found != registers_.end()) {
      its = found->second;
    }
    PaxosAnswer conflict{PaxosAnswer::Kind::kConflict};
    conflict.promised = std::max(its.promised, its.accepted);
    if (ask.kind == PaxosAsk::Kind::kAccept) {
      const bool low = ask.ballot < its.promised || ask.ballot <= its.accepted;
      if (low && mutant != PaxosMutant::kAcceptBelowPromise) return conflict;
      registers_[ask.name] = {ask.ballot, ask.ballot, ask.text};
      return {PaxosAnswer::Kind::kOk};
    }
    if (ask.kind == PaxosAsk::Kind::kPrepare) {
      if (ask.ballot <= its.promised || ask.ballot <= its.accepted) return conflict;
      its.promised = ask.ballot;
      if (mutant != PaxosMutant::kPromiseNotStored) registers_[ask.name] = its;
    }
    PaxosAnswer answer{PaxosAnswer::Kind::kOk};
    answer.promised = its.promised;
    answer.accepted = its.accepted;
    answer.value = its.value;
    return answer;
  }

  std::string nonce_;
  std::string offer_;
  std::string voided_;
  std::string id_;
  std::string config_;
  std::string joined_in_;     // the run
  std::string joined_after_;  // the master
  uint64_t epoch_ = 0;
  std::map<std::string, Register> registers_;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_PAXOS_ACCEPTOR_H_

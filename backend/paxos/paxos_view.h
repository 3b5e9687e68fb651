// What one process knows of the acceptors, and how it talks with them.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_VIEW_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_VIEW_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "backend/paxos/paxos_config.h"
#include "backend/paxos/paxos_messages.h"

namespace gemel {

struct PaxosOptions {
  std::vector<std::string> nodes;  // the acceptors' addresses, three or more
  uint64_t proposer = 0;           // random, of this view alone
  uint64_t seed = 1;               // of the pauses after a conflict, and of nonces
  uint32_t time_limit_ms = 1000;   // of a question
};

// Held by all that is under way (shared_ptr). One thread. The port outlives it, or at least calls
// nobody once it is gone.
class PaxosView : public std::enable_shared_from_this<PaxosView> {
 public:
  using ConfigPtr = std::shared_ptr<const PaxosConfig>;

  PaxosView(PaxosPort* port, PaxosOptions options);

  const PaxosOptions& options() const { return options_; }
  // The nodes that are to be the acceptors, by the fleet's plan of that version (0: by none). Those
  // of an older version say nothing.
  void Want(std::vector<std::string> nodes, uint64_t plan);
  const std::vector<std::string>& wanted() const { return wanted_; }
  uint64_t plan() const { return plan_; }
  // Null: not known yet. Later ones have a higher epoch.
  const ConfigPtr& config() const { return config_; }
  // Takes over what is later than what is known (or as late: of an acceptor that nobody follows).
  void Adopt(const PaxosConfig& config);

  // Calls with whether the config is known: founds the fleet's registers if no node has any. At
  // most once a call, now if it is known, else later.
  void WhenKnown(std::function<void(bool known)> call);

  // A ballot that was never used and is above all that were seen.
  Ballot NextBallot() { return {++counter_, options_.proposer}; }
  void Saw(const Ballot& ballot) { counter_ = std::max(counter_, ballot.counter); }
  uint64_t NextWrite() { return ++writes_; }
  uint64_t Random(uint64_t below) { return random_() % below; }
  std::string NewNonce() { return PaddedNumber(random_()) + PaddedNumber(random_()); }

  // Asks an acceptor of this config. One that does not know the config is told it first; what was
  // restarted and lost nothing is taken back. `done` is called once, later.
  void Ask(const ConfigPtr& config, const PaxosMember& member, const PaxosAsk& ask,
           PaxosPort::Done done);
  // Asks all acceptors of a config the same. `each` gets the answers with the acceptor's place, and
  // tells whether that is enough: then it gets no more, and `end` is not called; else that is,
  // after the last.
  using Each = std::function<bool(size_t place, const PaxosAnswer& answer)>;
  void AskAll(const ConfigPtr& config, const PaxosAsk& ask, Each each, std::function<void()> end);
  // A node, whatever it is.
  void AskNode(const std::string& node, const PaxosAsk& ask, PaxosPort::Done done);
  bool Keeps(const std::string& node) const { return port_->Keeps(node); }
  // Whether what a node offers is not its own, or of an earlier process and not kept: it will not
  // become an acceptor by that.
  bool IsVoid(const std::string& node, const PaxosAnswer& seen) const;
  void After(uint64_t ms, std::function<void()> call);

  // Nobody is called any more.
  void End();

  // A node that is no more the acceptor that it was when last it was asked; null: none.
  const std::pair<const std::string, PaxosAnswer>* stranger() const {
    return strangers_.empty() ? nullptr : &*strangers_.begin();
  }
  void ForgetStranger(const std::string& node) { strangers_.erase(node); }
  const std::map<std::string, PaxosAnswer>& strangers() const { return strangers_; }
  // Whether the acceptors are others than they should be, as far as is known.
  bool NeedsChange() const;
  // Whether one that was left out (PaxosConfig::out) has been so for so long that its data will not
  // be overwritten any more.
  bool IsOverdue(const PaxosMember& member) const { return overdue_.contains(member.nonce); }
  // What stands in the way of the first config, a sentence without a full stop; empty: nothing.
  void Complain(const std::string& what) { complaint_ = what; }
  // Why nodes did not answer last, and which have lost their registers: a sentence.
  std::string Trouble() const;

 private:
  struct Question;
  void Send(const std::shared_ptr<Question>& question);
  void OnAnswer(const std::shared_ptr<Question>& question, const PaxosAnswer& answer);
  std::string IdOf(const ConfigPtr& config) const;
  // What the acceptor needs before it can answer; false: nothing helps.
  bool Remedy(const Question& question, const PaxosAnswer& answer, PaxosAsk* remedy) const;
  void Hear(const std::string& node, const PaxosAnswer& answer);

  PaxosPort* const port_;
  const PaxosOptions options_;
  std::mt19937_64 random_;
  ConfigPtr config_;
  std::string config_id_;  // of config_
  uint64_t counter_ = 0;
  uint64_t writes_ = 0;
  bool ended_ = false;
  bool founding_ = false;
  std::vector<std::function<void(bool)>> waiting_;  // for the config
  std::map<std::string, std::string> silent_;       // by node: why
  std::map<std::string, PaxosAnswer> strangers_;
  std::vector<std::string> wanted_;
  uint64_t plan_ = 0;
  std::set<std::string> left_out_;  // the nonces of those that were seen to be
  std::set<std::string> overdue_;
  std::string complaint_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_VIEW_H_

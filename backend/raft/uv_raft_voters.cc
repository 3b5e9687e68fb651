#include "backend/raft/uv_raft_voters.h"

#include <algorithm>
#include <utility>

namespace gemel {

namespace {

constexpr size_t kChangeErrorBytes = 256;

void RefuseIn(RaftAnswer* answer, const std::string& why) {
  answer->kind = RaftAnswer::Kind::kRefused;
  answer->values.push_back({"why", {why, 0}});
}

}  // namespace

std::vector<std::string> UvRaftVoters::Voters(bool agreed) const {
  std::vector<std::string> voters;
  for (size_t i = 0; i < RaftCoreServers(core_, agreed); ++i) {
    bool votes = false;
    const char* address = RaftCoreServer(core_, agreed, i, &votes);
    if (votes) voters.emplace_back(address);
  }
  return voters;
}

bool UvRaftVoters::IsServer(const std::string& address) const {
  for (size_t i = 0; i < RaftCoreServers(core_, false); ++i) {
    bool votes = false;
    if (address == RaftCoreServer(core_, false, i, &votes)) return true;
  }
  return false;
}

bool UvRaftVoters::IsVoter(const std::string& address) const {
  const std::vector<std::string> voters = Voters(false);
  return std::find(voters.begin(), voters.end(), address) != voters.end();
}

std::string UvRaftVoters::WhyNot(bool add, const std::string& voter) const {
  const size_t voters = Voters(false).size();
  if (add && voters >= kMost) {
    return "there are " + std::to_string(voters) +
           " voters already, and with more each write waits longer: remove one first";
  }
  if (!add && IsVoter(voter) && voters <= kFewest) {
    return "of " + std::to_string(voters) +
           " voters none is removed, for of two none may fail: add another one first";
  }
  return {};
}

RaftAnswer UvRaftVoters::Ask(const RaftAsk& ask, uint64_t now_ms) {
  const bool add = ask.kind == RaftAsk::Kind::kAddVoter;
  RaftAnswer answer;
  answer.kind = RaftAnswer::Kind::kUnknown;
  answer.id = ask.id;
  if (change_) {
    if (change_->Is(ask)) return answer;
    RefuseIn(&answer, "the voters are being changed already: " + change_->voter +
                          (change_->add ? " is added" : " is removed"));
    return answer;
  }
  const std::optional<Change> refused = std::exchange(refused_, std::nullopt);
  if (refused && refused->Is(ask)) {
    RefuseIn(&answer, refused->why);
  } else if (add ? IsVoter(ask.name) : !IsServer(ask.name)) {
    answer.kind = RaftAnswer::Kind::kDone;
  } else if (const std::string why = WhyNot(add, ask.name); !why.empty()) {
    RefuseIn(&answer, why);
  } else {
    Begin(ask, now_ms);
  }
  return answer;
}

void UvRaftVoters::Begin(const RaftAsk& ask, uint64_t now_ms) {
  const bool add = ask.kind == RaftAsk::Kind::kAddVoter;
  // It is for whoever leads then: one that removes itself would lead those that it is none of.
  if (!add && ask.name == own_) return RaftCoreHandOver(core_);
  if (!RaftCoreBarrier(core_, kTicket)) return;
  change_ = Change{add, ask.name, Step::kShows, RaftCoreLastIndex(core_), now_ms + kShowMs, ""};
}

void UvRaftVoters::Tick(uint64_t now_ms) {
  if (!change_ || change_->step != Step::kShows) return;
  if (RaftCoreLeads(core_)) return Shows(now_ms);
  change_.reset();
}

void UvRaftVoters::Shows(uint64_t now_ms) {
  size_t up = change_->add ? 1 : 0;
  size_t all = up;
  for (const std::string& voter : Voters(false)) {
    if (voter == change_->voter) continue;
    ++all;
    up += RaftCoreHas(core_, voter.c_str(), change_->index) ? 1 : 0;
  }
  if (up > all / 2) {
    if (!change_->add) return Do(Step::kRemoves, kRaftCoreRemove);
    if (IsServer(change_->voter)) return Do(Step::kPromotes, kRaftCorePromote);
    return Do(Step::kAdds, kRaftCoreAdd);
  }
  if (now_ms < change_->until_ms) return;
  Refuse("of the " + std::to_string(all) + " voters that there would be only " +
         std::to_string(up) + " are up, which is no majority: nothing was changed");
}

void UvRaftVoters::Do(Step step, RaftCoreChangeKind kind) {
  change_->step = step;
  std::string why(kChangeErrorBytes, '\0');
  if (RaftCoreChange(core_, kind, change_->voter.c_str(), why.data(), why.size())) return;
  if (step != Step::kTakesBack) {
    change_->why = std::string("raft does not take the change now: ") + why.c_str();
  }
  Refuse(std::string(change_->why));
}

void UvRaftVoters::Refuse(const std::string& why) {
  refused_ = std::exchange(change_, std::nullopt);
  refused_->why = why;
}

void UvRaftVoters::OnChanged(RaftCoreOutcome outcome, const std::string& why) {
  if (!change_) return;
  const Step step = change_->step;
  if (step == Step::kTakesBack) return Refuse(std::string(change_->why));
  if (outcome == kRaftCoreDone) {
    if (step == Step::kAdds) return Do(Step::kPromotes, kRaftCorePromote);
    change_.reset();
  } else if (!RaftCoreLeads(core_)) {
    change_.reset();  // the next leader looks what became of it
  } else if (step == Step::kPromotes) {
    change_->why = change_->voter + " did not catch up with the log of the others (" + why +
                   "): it has to run, as a member whose raft_listen that is, and to be reached";
    Do(Step::kTakesBack, kRaftCoreRemove);
  } else {
    Refuse("raft did not do it: " + why);
  }
}

}  // namespace gemel

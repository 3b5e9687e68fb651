#include "backend/raft/raft_standings.h"

#include <algorithm>

namespace gemel {

void RaftStandings::OnAnswer(size_t voter, const RaftAnswer& answer, uint64_t now_ms) {
  Voter& is = voters_[voter];
  is.last = answer;
  is.heard_ms = now_ms;
  is.heard = true;
}

EngineStatus RaftStandings::Status(uint64_t now_ms) const {
  EngineStatus status;
  uint64_t committed = 0;
  uint64_t term = 0;
  for (const Voter& voter : voters_) {
    if (!Reached(voter, now_ms)) continue;
    const RaftAnswer::Standing& standing = voter.last.standing;
    committed = std::max(committed, standing.committed);
    if (voter.last.leader != voter.address || standing.term < term) continue;
    term = standing.term;
    status.leader = voter.address;
  }
  for (const Voter& voter : voters_) {
    if (!voter.votes) continue;
    EngineStatus::Server& server = status.servers.emplace_back();
    server.name = voter.address;
    server.contact = EngineStatus::Contact::kNot;
    if (!Reached(voter, now_ms)) continue;
    server.contact = EngineStatus::Contact::kReached;
    const uint64_t applied = voter.last.standing.applied;
    server.lag = committed - std::min(committed, applied);
  }
  return status;
}

}  // namespace gemel

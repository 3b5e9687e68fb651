// What the voters said last of themselves, for people.

#ifndef GEMEL_BACKEND_RAFT_RAFT_STANDINGS_H_
#define GEMEL_BACKEND_RAFT_RAFT_STANDINGS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/raft/raft_messages.h"

namespace gemel {

// Logic only, one thread.
class RaftStandings {
 public:
  // Between two times that each voter is asked.
  static constexpr uint64_t kPaceMs = 500;
  // Who said nothing for so long is not reached.
  static constexpr uint64_t kHeardMs = 2000;

  explicit RaftStandings(std::vector<std::string> voters) {
    for (std::string& voter : voters) voters_.push_back({std::move(voter)});
  }

  // `answer` is a kStanding.
  void OnAnswer(size_t voter, const RaftAnswer& answer, uint64_t now_ms);
  // Of the number behind the last.
  void Add(const std::string& voter) { voters_.push_back({voter}); }
  // It is shown or not.
  void SetVotes(size_t voter, bool votes) { voters_[voter].votes = votes; }
  // The connection to it is lost.
  void OnLost(size_t voter) { voters_[voter].heard = false; }

  // Without `answer_ms`. Who leads is who says so itself, of several the one of the latest term:
  // what others believe may be of the past.
  EngineStatus Status(uint64_t now_ms) const;

 private:
  struct Voter {
    std::string address;
    RaftAnswer last = {};
    uint64_t heard_ms = 0;
    bool heard = false;
    bool votes = true;
  };

  static bool Reached(const Voter& voter, uint64_t now_ms) {
    return voter.votes && voter.heard && now_ms < voter.heard_ms + kHeardMs;
  }

  std::vector<Voter> voters_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_RAFT_STANDINGS_H_

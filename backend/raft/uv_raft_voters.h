// Who votes is changed while the voters serve, one at a time and by whoever leads, so that at each
// moment some majority that is up decides.

#ifndef GEMEL_BACKEND_RAFT_UV_RAFT_VOTERS_H_
#define GEMEL_BACKEND_RAFT_UV_RAFT_VOTERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/raft/raft_messages.h"
#include "backend/raft/uv_raft_core.h"

namespace gemel {

// Of one voter's process; acts as long as that one leads. The thread of `core`.
class UvRaftVoters {
 public:
  static constexpr size_t kFewest = 3;
  static constexpr size_t kMost = 7;
  // So long the voters have to show that they are up.
  static constexpr uint64_t kShowMs = 2000;
  // Of the entry that shows it.
  static constexpr uint64_t kTicket = ~uint64_t{0};

  // `own`: this voter's address. `core` outlives it.
  UvRaftVoters(RaftCore* core, std::string own) : core_(core), own_(std::move(own)) {}

  // Of a kAddVoter or a kRemoveVoter, while this one leads. Begins what is asked, or tells what has
  // become of it: kDone, kRefused, or kUnknown, and then it is to be asked again.
  RaftAnswer Ask(const RaftAsk& ask, uint64_t now_ms);
  // As RaftCoreCalls has it.
  void OnChanged(RaftCoreOutcome outcome, const std::string& why);
  // Every now and then.
  void Tick(uint64_t now_ms);

  // Those of the last list that is agreed.
  std::vector<std::string> Agreed() const { return Voters(true); }

 private:
  enum class Step : uint8_t { kShows, kAdds, kPromotes, kRemoves, kTakesBack };
  struct Change {
    bool add = false;
    std::string voter;
    Step step = Step::kShows;
    uint64_t index = 0;  // the entry that shows who is up
    uint64_t until_ms = 0;
    std::string why;  // it is taken back, or was refused

    bool Is(const RaftAsk& ask) const {
      return voter == ask.name && add == (ask.kind == RaftAsk::Kind::kAddVoter);
    }
  };

  std::vector<std::string> Voters(bool agreed) const;
  bool IsServer(const std::string& address) const;
  bool IsVoter(const std::string& address) const;
  // Why it must not be done, whoever is up; empty: nothing.
  std::string WhyNot(bool add, const std::string& voter) const;
  void Begin(const RaftAsk& ask, uint64_t now_ms);
  // Goes on once most of those that would vote then have shown that they are up.
  void Shows(uint64_t now_ms);
  void Do(Step step, RaftCoreChangeKind kind);
  void Refuse(const std::string& why);

  RaftCore* const core_;
  const std::string own_;
  std::optional<Change> change_;
  std::optional<Change> refused_;  // until it is asked what became of it
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_VOTERS_H_

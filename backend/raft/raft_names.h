// How raft's connections name who is at their ends, in the handshake of members. What a connection
// is for is part of the name of who dials, so that nobody has to say it once more.

#ifndef GEMEL_BACKEND_RAFT_RAFT_NAMES_H_
#define GEMEL_BACKEND_RAFT_RAFT_NAMES_H_

#include <optional>
#include <string>

namespace gemel {

// Not the fleet's name alone: what is proved here is of no use on another port.
inline std::string RaftFleet(const std::string& fleet) { return "raft:" + fleet; }

// A voter that carries the log to another one.
inline constexpr char kRaftVoterPrefix[] = "voter:";
// A member that asks.
inline constexpr char kRaftGuestPrefix[] = "guest:";

inline std::string RaftVoterName(const std::string& address) { return kRaftVoterPrefix + address; }
inline std::string RaftGuestName(const std::string& member) { return kRaftGuestPrefix + member; }
// The address of a voter of that name.
inline std::optional<std::string> RaftVoterOf(const std::string& name) {
  if (!name.starts_with(kRaftVoterPrefix)) return std::nullopt;
  return name.substr(sizeof(kRaftVoterPrefix) - 1);
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_RAFT_NAMES_H_

// What is said between a member and the voters: a command of the log, a question, an answer. All
// bytes are little-endian, as peer_wire.h has them.

#ifndef GEMEL_BACKEND_RAFT_RAFT_MESSAGES_H_
#define GEMEL_BACKEND_RAFT_RAFT_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fleet/registers.h"

namespace gemel {

// A write as it lies in the log. `client` and `seq` are its own for ever: what is sent twice is
// done once.
struct RaftCommand {
  uint64_t client = 0;
  uint64_t seq = 0;
  uint64_t floor = 0;  // nobody waits for that client's lower ones any more
  std::string name;
  uint64_t expected = 0;
  std::string text;

  bool operator==(const RaftCommand&) const = default;
  // A multiple of eight bytes, as the log wants it.
  std::string Encode() const;
  static std::optional<RaftCommand> Decode(std::string_view bytes);
};

// What a client says to a voter.
struct RaftAsk {
  enum class Kind : uint8_t {
    kRead = 1,
    kList,
    kWrite,
    kStanding,     // what that voter itself knows now; asked of each, whoever leads
    kAddVoter,     // `name` is its address
    kRemoveVoter,  // likewise
  };

  Kind kind = Kind::kRead;
  uint64_t id = 0;      // of the question; of a write also its seq
  std::string name;     // of a list: the prefix; of a voter: its address
  RaftCommand command;  // kWrite
  uint64_t since = 0;   // of a list: only what has a higher version

  bool operator==(const RaftAsk&) const = default;
  std::string Encode() const;
  static std::optional<RaftAsk> Decode(std::string_view bytes);
};

// What a voter says to a client.
struct RaftAnswer {
  enum class Kind : uint8_t {
    kDone = 1,
    kConflict,
    kUnknown,    // it may be done, or not: to be asked again of whoever leads now
    kElsewhere,  // nothing was done, for this voter does not lead; `leader` does, if it is known
    kChanged,    // no answer: some register may have changed
    kStanding,
    kRefused,  // it was not done, and will not be: the one of `values` says why, in its text
  };
  // Of kStanding: how far that voter is.
  struct Standing {
    uint64_t term = 0;       // later ones are higher
    uint64_t committed = 0;  // the last entry of the log that it knows to be agreed
    uint64_t applied = 0;    // that its registers have

    bool operator==(const Standing&) const = default;
  };

  Kind kind = Kind::kElsewhere;
  uint64_t id = 0;
  uint64_t version = 0;  // of a write
  std::string leader;    // of kStanding, the voter itself too
  // Of kStanding, who votes, as far as is agreed, by name; `version` is where that is in the log.
  std::vector<NamedRegister> values;
  Standing standing;

  bool operator==(const RaftAnswer&) const = default;
  std::string Encode() const;
  static std::optional<RaftAnswer> Decode(std::string_view bytes);
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_RAFT_MESSAGES_H_

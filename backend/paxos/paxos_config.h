// Which acceptors there are, and how many of them are enough.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_CONFIG_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_CONFIG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// A node in one of its lives as an acceptor: a node that lost its data is another acceptor.
struct PaxosMember {
  std::string node;   // its address, as in the config file
  std::string nonce;  // random, kept with its registers, so that it is lost with them

  bool operator==(const PaxosMember&) const = default;
};

// Immutable. Epoch n + 1 is agreed on by the acceptors of epoch n, so that there is one of each.
// While the acceptors change (`next`), a majority of both is needed for everything.
struct PaxosConfig {
  uint64_t epoch = 0;
  std::vector<PaxosMember> now;
  std::vector<PaxosMember> next;  // empty: no change is under way

  bool operator==(const PaxosConfig&) const = default;

  bool joint() const { return !next.empty(); }
  bool IsNext(const PaxosMember& member) const;
  // Those of both, each once.
  std::vector<PaxosMember> Acceptors() const;
  // Whether these (of Acceptors(), by their places there) are enough.
  bool IsQuorum(const std::vector<bool>& some) const;

  std::string Encode() const;
  static bool Decode(std::string_view text, PaxosConfig* config);
  // Tells apart two configs of one epoch, which only a founding that was disturbed can leave.
  std::string Id() const;
};

// The first of all: of nodes by what each of them offered. The same for all who found it.
PaxosConfig FoundingConfig(std::vector<PaxosMember> offers);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_CONFIG_H_

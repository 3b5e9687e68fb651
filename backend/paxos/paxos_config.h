// Which acceptors there are, and how many of them are enough.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_CONFIG_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// With fewer acceptors none may fail.
inline constexpr size_t kLeastPaxosNodes = 3;

// A node in one of its lives as an acceptor: a node that lost its data is another acceptor.
struct PaxosMember {
  std::string node;   // its address, as in the config file
  std::string nonce;  // random, kept with its registers, so that it is lost with them

  bool operator==(const PaxosMember&) const = default;
};

// Immutable. Epoch n + 1 is agreed on by the acceptors of epoch n, so that there is one of each.
// While the acceptors change (`next`), a majority of both is needed for everything.
struct PaxosConfig {
  uint64_t epoch = 0;  // 0: that of 1, which does not hold before all of its acceptors follow it
  std::vector<PaxosMember> now;
  std::vector<PaxosMember> next;  // empty: no change is under way
  // The version of the fleet's plan by whose nodes it goes; 0: of none. By an older plan nobody
  // is taken in or left out any more.
  uint64_t plan = 0;
  // Nodes that were left out because their data is about to be overwritten: they are taken in again
  // once it was. In place of a nonce that which they had, and the epoch (LeftOut).
  std::vector<PaxosMember> out = {};

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

// Of a node that did not say what it has.
inline constexpr const char* kAnyNonce = "?";
// An entry of PaxosConfig::out, of a node that had that nonce when it was left out by that epoch.
PaxosMember LeftOut(const std::string& node, const std::string& nonce, uint64_t epoch);
// Whether a node that has this nonce is as it was then.
bool IsAsLeftOut(const PaxosMember& out, const std::string& nonce);

// The one before the first, of epoch 0: of nodes by what each of them offered. The same for all who
// found it. Of addresses that lead to the same server, which offers the same to all, one counts.
PaxosConfig FoundingConfig(std::vector<PaxosMember> offers);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_CONFIG_H_

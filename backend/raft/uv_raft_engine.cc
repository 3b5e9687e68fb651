#include "backend/raft/uv_raft_engine.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "backend/raft/uv_raft_registers.h"

namespace gemel {

namespace {

// As all members spell them, for a voter's number is made of its address.
std::optional<std::vector<std::string>> VotersOf(const EngineOptions& options, std::string* error) {
  std::vector<std::string> voters;
  for (const std::string& server : options.servers) {
    const std::optional<Address> address = ParseAddress(server, error);
    if (!address) return std::nullopt;
    voters.push_back(address->ToString());
  }
  const std::set<std::string> different(voters.begin(), voters.end());
  if (different.size() == voters.size() && (voters.size() == 3 || voters.size() == 5)) {
    return voters;
  }
  *error =
      "the engine \"raft\" needs 3 or 5 different servers, the addresses of its voters, and "
      "knows " +
      std::to_string(different.size());
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Registers> OpenRaftRegisters(uv_loop_t* loop, const EngineOptions& options,
                                             std::string* error) {
  const std::optional<std::vector<std::string>> voters = VotersOf(options, error);
  if (!voters) return nullptr;
  std::unique_ptr<UvRaftNode> node;
  std::string own;
  if (!options.voter.empty()) {
    const std::optional<Address> voter = ParseAddress(options.voter, error);
    if (!voter) return nullptr;
    own = voter->ToString();
    UvRaftNode::Options at;
    at.fleet = options.fleet;
    at.secret = options.secret;
    at.folder = options.folder;
    at.voter = own;
    // Another one must not found anything: it gets the log from those that vote.
    if (std::find(voters->begin(), voters->end(), own) != voters->end()) at.voters = *voters;
    at.listen =
        options.listen.empty() ? *voter : ParseAddress(options.listen, error).value_or(Address());
    at.tls = options.members_tls;
    at.on_warning = options.on_warning;
    node = UvRaftNode::Open(loop, std::move(at), error);
    if (node == nullptr) return nullptr;
    if (!node->votes() && options.on_warning) {
      options.on_warning(own +
                         " does not vote yet, for it is none of the servers that this file knows: "
                         "PROXY FLEET VOTER ADD " +
                         own + " has it vote");
    }
  }
  UvRaftRegisters::Options registers;
  registers.fleet = options.fleet;
  registers.member = options.member;
  registers.secret = options.secret;
  registers.voters = *voters;
  registers.time_limit_ms = options.time_limit_ms;
  registers.tls = options.members_tls;
  return std::make_unique<UvRaftRegisters>(loop, std::move(registers), std::move(node), own);
}

}  // namespace gemel

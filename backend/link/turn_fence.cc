#include "backend/link/turn_fence.h"

#include <algorithm>
#include <utility>

#include "backend/link/client_list.h"

namespace gemel {

namespace {

// An earlier owner that lives connects anew when it is cut, until it sees that it is over.
constexpr uint32_t kMostRounds = 20;
// No client has it: a node counts from 1.
constexpr std::string_view kNobody = "9223372036854775807";

}  // namespace

void TurnFence::Begin(std::string_view client_name) {
  rounds_ = 0;
  self_ = ParseConnectionName(client_name);
  if (self_ && self_->turn.fleet_id.empty()) self_.reset();
}

std::vector<std::string_view> TurnFence::AsksPermission() {
  return {"CLIENT", "KILL", "ID", kNobody};
}

std::string TurnFence::OnAnswer(std::string_view command, bool is_error, std::string_view text) {
  if (!is_error || text.find("No such client") != std::string_view::npos) return {};
  const std::string refusal = "the node does not carry out " + std::string(command);
  if (!text.starts_with("NOPERM") && !text.starts_with("ERR")) {
    return refusal + ": " + std::string(text);
  }
  return refusal + " (" + std::string(text) +
         "), without which an earlier owner of the shard could still write to it: allow its user "
         "+client";
}

std::vector<TurnFence::Seen> TurnFence::SeenIn(std::string_view client_list,
                                               uint32_t database) const {
  std::vector<Seen> all;
  const std::string wanted = std::to_string(database);
  ForEachClient(client_list, [&](std::string_view line) {
    std::optional<NamedConnection> named = ParseConnectionName(ClientField(line, "name"));
    if (!named || named->turn.fleet_id != self_->turn.fleet_id || named->turn.owner_epoch == 0) {
      return;
    }
    const uint64_t idle_s = ClientNumber(line, "idle");
    auto known = std::find_if(all.begin(), all.end(), [&](const Seen& seen) {
      return seen.by.proxy.id == named->proxy.id && seen.shard == named->shard &&
             seen.turn == named->turn;
    });
    if (known == all.end()) {
      all.push_back({{std::move(named->proxy), named->serves, idle_s, {}},
                     std::move(named->shard),
                     std::move(named->turn),
                     false});
      known = all.end() - 1;
    }
    known->by.idle_s = std::min(known->by.idle_s, idle_s);
    known->by.client_ids.emplace_back(ClientField(line, "id"));
    known->at_database = known->at_database || ClientField(line, "db") == wanted;
  });
  return all;
}

bool TurnFence::Ends(const Seen& seen, OtherProxies* others, std::string* why) const {
  const bool own = seen.by.proxy.id == self_->proxy.id;
  const std::string whose = "member " + seen.turn.member;
  if (seen.shard != self_->shard) {
    // Of the shards of one process its claims know.
    if (own || !seen.at_database) return false;
    if (others->IsGone(seen.by)) return true;
    *why =
        "it is the same server as a node of shard '" + seen.shard + "', which " + whose + " owns";
    return false;
  }
  const uint64_t epoch = self_->turn.owner_epoch;
  if (seen.turn.owner_epoch < epoch) return true;
  if (seen.turn.owner_epoch > epoch) {
    // Whether that one lives or not: this turn is over.
    if (!own) others->OnLaterTurn(self_->shard, seen.turn.owner_epoch);
    *why = whose + " owns shard '" + self_->shard + "' now";
    return false;
  }
  if (own) return false;
  if (others->IsGone(seen.by)) return true;
  *why = "another process is the owner of shard '" + self_->shard +
         "' in the same turn: " + Describe(seen.by.proxy);
  return false;
}

TurnFence::Verdict TurnFence::OnList(std::string_view client_list, uint32_t database,
                                     OtherProxies* others) {
  Verdict verdict;
  for (const Seen& seen : SeenIn(client_list, database)) {
    if (Ends(seen, others, &verdict.why)) {
      verdict.kills.insert(verdict.kills.end(), seen.by.client_ids.begin(),
                           seen.by.client_ids.end());
    } else if (!verdict.why.empty()) {
      return verdict;
    }
  }
  if (!verdict.kills.empty() && ++rounds_ > kMostRounds) {
    verdict.why = "connections of an earlier owner of shard '" + self_->shard +
                  "' are still there, although the node was told to end them";
  }
  return verdict;
}

}  // namespace gemel

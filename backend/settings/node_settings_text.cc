// What is said of the settings of the nodes: in the log, and in PROXY SHARDS.

#include <string>
#include <utility>
#include <vector>

#include "backend/settings/event_flags.h"
#include "backend/settings/node_settings.h"

namespace gemel {

namespace {

std::string Refused(const std::string& what, const std::string& error) {
  return "refuses " + what + " (" + error + ")";
}

constexpr char kUntilAudit[] =
    ": until then what it expires or evicts by itself stays on the other copies until the audit "
    "finds it";

}  // namespace

// Behind what was set.
std::string NodeSettings::Why(uint32_t copy, const SeenSetting& setting) const {
  if (setting.WantsOwn()) return ", its own";
  std::string text = " (its own: '" + setting.own() + "')";
  if (&setting == &seen_[copy].flags) {
    return text + ", so that it tells of keys that it expires and evicts";
  }
  if (&setting == &seen_[copy].latency) {
    return text + ", for it would take 25 kB of its memory for each different command";
  }
  if (copy != shard_.info().primary) {
    return text + ", so that it follows the primary and evicts nothing of its own";
  }
  if (plan_.least < 0) return text;
  const std::string& least = shard_.info().copies[static_cast<uint32_t>(plan_.least)].node;
  return text + ", for " + least + " may use no more, and the least limit is the shard's";
}

std::string NodeSettings::EventsProblem(const Seen& seen) const {
  if (!config_.follow || shard_.member_count() < 2) return {};
  if (!seen.flags.known()) {
    return Refused("CONFIG GET notify-keyspace-events",
                   seen.unreadable.empty() ? "it knows no such option" : seen.unreadable) +
           ", so that nobody knows whether it tells of keys that it expires and evicts: see to it "
           "that it is set to Exe there, and allow CONFIG GET (by ACL +config|get +config|set)" +
           kUntilAudit;
  }
  if (!seen.flags.MustSet() || seen.flags.refused().empty()) return {};
  return Refused("CONFIG SET notify-keyspace-events", seen.flags.refused()) + ": set it to " +
         (seen.flags.own().empty() ? "Exe" : WithRemovals(seen.flags.own())) +
         " there, or allow it (by ACL +config|set)" + kUntilAudit;
}

std::string NodeSettings::LimitProblem(uint32_t copy) const {
  const Seen& seen = seen_[copy];
  if (!config_.set_limits || shared_ || shard_.member_count() < 2) return {};
  if (!seen.limit.known()) {
    return Refused("CONFIG GET maxmemory and INFO memory", seen.unreadable) +
           ", so that it may evict by its own judgement what clients read elsewhere";
  }
  if (seen.limit.MustSet()) {
    const std::string& error = seen.unreadable.empty() ? seen.limit.refused() : seen.unreadable;
    if (error.empty()) return {};
    const bool primary = copy == shard_.info().primary;
    return Refused("CONFIG SET maxmemory", error) + ": set it to " + *seen.limit.want() +
           " there, or allow it: until then " +
           (primary ? "copies with less memory evict, or refuse writes, before it does"
                    : "it evicts by its own judgement, and what it evicts goes on every copy");
  }
  const MemoryView view = View();
  const NodeMemory& own = view.copies[copy];
  const NodeMemory& primary = view.copies[view.primary];
  if (copy == view.primary || !own.counts || !plan_.made || plan_.primary == 0) return {};
  const std::string policies = "has maxmemory-policy " + seen.policy + " and the primary " +
                               seen_[view.primary].policy + ": ";
  if (own.evicts && !primary.evicts && own.own != 0 && own.own < plan_.primary) {
    return policies + "what it evicts at its own limit goes on every copy";
  }
  const std::string& policy = seen_[view.primary].policy;
  if (seen.policy != policy && !seen.policy.empty() && !policy.empty()) {
    return policies + "once it is promoted its own is the shard's";
  }
  return {};
}

// What stands in the way, and what follows from it; empty for nothing.
std::string NodeSettings::Problem(uint32_t copy) const {
  std::string text = EventsProblem(seen_[copy]);
  const std::string limit = LimitProblem(copy);
  if (!text.empty() && !limit.empty()) text += "; it ";
  return text + limit;
}

std::vector<std::pair<std::string, std::string>> NodeSettings::Report(uint32_t copy) const {
  const Seen& seen = seen_[copy];
  const bool known = shard_.IsConnected(copy) && seen.connection == shard_.ConnectionOf(copy);
  std::string notifies = "unknown";
  if (known && seen.flags.known()) notifies = seen.notifying != 0 ? "on" : "off";
  std::string note = seen.said;
  if (!config_.follow) {
    note = std::string("[removals] follow is false: notify-keyspace-events is left alone") +
           (note.empty() ? "" : "; it ") + note;
  } else if (!config_.set_limits) {
    note = std::string("[removals] set_limits is false: maxmemory is left alone") +
           (note.empty() ? "" : "; it ") + note;
  } else if (shared_) {
    note = std::string("a server of this shard has databases of others: maxmemory is left alone") +
           (note.empty() ? "" : "; it ") + note;
  }
  return {{"maxmemory", seen.limit.now()},
          {"maxmemory_own", seen.limit.own()},
          {"maxmemory_policy", seen.policy},
          {"notifications", notifies},
          {"settings", note}};
}

void NodeSettings::Note(NoteLevel level, uint32_t copy, const std::string& text) {
  env_->Note(level, "shard '" + shard_.name() + "': " + shard_.NameOf(copy) + " " + text);
}

}  // namespace gemel

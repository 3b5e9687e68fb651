#include "tests/sim/sim_removals.h"

#include <algorithm>
#include <utility>

#include "tests/setting.h"

namespace gemel::sim {

namespace {

constexpr uint64_t kDice = 0x5eed0f9e0e5ull;
// Of a hundred runs so many have removals.
constexpr uint64_t kShare = 33;
// From the word of a removal to the deletion on the other copies, at most.
constexpr uint64_t kCarriedOutUs = 10 * 1000;
// A promotion is one after removals if there was one so shortly before.
constexpr uint64_t kJustBeforeUs = 100 * 1000;

}  // namespace

void RemovalCounts::Add(const RemovalCounts& other) {
  runs += other.runs;
  evicted += other.evicted;
  expired += other.expired;
  past += other.past;
  told += other.told;
  lost += other.lost;
  promotions += other.promotions;
  excused += other.excused;
  audit_found += other.audit_found;
  untold_runs += other.untold_runs;
}

bool Removals::IsOn(uint64_t seed) {
  return Loop(seed ^ kDice).Chance(Setting("SIM_REMOVALS", kShare));
}

bool Removals::MayGo(const std::string& key) {
  const size_t colon = key.rfind(':');
  return colon != std::string::npos && colon + 1 < key.size() &&
         std::string_view("evy").find(key[colon + 1]) != std::string_view::npos;
}

Removals::Removals(Loop* loop, uint64_t seed) : loop_(loop), dice_(seed ^ kDice) {
  dice_.Random(100);  // was IsOn
  share_ = dice_.Between(30, 95);
  keys_ = dice_.Between(1, 5);
  audits_ = dice_.Chance(40);
  expires_ = dice_.Chance(85);
  const uint64_t rate = dice_.Between(2, dice_.Chance(50) ? 20 : 100);
  switch (expires_ ? dice_.Random(5) : 1 + dice_.Random(4)) {
    case 0:
      break;
    case 1:
      primary_rate_ = rate;
      break;
    case 2:
      primary_rate_ = other_rate_ = rate;
      break;
    case 3:
      primary_rate_ = rate;
      other_rate_ = dice_.Random(rate);
      break;
    default:
      primary_rate_ = dice_.Random(rate);
      other_rate_ = rate;
      break;
  }
  if (dice_.Chance(60)) {
    clocks_apart_ms_ = dice_.Chance(30) ? 10 : 500;
    clocks_ahead_ms_ = static_cast<int64_t>(dice_.Random(1001)) - 500;
  }
  refuses_config_ = dice_.Chance(12);
  counts_.runs = 1;
}

void Removals::Begin(Node* node, std::function<bool()> is_primary) {
  RemovalHabits habits;
  if (clocks_apart_ms_ > 0) {
    const auto apart = static_cast<uint64_t>(clocks_apart_ms_);
    habits.clock_ahead_ms =
        clocks_ahead_ms_ + static_cast<int64_t>(dice_.Random(2 * apart + 1)) - clocks_apart_ms_;
  }
  // Until the proxy has seen to it a run may be half over.
  habits.notifies = dice_.Chance(75) ? "Exe" : dice_.Chance(50) ? "" : "Kg$";
  habits.config_refused = refuses_config_ && dice_.Chance(70);
  // Of those that may not be told, most do so of their own accord.
  if (habits.config_refused) habits.notifies = dice_.Chance(70) ? "Exe" : "";
  all_tell_ &= !habits.config_refused || !habits.notifies.empty();
  counts_.untold_runs = all_tell_ ? 0 : 1;
  habits.evictions = [this, is_primary = std::move(is_primary)] {
    return is_primary() ? primary_rate_ : other_rate_;
  };
  habits.may_evict = MayGo;
  node->removals().Begin(std::move(habits), dice_.Random(UINT64_MAX));
  nodes_.push_back(node);
}

void Removals::Freeze() {
  for (Node* node : nodes_) node->removals().End();
}

std::string Removals::Describe() const {
  std::string text = ", removals";
  if (!expires_) text += " (no expiries)";
  text += ": of 1000 writes the primary evicts at " + std::to_string(primary_rate_) +
          ", others at " + std::to_string(other_rate_);
  if (clocks_apart_ms_ > 0) text += ", clocks apart";
  if (!audits()) text += ", no audits";
  if (!all_tell_) text += ", nodes that do not tell";
  return text;
}

void Removals::Choose(SimOp* op, const std::string& prefix) {
  if (!dice_.Chance(share_)) return;
  const bool is_set = dice_.Chance(60);
  op->key_kind = is_set ? KeyKind::kFleetingSet : KeyKind::kFleeting;
  op->key = prefix + ":" + (is_set ? 'v' : 'e') + std::to_string(dice_.Random(keys_));
}

std::string Removals::Source(const std::string& prefix) {
  return prefix + ":" + "ev"[dice_.Random(2)] + std::to_string(dice_.Random(keys_));
}

std::string Removals::Ttl() {
  return std::to_string(dice_.Chance(20) ? dice_.Between(1, 5)
                                         : dice_.Between(5, dice_.Chance(60) ? 100 : 800));
}

// By the clients' clock; now and then it is past.
std::string Removals::Time() {
  return std::to_string(Keyspace::kEpochMs + loop_->now_us() / 1000 + dice_.Between(0, 1200) -
                        dice_.Random(50));
}

std::vector<std::string> Removals::Command(SimOp* op) {
  const bool is_set = op->key_kind == KeyKind::kFleetingSet;
  if (dice_.Chance(8)) {
    op->is_delete = true;
    return {dice_.Chance(50) ? "DEL" : "UNLINK", op->key};
  }
  if (expires_ && dice_.Chance(is_set ? 25 : 10)) {
    op->is_touch = true;
    if (dice_.Chance(20)) return {"PERSIST", op->key};
    if (dice_.Chance(30)) {
      op->is_timed = true;
      return {"PEXPIREAT", op->key, Time()};
    }
    return {"PEXPIRE", op->key, dice_.Chance(5) ? "0" : Ttl()};
  }
  return is_set ? SetCommand(op) : RegisterCommand(op);
}

std::vector<std::string> Removals::SetCommand(SimOp* op) {
  const uint64_t kind = dice_.Random(100);
  if (kind < 12) return {"MIX", op->key, "*", "f", op->token};
  if (kind < 20) return {"APPEND", op->key, op->token};
  return {"SADD", op->key, op->token};
}

std::vector<std::string> Removals::RegisterCommand(SimOp* op) {
  const uint64_t kind = expires_ ? dice_.Random(100) : 0;
  std::vector<std::string> set = {"SET", op->key, op->token};
  if (kind < 20) return set;
  if (kind < 35) {
    set.push_back("KEEPTTL");
    return set;
  }
  op->is_conditional = kind < 45;
  if (op->is_conditional) set.push_back("NX");
  if (kind < 75) {
    set.push_back("PX");
    set.push_back(Ttl());
  } else {
    set.push_back("PXAT");
    set.push_back(Time());
  }
  return set;
}

void Removals::OnDurable(const Topology& durable,
                         const std::function<Node*(const std::string&)>& node) {
  for (const ShardInfo& shard : durable.shards) {
    for (const CopyInfo& copy : shard.copies) {
      // Whoever is out and cannot be heard has said its last word.
      Node* out = copy.state == CopyState::kInSync ? nullptr : node(copy.node);
      if (out != nullptr &&
          (!out->condition().alive() || out->condition().hung() || out->condition().cut_off()))
        Lose(out);
    }
    std::string& primary = primaries_[shard.name];
    const std::string now = shard.copies[shard.primary].node;
    Node* before = primary.empty() || primary == now ? nullptr : node(primary);
    primary = now;
    if (before == nullptr) continue;
    promotions_.push_back(loop_->now_us());
    if (before->removals().all().empty()) continue;
    const uint64_t last_us = before->removals().all().back().at_us;
    if (loop_->now_us() < last_us + kJustBeforeUs) ++counts_.promotions;
  }
}

void Removals::Lose(Node* node) {
  for (Removal& removal : node->removals().all()) {
    if (removal.told_us != UINT64_MAX || removal.lost_us != UINT64_MAX) continue;
    removal.lost_us = loop_->now_us();
  }
}

void Removals::OnCrash() {
  const uint64_t now_us = loop_->now_us();
  for (Node* node : nodes_) {
    for (Removal& removal : node->removals().all()) {
      if (removal.told_us != UINT64_MAX && removal.told_us + kCarriedOutUs < now_us) continue;
      removal.told_us = UINT64_MAX;
      removal.lost_us = std::min(removal.lost_us, now_us);
    }
  }
}

std::vector<Removal> Removals::Of(const std::string& key) const {
  std::vector<Removal> all;
  for (Node* node : nodes_) {
    for (const Removal& removal : node->removals().all()) {
      if (removal.key == key) all.push_back(removal);
    }
  }
  return all;
}

RemovalCounts Removals::Counts() const {
  RemovalCounts counts = counts_;
  for (Node* node : nodes_) {
    for (const Removal& removal : node->removals().all()) {
      counts.evicted += removal.how == Gone::kEvicted ? 1 : 0;
      counts.expired += removal.how == Gone::kExpired ? 1 : 0;
      counts.past += removal.how == Gone::kPast || removal.how == Gone::kUnsaid ? 1 : 0;
      counts.told += removal.told_us > removal.at_us && removal.told_us != UINT64_MAX ? 1 : 0;
      counts.lost += removal.told_us == UINT64_MAX && removal.lost_us != UINT64_MAX ? 1 : 0;
    }
  }
  return counts;
}

}  // namespace gemel::sim

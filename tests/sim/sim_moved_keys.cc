// What can be true of keys that a change of the ring gave to another shard, where they begin again
// from nothing: a miss is right, what was there before is not.

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "backend/resp/reply_reader.h"
#include "tests/sim/sim_history.h"

namespace gemel::sim {

namespace {

using Outcome = SimOp::Outcome;

// A read of what is left at the end.
SimOp TheEnd(const SimOp& like) {
  SimOp end;
  end.client = UINT64_MAX;
  end.is_read = true;
  end.key = like.key;
  end.invoked_us = end.ended_us = UINT64_MAX;
  end.outcome = Outcome::kOk;
  return end;
}

int64_t NumberOf(const std::string& reply) {
  return reply == "$-1\r\n" ? 0 : std::stoll(std::string(ReplyText(reply)));
}

// Whether a write may still have had an effect after that time.
bool MayActAfter(const SimOp& write, uint64_t time_us) {
  if (write.outcome == Outcome::kRefused) return false;
  return write.outcome == Outcome::kUnknown || write.ended_us >= time_us;
}

}  // namespace

bool KeyResets::Between(uint64_t invoked_us, uint64_t ended_us) const {
  return std::any_of(maybe_us.begin(), maybe_us.end(), [&](const auto& span) {
    return span.first <= ended_us && span.second >= invoked_us;
  });
}

uint64_t KeyResets::LastMove(uint64_t invoked_us) const {
  uint64_t last = 0;
  for (const uint64_t time_us : moved_us) {
    // In the same moment it may have gone the old way.
    if (time_us < invoked_us) last = std::max(last, time_us);
  }
  return last;
}

uint64_t KeyResets::LastMaybe(uint64_t ended_us) const {
  uint64_t last = 0;
  for (const auto& [from_us, to_us] : maybe_us) {
    if (from_us <= ended_us) last = std::max(last, to_us);
  }
  return last;
}

void History::CheckMovedCounter(const Ops& ops, const std::string* last,
                                const CheckOptions& options, const KeyResets& resets,
                                const Report& report) {
  if (!options.all_acks && options.data_lost) return;
  auto check = [&](const SimOp& op, int64_t value) {
    if (op.ended_us >= options.old_from_us && options.old_from_us != UINT64_MAX) return;
    const uint64_t moved_us = resets.LastMove(op.invoked_us);
    int64_t most = 0;
    for (const SimOp* write : ops) {
      if (write->is_read || write->invoked_us > op.ended_us) continue;
      if (MayActAfter(*write, moved_us)) ++most;
    }
    if (value > most) {
      report(Describe(op) + " got " + std::to_string(value) + ", but since the key moved at " +
             std::to_string(moved_us) + " us there were at most " + std::to_string(most) +
             " INCRs");
    }
    if (options.data_lost) return;
    const uint64_t maybe_us = resets.LastMaybe(op.ended_us);
    int64_t least = op.is_read ? 0 : 1;
    for (const SimOp* write : ops) {
      if (write->is_read || write == &op || write->outcome != Outcome::kOk) continue;
      if (!Before(*write, op)) continue;
      if (write->invoked_us > maybe_us) ++least;
      const int64_t told = NumberOf(write->told);
      if (!resets.Between(write->invoked_us, op.ended_us) &&
          (op.is_read ? told > value : told >= value)) {
        report(Describe(op) + " got " + std::to_string(value) + ", after " + Describe(*write) +
               " got " + std::to_string(told));
        return;
      }
    }
    if (value < least) {
      report(Describe(op) + " got " + std::to_string(value) + ", after " + std::to_string(least) +
             " acknowledged INCRs since " + std::to_string(maybe_us) + " us");
    }
  };
  for (const SimOp* op : ops) {
    if (op->outcome == Outcome::kOk) check(*op, NumberOf(op->told));
  }
  check(TheEnd(*ops[0]), last == nullptr ? 0 : std::stoll(*last));
}

void History::CheckMovedList(const Ops& ops, const std::string* last, const CheckOptions& options,
                             const KeyResets& resets, const Report& report) {
  std::unordered_map<std::string, const SimOp*> writer;
  for (const SimOp* op : ops) {
    if (!op->is_read) writer[op->token] = op;
  }
  auto check = [&](const SimOp& op, const std::string& text) {
    const uint64_t moved_us = resets.LastMove(op.invoked_us);
    const bool old_is_right =
        (!options.all_acks && options.data_lost) ||
        (options.old_from_us != UINT64_MAX && op.ended_us >= options.old_from_us);
    std::map<std::string, size_t> there;
    for (const std::string& token : Tokens(text)) {
      const auto found = writer.find(token);
      if (found == writer.end()) {
        report(Describe(op) + ": nobody wrote " + token);
        return;
      }
      const SimOp& write = *found->second;
      if (write.outcome == Outcome::kRefused) {
        report(Describe(op) + ": was refused, and is there all the same: " + Describe(write));
        return;
      }
      if (!there.emplace(token, there.size()).second) {
        report(Describe(op) + ": applied twice: " + Describe(write));
        return;
      }
      if (!old_is_right && !MayActAfter(write, moved_us)) {
        report(Describe(op) + " saw what the key had before it moved at " +
               std::to_string(moved_us) + " us: " + Describe(write));
        return;
      }
    }
    if (old_is_right) return;
    for (const SimOp* write : ops) {
      if (write->is_read || there.contains(write->token) || !Before(*write, op)) continue;
      bool wrong = !options.data_lost && !resets.Between(write->invoked_us, op.ended_us);
      // A miss is right, but not with something older still there.
      for (const auto& [token, place] : there) wrong |= Before(*writer[token], *write);
      if (wrong) {
        report(Describe(op) + " did not see " + Describe(*write));
        return;
      }
    }
    for (const auto& [token, place] : there) {
      for (const auto& [other, later] : there) {
        if (place < later && Before(*writer[other], *writer[token])) {
          report(Describe(op) + " saw " + Describe(*writer[token]) + " before the earlier " +
                 Describe(*writer[other]));
          return;
        }
      }
    }
  };
  for (const SimOp* op : ops) {
    if (op->outcome == Outcome::kOk && op->is_read) check(*op, Plain(ReplyText(op->told)));
  }
  check(TheEnd(*ops[0]), last == nullptr ? std::string() : Plain(*last));
}

}  // namespace gemel::sim

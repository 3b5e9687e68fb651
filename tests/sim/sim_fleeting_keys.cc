// What can be true of keys that may go at any time: a miss is right if a copy removed the key
// meanwhile, but what somebody could no longer see does not come back.

#include <algorithm>
#include <map>
#include <unordered_map>

#include "backend/resp/reply_reader.h"
#include "tests/sim/sim_history.h"

namespace gemel::sim {

namespace {

using Outcome = SimOp::Outcome;

// From the word of a removal to its place in the order of the other copies.
constexpr uint64_t kHandledUs = 2000;
// Words that nobody heard, since a connection was lost or the node did not tell yet, are made good
// so soon: whoever looked before that may see again what was gone.
constexpr uint64_t kMadeGoodUs = 1500 * 1000;
// A key that was in doubt when its primary was lost is deleted. For so long it may have been so.
constexpr uint64_t kInDoubtUs = 1000 * 1000;

// One key's history.
class FleetingKey {
 public:
  FleetingKey(const std::vector<const SimOp*>& ops, const CheckOptions& options,
              const KeyResets& resets, const std::function<void(std::string)>& report)
      : options_(options), resets_(resets), report_(report) {
    removals_ = options.removals(ops[0]->key);
    for (const SimOp* op : ops) {
      if (op->is_read) {
        if (op->outcome == Outcome::kOk) reads_.push_back({op, {}});
      } else if (op->is_delete) {
        if (op->outcome != Outcome::kRefused) deletes_.push_back(op);
      } else if (op->is_touch) {
        if (op->is_timed) doubts_us_.push_back(op->ended_us);
      } else {
        writer_[op->token] = op;
        if (!WasRefused(*op)) writes_.push_back(op);
      }
    }
    for (const Removal& removal : removals_) doubts_us_.push_back(removal.at_us);
    for (Read& read : reads_) read.tokens = Tokens(Plain(ReplyText(read.op->told)));
  }

  void Check(const SimOp& end, const std::string* last) {
    reads_.push_back({&end, Tokens(last == nullptr ? "" : Plain(*last))});
    is_register_ = end.key_kind == KeyKind::kFleeting;
    for (const Read& read : reads_) {
      if (!IsSound(read)) return;
      if (OldIsRight(*read.op)) continue;
      if (!MissesAreRight(read) || !NothingOld(read)) return;
    }
    if (!options_.all_told) return;
    for (const Read& read : reads_) {
      if (!OldIsRight(*read.op) && !NothingCameBack(read)) return;
    }
  }

 private:
  struct Read {
    const SimOp* op;
    std::vector<std::string> tokens;

    bool Has(const std::string& token) const {
      return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
    }
  };

  // A SET NX that found something has done nothing.
  static bool WasRefused(const SimOp& write) {
    return write.outcome == Outcome::kRefused || write.told == "$-1\r\n";
  }
  // Whether a conditional write finds something may differ from copy to copy until it is answered,
  // and the keys were made equal.
  bool Seen(const SimOp& write, const SimOp& read) const {
    if (!write.is_conditional) return Before(write, read);
    if (!options_.all_acks && !options_.all_told) return false;  // by a copy that nobody asks
    if (!options_.all_acks && MayBeUnheard(write)) return false;
    return write.outcome == Outcome::kOk && write.ended_us < read.invoked_us;
  }
  // A copy had removed what the others had, and did not tell yet what it removes.
  bool MayBeUnheard(const SimOp& write) const {
    return std::any_of(removals_.begin(), removals_.end(), [&](const Removal& removal) {
      return removal.told_us == UINT64_MAX && removal.at_us <= write.ended_us &&
             write.invoked_us <= removal.at_us + kMadeGoodUs;
    });
  }
  bool OldIsRight(const SimOp& read) const {
    return (!options_.all_acks && options_.data_lost) ||
           (options_.old_from_us != UINT64_MAX && read.ended_us >= options_.old_from_us);
  }

  // Each was written, once, and in the order in which it is there.
  bool IsSound(const Read& read) {
    std::unordered_map<std::string, size_t> seen;
    const SimOp* before = nullptr;
    for (const std::string& token : read.tokens) {
      const auto found = writer_.find(token);
      if (found == writer_.end()) {
        return Report(*read.op, "nobody wrote " + token.substr(0, 24));
      }
      const SimOp& write = *found->second;
      // Another copy may have been the one to answer, and the primary, which decides, found
      // nothing.
      const bool in_doubt =
          write.is_conditional && (!options_.all_acks || read.op->invoked_us <= write.ended_us);
      if (WasRefused(write) && !in_doubt) {
        return Report(*read.op, "was refused, and is there: " + Describe(write));
      }
      if (seen[token]++ > 0) return Report(*read.op, "applied twice: " + Describe(write));
      if (write.invoked_us > read.op->ended_us ||
          (write.client == read.op->client && write.place > read.op->place)) {
        return Report(*read.op, "saw the future: " + Describe(write));
      }
      if (before != nullptr && Before(write, *before)) {
        return Report(*read.op, "saw " + Describe(*before) + " before " + Describe(write));
      }
      before = &write;
    }
    if (is_register_ && read.tokens.size() > 1) return Report(*read.op, "saw two values");
    return true;
  }

  bool MissesAreRight(const Read& read) {
    if (options_.data_lost) return true;
    // It was before what is there, which it would have taken along.
    uint64_t until_us = read.op->ended_us;
    for (const std::string& token : read.tokens) {
      const SimOp& there = *writer_[token];
      if (options_.all_acks && there.outcome == Outcome::kOk) {
        until_us = std::min(until_us, there.ended_us);
      }
    }
    for (const SimOp* write : writes_) {
      if (!Seen(*write, *read.op) || read.Has(write->token)) continue;
      if (!MayBeGone(*write, until_us)) {
        return Report(*read.op, "did not see, and no copy had removed: " + Describe(*write));
      }
    }
    return true;
  }

  // By that time.
  bool MayBeGone(const SimOp& write, uint64_t until_us) const {
    const auto may_follow = [&](const SimOp* other) {
      return other != &write && other->invoked_us <= until_us && !Before(*other, write);
    };
    if (is_register_ && std::any_of(writes_.begin(), writes_.end(), may_follow)) return true;
    return std::any_of(deletes_.begin(), deletes_.end(), may_follow) ||
           resets_.Between(write.invoked_us, until_us) || MayBeDropped(write, until_us) ||
           std::any_of(removals_.begin(), removals_.end(),
                       [&](const Removal& removal) { return MayTake(removal, write, until_us); });
  }
  // Its place in the order is between the removal and when that is heard.
  static bool MayTake(const Removal& removal, const SimOp& write, uint64_t until_us) {
    const bool told = removal.told_us != UINT64_MAX && removal.told_us >= removal.at_us;
    const uint64_t heard_us = told ? removal.told_us + kHandledUs : removal.at_us;
    return heard_us >= write.invoked_us && removal.at_us <= until_us;
  }
  // With a primary that was lost.
  bool MayBeDropped(const SimOp& write, uint64_t until_us) const {
    for (const uint64_t at_us : options_.promotions) {
      if (at_us < write.invoked_us || at_us > until_us) continue;
      for (const uint64_t doubt_us : doubts_us_) {
        if (doubt_us <= at_us + kHandledUs && at_us <= doubt_us + kInDoubtUs) return true;
      }
    }
    return false;
  }
  static bool MayBeWhy(const Removal& removal, const SimOp& write, uint64_t until_us) {
    return removal.at_us >= write.invoked_us && removal.at_us <= until_us;
  }

  // Nothing from before a newer value that is missing, a deletion or a move.
  bool NothingOld(const Read& read) {
    const uint64_t moved_us = resets_.LastMove(read.op->invoked_us);
    for (const std::string& token : read.tokens) {
      const SimOp& write = *writer_[token];
      if (write.outcome == Outcome::kOk && write.ended_us < moved_us) {
        return Report(*read.op, "saw what the key had before it moved: " + Describe(write));
      }
      for (const SimOp* removed : deletes_) {
        if (Before(write, *removed) && Before(*removed, *read.op)) {
          return Report(*read.op, "saw " + Describe(write) + ", after " + Describe(*removed));
        }
      }
      for (const SimOp* newer : writes_) {
        if (newer == &write || !Before(write, *newer) || !Seen(*newer, *read.op)) continue;
        if (read.Has(newer->token)) continue;
        return Report(*read.op, "saw " + Describe(write) + ", and not " + Describe(*newer));
      }
    }
    return true;
  }

  // What an earlier read could no longer see.
  bool NothingCameBack(const Read& read) {
    for (const Read& earlier : reads_) {
      if (earlier.op->ended_us >= read.op->invoked_us) continue;
      for (const std::string& token : read.tokens) {
        const SimOp& write = *writer_[token];
        if (earlier.Has(token) || !Seen(write, *earlier.op)) continue;
        if (IsExcused(write, *earlier.op, *read.op)) {
          if (options_.excused) options_.excused();
          continue;
        }
        return Report(*read.op, "saw again what was gone, " + Describe(write) + ", to " +
                                    Describe(*earlier.op) + WhyGone(write, *earlier.op));
      }
    }
    return true;
  }

  // The earlier read missed it because of a removal of which nobody could know in time.
  bool IsExcused(const SimOp& write, const SimOp& earlier, const SimOp& read) const {
    return std::any_of(removals_.begin(), removals_.end(), [&](const Removal& removal) {
      if (!MayBeWhy(removal, write, earlier.ended_us)) return false;
      if (removal.told_us != UINT64_MAX) return read.invoked_us <= removal.told_us + kHandledUs;
      if (removal.lost_us != UINT64_MAX) return earlier.invoked_us <= removal.lost_us;
      return earlier.invoked_us <= removal.at_us + kMadeGoodUs;
    });
  }

  std::string WhyGone(const SimOp& write, const SimOp& earlier) const {
    static constexpr const char* kHow[] = {"expired", "evicted", "set to the past",
                                           "set to the past"};
    const auto when = [](uint64_t us) { return us == UINT64_MAX ? "never" : std::to_string(us); };
    std::string text;
    for (const Removal& removal : removals_) {
      if (!MayBeWhy(removal, write, earlier.ended_us)) continue;
      text += "; " + removal.node->address() + " " + kHow[static_cast<size_t>(removal.how)] +
              " at " + when(removal.at_us) + ", told at " + when(removal.told_us) + ", lost at " +
              when(removal.lost_us);
    }
    return text;
  }

  bool Report(const SimOp& read, const std::string& what) {
    report_(Describe(read) + ": " + what);
    return false;
  }

  const CheckOptions& options_;
  const KeyResets& resets_;
  const std::function<void(std::string)>& report_;
  bool is_register_ = false;
  std::vector<Removal> removals_;
  std::vector<uint64_t> doubts_us_;
  std::vector<Read> reads_;
  std::vector<const SimOp*> deletes_;
  std::vector<const SimOp*> writes_;
  std::unordered_map<std::string, const SimOp*> writer_;
};

}  // namespace

void History::CheckFleeting(const Ops& ops, const std::string* last, const CheckOptions& options,
                            const KeyResets& resets, const Report& report) {
  SimOp end;  // a read of what is left
  end.client = UINT64_MAX;
  end.is_read = true;
  end.key = ops[0]->key;
  end.key_kind = ops[0]->key_kind;
  end.invoked_us = end.ended_us = UINT64_MAX;
  end.outcome = Outcome::kOk;
  FleetingKey(ops, options, resets, report).Check(end, last);
}

}  // namespace gemel::sim

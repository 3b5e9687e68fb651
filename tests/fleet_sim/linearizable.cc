#include "tests/fleet_sim/linearizable.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace gemel::fleet_sim {

namespace {

using State = std::optional<int64_t>;

// What of the register is there after the operation; false: it cannot have answered so.
bool Apply(const Op& op, State* state) {
  const bool known = op.outcome == Op::Outcome::kOk;
  switch (op.kind) {
    case Op::Kind::kGet:
      return op.told == *state;
    case Op::Kind::kSet:
      *state = op.value;
      return true;
    case Op::Kind::kIncr:
      *state = state->value_or(0) + 1;
      return !known || op.told == *state;
    case Op::Kind::kDel:
      if (known && op.told != (state->has_value() ? 1 : 0)) return false;
      state->reset();
      return true;
  }
  return false;
}

class Search {
 public:
  Search(const std::vector<const Op*>& ops, size_t most_steps) : left_(most_steps) {
    for (const Op* op : ops) {
      (op->outcome == Op::Outcome::kOk ? known_ : maybe_).push_back(op);
    }
    for (const Op* op : maybe_) likes_.push_back(LikeOf(*op));
    known_done_.assign(known_.size(), '0');
    maybe_done_.assign(maybe_.size(), '0');
  }

  Verdict Run() {
    if (From(State(), 0, 0)) return Verdict::kYes;
    return left_ == 0 ? Verdict::kTooMany : Verdict::kNo;
  }

 private:
  // Nobody can tell those from each other that are not known to have been, but what is seen of.
  enum class Like : uint8_t { kIncr, kDel, kUnseenSet, kSeenSet };

  // All that is known to have been can come after this state. Of that nothing is left before
  // `from`, and nothing from `to` on is done.
  bool From(const State& state, size_t from, size_t to) {
    while (from < known_.size() && known_done_[from] == '1') ++from;
    if (from == known_.size()) return true;
    if (left_ == 0) return false;
    --left_;
    to = std::max(from, to);
    std::string place = std::to_string(from) + ' ' + known_done_.substr(from, to - from);
    place += ' ' + maybe_done_ + ' ' + (state ? std::to_string(*state) : "-");
    if (!tried_.insert(std::move(place)).second) return false;
    // Nothing may come before one that had returned when it was called.
    uint64_t first_return = UINT64_MAX;
    for (size_t i = from; i < known_.size() && known_[i]->called < first_return; ++i) {
      if (known_done_[i] == '0') first_return = std::min(first_return, known_[i]->returned);
    }
    for (size_t i = from; i < known_.size() && known_[i]->called < first_return; ++i) {
      State next = state;
      if (known_done_[i] == '1' || !Apply(*known_[i], &next)) continue;
      known_done_[i] = '1';
      if (From(next, from, std::max(to, i + 1))) return true;
      known_done_[i] = '0';
    }
    return FromMaybe(state, first_return, from, to);
  }
  // What is not known to have been is tried last.
  bool FromMaybe(const State& state, uint64_t first_return, size_t from, size_t to) {
    bool tried[3] = {};
    for (size_t i = 0; i < maybe_.size() && maybe_[i]->called < first_return; ++i) {
      if (maybe_done_[i] == '1') continue;
      // Of those that are alike the first is as good as any.
      if (likes_[i] != Like::kSeenSet &&
          std::exchange(tried[static_cast<size_t>(likes_[i])], true)) {
        continue;
      }
      State next = state;
      Apply(*maybe_[i], &next);
      maybe_done_[i] = '1';
      if (From(next, from, to)) return true;
      maybe_done_[i] = '0';
    }
    return false;
  }
  Like LikeOf(const Op& op) const {
    if (op.kind == Op::Kind::kIncr) return Like::kIncr;
    if (op.kind == Op::Kind::kDel) return Like::kDel;
    const auto most = op.value + static_cast<int64_t>(known_.size() + maybe_.size());
    const bool seen = std::any_of(known_.begin(), known_.end(), [&](const Op* other) {
      return other->kind != Op::Kind::kDel && other->told && *other->told >= op.value &&
             *other->told <= most;
    });
    return seen ? Like::kSeenSet : Like::kUnseenSet;
  }

  // In the order of their calls: what is known to have been, and what may have been.
  std::vector<const Op*> known_;
  std::vector<const Op*> maybe_;
  std::vector<Like> likes_;  // of maybe_
  std::string known_done_;
  std::string maybe_done_;
  size_t left_;
  std::unordered_set<std::string> tried_;
};

const char* NameOf(Op::Kind kind) {
  constexpr const char* kNames[] = {"GET", "SET", "INCR", "DEL"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

Verdict IsLinearizable(const std::vector<const Op*>& ops, size_t most_steps) {
  std::vector<const Op*> told;
  for (const Op* op : ops) {
    const bool ok = op->outcome == Op::Outcome::kOk;
    const bool maybe = op->outcome != Op::Outcome::kNotDone && op->kind != Op::Kind::kGet;
    if (ok || maybe) told.push_back(op);
  }
  std::sort(told.begin(), told.end(),
            [](const Op* a, const Op* b) { return a->called < b->called; });
  return Search(told, most_steps).Run();
}

std::vector<const Op*> WithoutReadsOfWhatIsUnknown(const std::vector<const Op*>& ops) {
  std::vector<const Op*> rest;
  for (const Op* op : ops) {
    const bool excused =
        op->kind == Op::Kind::kGet && std::any_of(ops.begin(), ops.end(), [&](const Op* write) {
          if (write->outcome != Op::Outcome::kUnknown || write->kind == Op::Kind::kGet)
            return false;
          if (write->called > op->returned || write->over_us < op->called_us) return false;
          return write->kind != Op::Kind::kSet || (op->told && *op->told >= write->value);
        });
    if (!excused) rest.push_back(op);
  }
  return rest;
}

std::string Describe(const std::vector<const Op*>& ops) {
  std::vector<const Op*> ordered = ops;
  std::sort(ordered.begin(), ordered.end(),
            [](const Op* a, const Op* b) { return a->called < b->called; });
  std::string text;
  for (const Op* op : ordered) {
    char line[200];
    const std::string value = op->kind == Op::Kind::kSet ? " " + std::to_string(op->value) : "";
    const std::string_view reply = std::string_view(op->reply).substr(0, op->reply.find('\r'));
    std::snprintf(line, sizeof(line), "  %10.3f - %10.3f ms  client %u at %s  %s %s%s  ",
                  static_cast<double>(op->called_us) / 1000,
                  static_cast<double>(op->returned_us) / 1000, op->client, op->by.c_str(),
                  NameOf(op->kind), op->key.c_str(), value.c_str());
    text += line;
    switch (op->outcome) {
      case Op::Outcome::kOk:
        text += op->told ? std::to_string(*op->told)
                         : std::string(op->kind == Op::Kind::kGet ? "nothing" : "done");
        break;
      case Op::Outcome::kNotDone:
        text += "not done: " + std::string(reply);
        break;
      default:
        text += "unknown: " + std::string(reply);
    }
    text += "\n";
  }
  return text;
}

}  // namespace gemel::fleet_sim

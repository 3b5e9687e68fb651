#include "tests/sim/sim_history.h"

#include <algorithm>
#include <unordered_map>

#include "backend/resp/reply_reader.h"

namespace gemel::sim {

namespace {

using Outcome = SimOp::Outcome;

bool IsNil(const std::string& reply) { return reply == "$-1\r\n"; }

}  // namespace

std::string Describe(const SimOp& op) {
  std::string text = op.is_read     ? "GET "
                     : op.is_delete ? "DEL "
                     : op.is_touch  ? "EXPIRE "
                                    : "write ";
  text += op.key;
  if (!op.is_read) text += " " + op.token.substr(0, 24);
  return text + " of client " + std::to_string(op.client) + " at " + std::to_string(op.invoked_us) +
         ".." + std::to_string(op.ended_us) + " us";
}

bool IsLaterOfItsOwn(const SimOp& read, const SimOp& write) {
  return read.client == write.client && write.place > read.place;
}

bool Before(const SimOp& first, const SimOp& second) {
  if (first.outcome != Outcome::kOk) return false;
  if (first.client == second.client) return first.place < second.place;
  return first.ended_us < second.invoked_us;
}

std::string Plain(std::string_view text) {
  std::string plain(text);
  std::erase(plain, '!');
  return plain;
}

std::vector<std::string> Tokens(std::string_view text) {
  std::vector<std::string> tokens;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size() - 1) + 1;
    tokens.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return tokens;
}

void History::Check(const std::map<std::string, std::string>& content, const CheckOptions& options,
                    const std::function<void(std::string)>& report) const {
  std::map<std::string, Ops> by_key;
  for (const SimOp& op : ops_) {
    if (op.outcome == Outcome::kPending) {
      report("never answered: " + Describe(op));
    } else {
      by_key[op.key].push_back(&op);
    }
  }
  for (const auto& [key, ops] : by_key) {
    if (key.find(":x") != std::string::npos) continue;  // tampered with: only equality counts
    const auto found = content.find(key);
    const std::string* last = found == content.end() ? nullptr : &found->second;
    const KeyResets resets = options.resets ? options.resets(key) : KeyResets();
    switch (ops[0]->key_kind) {
      case KeyKind::kRegister:
        CheckRegister(ops, last, options, resets, report);
        break;
      case KeyKind::kCounter:
        if (resets.empty()) {
          CheckCounter(ops, last, options, report);
        } else {
          CheckMovedCounter(ops, last, options, resets, report);
        }
        break;
      case KeyKind::kFleeting:
      case KeyKind::kFleetingSet:
        CheckFleeting(ops, last, options, resets, report);
        break;
      case KeyKind::kList:
        if (resets.empty()) {
          CheckList(ops, last, options, report);
        } else {
          CheckMovedList(ops, last, options, resets, report);
        }
        break;
    }
  }
}

void History::CheckRegister(const Ops& ops, const std::string* last, const CheckOptions& options,
                            const KeyResets& resets, const Report& report) {
  Ops writes;
  std::unordered_map<std::string, const SimOp*> writer;
  for (const SimOp* op : ops) {
    if (op->is_read) continue;
    writes.push_back(op);
    if (!op->is_delete) writer[op->token] = op;
  }
  SimOp end;  // a read of what is left
  end.client = UINT64_MAX;
  end.is_read = true;
  end.key = ops[0]->key;
  end.invoked_us = end.ended_us = UINT64_MAX;
  end.outcome = Outcome::kOk;
  auto check = [&](const SimOp& read, const std::string* value) {
    const SimOp* source = nullptr;
    if (value != nullptr) {
      const auto found = writer.find(*value);
      if (found == writer.end() || found->second->outcome == Outcome::kRefused) {
        report(Describe(read) + ": nobody wrote " + value->substr(0, 24));
        return;
      }
      source = found->second;
      if (source->invoked_us > read.ended_us) report(Describe(read) + " saw the future");
      if (IsLaterOfItsOwn(read, *source)) {
        report(Describe(read) + " saw what its own session wrote later: " + Describe(*source));
        return;
      }
    }
    if (!options.all_acks && options.data_lost) return;
    if (source != nullptr && source->outcome == Outcome::kOk &&
        source->ended_us < resets.LastMove(read.invoked_us) &&
        read.ended_us < options.old_from_us) {
      report(Describe(read) + " gave what the key had before it moved: " + Describe(*source));
      return;
    }
    for (const SimOp* write : writes) {
      if (!Before(*write, read) || write == source) continue;
      if (source != nullptr) {
        if (read.ended_us < options.old_from_us && Before(*source, *write)) {
          report(Describe(read) + " gave the old value " + value->substr(0, 24) + ", after " +
                 Describe(*write));
          return;
        }
        continue;
      }
      if (write->is_delete || options.data_lost) continue;
      if (resets.Between(write->invoked_us, read.ended_us)) continue;
      // Nothing is there: some deletion must be able to explain it.
      const bool deleted = std::any_of(writes.begin(), writes.end(), [&](const SimOp* other) {
        return other->is_delete && other->outcome != Outcome::kRefused &&
               other->invoked_us <= read.ended_us && !Before(*other, *write);
      });
      if (!deleted) {
        report(Describe(read) + " found nothing, after " + Describe(*write));
        return;
      }
    }
  };
  for (const SimOp* op : ops) {
    if (!op->is_read || op->outcome != Outcome::kOk) continue;
    const std::string value(ReplyText(op->told));
    check(*op, IsNil(op->told) ? nullptr : &value);
  }
  check(end, last);
}

void History::CheckCounter(const Ops& ops, const std::string* last, const CheckOptions& options,
                           const Report& report) {
  int64_t acknowledged = 0;
  int64_t unknown = 0;
  std::map<int64_t, const SimOp*> by_value;
  Ops ordered;
  for (const SimOp* op : ops) {
    if (op->is_read) continue;
    if (op->outcome == Outcome::kUnknown) ++unknown;
    if (op->outcome != Outcome::kOk) continue;
    ++acknowledged;
    ordered.push_back(op);
    const int64_t value = std::stoll(std::string(ReplyText(op->told)));
    if (!by_value.emplace(value, op).second && !options.data_lost) {
      report(Describe(*op) + " got " + std::to_string(value) + ", as did " +
             Describe(*by_value[value]));
    }
  }
  const int64_t value = last == nullptr ? 0 : std::stoll(*last);
  if (value > acknowledged + unknown) {
    report(ops[0]->key + " is " + std::to_string(value) + " after " + std::to_string(acknowledged) +
           " acknowledged and " + std::to_string(unknown) + " unknown INCRs: applied twice");
  }
  if (options.data_lost) return;
  if (value < acknowledged) {
    report(ops[0]->key + " is " + std::to_string(value) + " after " + std::to_string(acknowledged) +
           " acknowledged INCRs: lost");
  }
  std::sort(ordered.begin(), ordered.end(), [](const SimOp* a, const SimOp* b) {
    return std::stoll(std::string(ReplyText(a->told))) <
           std::stoll(std::string(ReplyText(b->told)));
  });
  for (size_t i = 1; i < ordered.size(); ++i) {
    if (Before(*ordered[i], *ordered[i - 1])) {
      report(Describe(*ordered[i]) + " got a higher number than the later " +
             Describe(*ordered[i - 1]));
    }
  }
  for (const SimOp* op : ops) {
    if (!op->is_read || op->outcome != Outcome::kOk) continue;
    const int64_t seen = IsNil(op->told) ? 0 : std::stoll(std::string(ReplyText(op->told)));
    // It may have seen what nobody acknowledged, and a fault undid.
    const int64_t undone = std::count_if(ops.begin(), ops.end(), [&](const SimOp* other) {
      return !other->is_read && other->outcome == Outcome::kUnknown &&
             other->invoked_us <= op->ended_us;
    });
    for (const SimOp* write : ordered) {
      if (Before(*write, *op) && std::stoll(std::string(ReplyText(write->told))) > seen) {
        report(Describe(*op) + " read " + std::to_string(seen) + ", after " + Describe(*write));
        break;
      }
      if (IsLaterOfItsOwn(*op, *write) &&
          std::stoll(std::string(ReplyText(write->told))) <= seen - undone) {
        report(Describe(*op) + " read " + std::to_string(seen) +
               ", and its own session wrote later: " + Describe(*write));
        break;
      }
    }
  }
}

}  // namespace gemel::sim

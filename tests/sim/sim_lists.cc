// Keys whose values show the order of all their writes.

#include <set>
#include <unordered_map>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "tests/sim/sim_history.h"

namespace gemel::sim {

namespace {

// What is known of one such key, and what its reads may say therefore.
class ListCheck {
 public:
  using Ops = std::vector<const SimOp*>;
  using Outcome = SimOp::Outcome;

  ListCheck(const Ops& ops, const std::string* last, const CheckOptions& options,
            const std::function<void(std::string)>& report)
      : ops_(ops),
        end_(last == nullptr ? "" : Plain(*last)),
        options_(options),
        strict_(!options.data_lost),
        report_(report) {
    for (const SimOp* op : ops_) {
      if (!op->is_read) writer_[op->token] = op;
    }
    size_t at = 0;
    for (const std::string& token : Tokens(end_)) ends_[token] = at += token.size();
  }

  // False: something cannot be true, and was reported.
  bool Check() {
    if (!IsSound(end_, "the end of " + ops_[0]->key)) return false;
    for (const SimOp* op : ops_) {
      if (op->outcome != Outcome::kOk) continue;
      if (!(op->is_read ? CheckRead(*op) : CheckWrite(*op))) return false;
    }
    return true;
  }

 private:
  bool Wrong(const std::string& text) const {
    report_(text);
    return false;
  }
  const SimOp* WriterOf(const std::string& token) const {
    const auto found = writer_.find(token);
    return found == writer_.end() ? nullptr : found->second;
  }

  // What may be in a value, and what may not be twice.
  bool IsSound(const std::string& text, const std::string& where) const {
    std::set<std::string> seen;
    for (const std::string& token : Tokens(text)) {
      const SimOp* writer = WriterOf(token);
      if (writer == nullptr) return Wrong(where + ": nobody wrote " + token);
      if (writer->outcome == Outcome::kRefused) {
        return Wrong(where + ": was refused, and is there all the same: " + Describe(*writer));
      }
      if (!seen.insert(token).second) {
        return Wrong(where + ": applied twice: " + Describe(*writer));
      }
    }
    return true;
  }

  bool CheckWrite(const SimOp& op) const {
    if (!strict_) return true;
    const auto found = ends_.find(op.token);
    if (found == ends_.end()) return Wrong("lost: " + Describe(op));
    if (std::to_string(found->second) == ReplyText(op.told)) return true;
    return Wrong(Describe(op) + " was told the length " + std::string(ReplyText(op.told)) +
                 ", but ends at " + std::to_string(found->second));
  }

  bool CheckRead(const SimOp& op) const {
    const std::string text = Plain(ReplyText(op.told));
    for (const std::string& token : Tokens(text)) {
      const SimOp* writer = WriterOf(token);
      if (writer == nullptr || !IsLaterOfItsOwn(op, *writer)) continue;
      return Wrong(Describe(op) + " saw what its own session wrote later: " + Describe(*writer));
    }
    return strict_ ? CheckStrictly(op, text) : CheckAfterLoss(op, text);
  }

  // Nothing was lost: a read saw a beginning of the end, and all that was there before it.
  bool CheckStrictly(const SimOp& op, std::string text) const {
    if (!end_.starts_with(text)) text = WithoutUndone(text);
    if (!end_.starts_with(text)) {
      return Wrong(Describe(op) + " saw what is no beginning of the end: " + text.substr(0, 80));
    }
    for (const SimOp* write : ops_) {
      if (write->is_read || !Before(*write, op)) continue;
      const auto end = ends_.find(write->token);
      if (end != ends_.end() && end->second > text.size()) {
        return Wrong(Describe(op) + " did not see " + Describe(*write));
      }
    }
    return true;
  }

  // It may have seen writes that nobody was promised, and that a second fault undid.
  std::string WithoutUndone(const std::string& text) const {
    std::string kept;
    for (const std::string& token : Tokens(text)) {
      const SimOp* writer = WriterOf(token);
      const bool undone =
          writer != nullptr && !ends_.contains(token) && writer->outcome == Outcome::kUnknown;
      if (!undone) kept += token;
    }
    return kept;
  }

  // Data was lost, so that a miss is right, but not with something older still there.
  bool CheckAfterLoss(const SimOp& op, const std::string& text) const {
    if (!IsSound(text, Describe(op))) return false;
    if (!options_.all_acks || op.ended_us >= options_.old_from_us) return true;
    std::set<std::string> there;
    for (std::string& token : Tokens(text)) there.insert(std::move(token));
    for (const SimOp* write : ops_) {
      if (write->is_read || there.contains(write->token) || !Before(*write, op)) continue;
      for (const std::string& token : there) {
        if (!Before(*WriterOf(token), *write)) continue;
        return Wrong(Describe(op) + " did not see " + Describe(*write));
      }
    }
    return true;
  }

  const Ops& ops_;
  const std::string end_;
  const CheckOptions& options_;
  const bool strict_;
  const std::function<void(std::string)>& report_;
  std::unordered_map<std::string, const SimOp*> writer_;
  std::unordered_map<std::string, size_t> ends_;  // of each token, in the end
};

}  // namespace

void History::CheckList(const Ops& ops, const std::string* last, const CheckOptions& options,
                        const Report& report) {
  ListCheck(ops, last, options, report).Check();
}

}  // namespace gemel::sim

// The gate, and what it remembers. The sweep is in forget_sweep.cc.

#include "backend/forget/forget.h"

#include <algorithm>
#include <utility>

#include "backend/command/other_database.h"
#include "backend/command/second_copy.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"

namespace gemel {

namespace {

// Of one command, so that the node is not busy for long at a time, and a difference can be
// repaired.
constexpr size_t kKeysAtOnce = 64;
// What is held is gone through at most once in so many answers.
constexpr uint64_t kReleaseEvery = 64;

}  // namespace

Forget::Forget(ForgetPort shard, ShardEnv* env, ForgetOptions options)
    : shard_(shard), env_(env), options_(options), swept_(shard.info().swept) {}

void Forget::SetHistory(std::shared_ptr<const RingHistory> history, uint64_t now_ms) {
  rings_.emplace(std::move(history), shard_.info().name);
  allowed_ = false;
  progress_.Begin(now_ms);
  retry_ms_ = 0;
  Evaluate();
}

void Forget::AllowSweep(uint64_t now_ms) {
  allowed_ = true;
  allowed_ms_ = now_ms;
}

// What there is to do, by the rings and swept_.
void Forget::Evaluate() {
  round_.Abandon();
  const bool needed = rings_->MayHoldForeign(swept_);
  const bool one_ring = rings_->history().size() < 2;
  if (needed) {
    stage_ = Stage::kWait;
  } else {
    stage_ = one_ring || swept_ >= rings_->history().last_id() ? Stage::kIdle : Stage::kPropose;
  }
  guarding_ = needed && rings_->MayHaveSuspects(Since());
  if (!needed) marks_.Clear();
  shard_.set_gate(guarding_ ? this : nullptr);
}

// What a shard that is not swept holds is believed as far as the rings that are kept say. rings_
// may still have some that are not, from before every shard was swept for a later one.
HeldSince Forget::Since() const {
  return swept_ == 0 ? HeldSince{first_ring_, true} : HeldSince::Sweep(swept_);
}

// A mark counts for more than the last sweep, if it is of a later ring.
HeldSince Forget::SinceFor(const KeyMark* mark) const {
  const HeldSince since = Since();
  if (mark == nullptr || mark->ring < since.ring) return since;
  return {mark->ring, true};
}

bool Forget::MarksFull(size_t times) const {
  return marks_.Reaches(times * options_.mark_keys, times * options_.mark_bytes);
}

ShardGate::Verdict Forget::Before(const Request& request) {
  if (request.row == nullptr || request.frame.empty()) return Verdict::kPass;
  frame_.Split(request.frame);
  frame_.Find(request.row, request.database);
  bool swaps = false;
  bool unnamed = false;
  frame_.ForEachCommand(request.row, request.database, [&](const FrameKeys::Command& command) {
    if (command.row == nullptr) return;
    swaps |= SwapsDatabases(*command.row);
    unnamed |= ReadsUnnamedKeys(*command.row, command.args);
  });
  if (swaps) {
    refusal_ = "TRYAGAIN shard '" + shard_.info().name +
               "' is deleting old keys after a change of the ring, and knows them by their "
               "database; try again when PROXY SHARDS shows no sweep";
    return Verdict::kRefuse;
  }
  if (unnamed) {
    refusal_ = "TRYAGAIN shard '" + shard_.info().name +
               "' is deleting old keys after a change of the ring, and BY or GET may read some of "
               "them; try again when PROXY SHARDS shows no sweep";
    return Verdict::kRefuse;
  }
  Verdict verdict = Verdict::kPass;
  std::vector<std::string_view> suspects;
  for (size_t i = 0; i < frame_.size(); ++i) {
    const std::string_view key = frame_.key(i);
    const KeyMark* mark = marks_.Find(key);
    if (mark != nullptr && mark->pending != 0) {
      verdict = Verdict::kHold;
      continue;
    }
    if (!rings_->Of(KeyOf(key), SinceFor(mark)).suspect) continue;
    verdict = Verdict::kHold;
    if (mark == nullptr && MarksFull(2)) {
      refusal_ = "TRYAGAIN shard '" + shard_.info().name +
                 "' is deleting old keys after a change of the ring and cannot remember more of "
                 "those that were asked for; try again when PROXY SHARDS shows no sweep";
      return Verdict::kRefuse;
    }
    // One that is locked is asked about again when its lock opens.
    if (!refused_ && !shard_.IsKeyLocked(key)) suspects.push_back(key);
  }
  std::sort(suspects.begin(), suspects.end());
  suspects.erase(std::unique(suspects.begin(), suspects.end()), suspects.end());
  // In their order, those of a database stand together.
  for (size_t at = 0; at < suspects.size();) {
    const size_t first = at;
    while (at < suspects.size() && at < first + kKeysAtOnce &&
           DatabaseOf(suspects[at]) == DatabaseOf(suspects[first])) {
      ++at;
    }
    const std::vector<std::string_view> some(suspects.begin() + static_cast<std::ptrdiff_t>(first),
                                             suspects.begin() + static_cast<std::ptrdiff_t>(at));
    if (!Delete(some, some, Ask::What::kAccessDelete)) break;
  }
  return verdict;
}

// Sends UNLINK of the keys, all of one database, of which those `marked` are new from then on.
// False if no write can be sent now.
bool Forget::Delete(const std::vector<std::string_view>& keys,
                    const std::vector<std::string_view>& marked, Ask::What what) {
  std::vector<std::string_view> args = {"UNLINK"};
  for (const std::string_view key : keys) args.push_back(KeyOf(key));
  Ask* ask = asks_.New(what, round_.number, args);
  ask->database = DatabaseOf(keys[0]);
  if (!shard_.SendAhead(ask)) {
    asks_.Free(ask);
    return false;
  }
  ask->number = marks_.Sent();
  for (const std::string_view key : marked) {
    ask->marked.emplace_back(key);
    marks_.Set(key, rings_->history().last_id(), ask->number);
  }
  return true;
}

void Forget::OnDeleted(Ask* ask, const Reply& reply) {
  const bool ok = reply.bytes[0] == ':';
  marks_.Answered(ask->number, ask->marked, ok);
  if (ok) {
    int64_t count = 0;
    if (!ParseInteger(ReplyText(reply.bytes), &count)) count = 0;
    progress_.Deleted(static_cast<uint64_t>(count), ask->what == Ask::What::kAccessDelete);
  } else {
    round_.failed = true;
    round_.error = "UNLINK: " + std::string(ReplyText(reply.bytes));
  }
  const bool marked = !ask->marked.empty();
  // Requests must not ask a node that refuses as fast as it can refuse.
  if (!ok) refused_ = true;
  if (ask->what == Ask::What::kSweepDelete && ask->round == round_.number) round_.waiting = false;
  asks_.Free(ask);
  // Not after each one: that would go through all that is held each time.
  if (marked) ++answered_;
  if (answered_ > 0 &&
      (marks_.AwaitsNone() || answered_ >= std::max<uint64_t>(kReleaseEvery, shard_.held() / 8))) {
    answered_ = 0;
    shard_.ReleaseGated();
  }
  Advance();
}

void Forget::OnReply(Request* request, const Reply& reply) {
  Ask* ask = static_cast<Ask*>(request);
  switch (ask->what) {
    case Ask::What::kScan:
      OnScanned(ask, reply);
      return;
    case Ask::What::kSweepDelete:
    case Ask::What::kAccessDelete:
      OnDeleted(ask, reply);
      return;
    case Ask::What::kProve:
      OnProof(ask, reply);
      return;
  }
}

void Forget::Note(NoteLevel level, const std::string& text) {
  env_->Note(level, "shard '" + shard_.info().name + "': " + text);
}

}  // namespace gemel

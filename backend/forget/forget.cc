// The gate, and what it remembers. The sweep is in forget_sweep.cc.

#include "backend/forget/forget.h"

#include <algorithm>
#include <utility>

#include "backend/command/key_finder.h"
#include "backend/command/second_copy.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// Of one command, so that the node is not busy for long at a time, and a difference can be
// repaired.
constexpr size_t kKeysAtOnce = 64;
// What a key costs in memory besides its bytes.
constexpr size_t kMarkBytes = 64;
// No client has this number; deletions stand in no client's order.
constexpr uint32_t kNoSession = ~0u;
// What is held is gone through at most once in so many answers.
constexpr uint64_t kReleaseEvery = 64;

const CommandRow* FindRow(std::string_view name) {
  for (const CommandRow& row : BuiltinCommands()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace

Forget::Forget(ForgetPort shard, ShardEnv* env, ForgetOptions options)
    : shard_(shard),
      env_(env),
      options_(options),
      commands_{FindRow("unlink"), FindRow("scan"), FindRow("ping")},
      swept_(shard.info().swept),
      figures_(shard.figures()) {}

void Forget::SetHistory(std::shared_ptr<const RingHistory> history, uint64_t now_ms) {
  rings_.emplace(std::move(history), shard_.info().name);
  allowed_ = false;
  progress_.began_ms = now_ms;
  progress_.looked_at = progress_.deleted = progress_.on_access = 0;
  retry_ms_ = 0;
  Evaluate();
}

void Forget::AllowSweep(uint64_t now_ms) {
  allowed_ = true;
  allowed_ms_ = now_ms;
}

// What there is to do, by the rings and swept_.
void Forget::Evaluate() {
  ++round_.number;
  round_.waiting = false;
  const bool needed = rings_->MayHoldForeign(swept_);
  const bool one_ring = rings_->history().size() < 2;
  if (needed) {
    stage_ = Stage::kWait;
  } else {
    stage_ = one_ring || swept_ >= rings_->history().last_id() ? Stage::kIdle : Stage::kPropose;
  }
  guarding_ = needed && rings_->MayHaveSuspects(swept_);
  if (!needed) {
    marks_.clear();
    mark_bytes_ = 0;
  }
  shard_.set_gate(guarding_ ? this : nullptr);
}

// A mark counts for more than the last sweep, if it is of a later ring.
HeldSince Forget::SinceFor(const Marks::const_iterator& mark) const {
  if (mark == marks_.end() || mark->second.ring < swept_) return HeldSince::Sweep(swept_);
  return {mark->second.ring, true};
}

bool Forget::MarksFull(size_t times) const {
  return marks_.size() >= times * options_.mark_keys || mark_bytes_ >= times * options_.mark_bytes;
}

ShardGate::Verdict Forget::Before(const Request& request) {
  if (request.row == nullptr || request.frame.empty()) return Verdict::kPass;
  SplitFrame(request.frame, &args_);
  if (ReadsUnnamedKeys(*request.row, args_)) {
    deletions_.refusal =
        "TRYAGAIN shard '" + shard_.info().name +
        "' is deleting old keys after a change of the ring, and BY or GET may read some of "
        "them; try again when PROXY SHARDS shows no sweep";
    return Verdict::kRefuse;
  }
  if (!FindKeys(*request.row, args_, &places_)) return Verdict::kPass;
  Verdict verdict = Verdict::kPass;
  std::vector<std::string_view> suspects;
  for (const uint32_t place : places_) {
    const std::string_view key = args_[place];
    const auto mark = marks_.find(key);
    if (mark != marks_.end() && mark->second.pending != 0) {
      verdict = Verdict::kHold;
      continue;
    }
    if (!rings_->Of(key, SinceFor(mark)).suspect) continue;
    verdict = Verdict::kHold;
    if (mark == marks_.end() && MarksFull(2)) {
      deletions_.refusal =
          "TRYAGAIN shard '" + shard_.info().name +
          "' is deleting old keys after a change of the ring and cannot remember more of "
          "those that were asked for; try again when PROXY SHARDS shows no sweep";
      return Verdict::kRefuse;
    }
    // One that is locked is asked about again when its lock opens.
    if (!deletions_.refused && !shard_.IsKeyLocked(key)) suspects.push_back(key);
  }
  std::sort(suspects.begin(), suspects.end());
  suspects.erase(std::unique(suspects.begin(), suspects.end()), suspects.end());
  for (size_t at = 0; at < suspects.size(); at += kKeysAtOnce) {
    const std::vector<std::string_view> some(
        suspects.begin() + static_cast<std::ptrdiff_t>(at),
        suspects.begin() +
            static_cast<std::ptrdiff_t>(std::min(at + kKeysAtOnce, suspects.size())));
    if (!Delete(some, some, Ask::What::kAccessDelete)) break;
  }
  return verdict;
}

// Sends UNLINK of the keys, of which those `marked` are new from then on. False if no write can be
// sent now.
bool Forget::Delete(const std::vector<std::string_view>& keys,
                    const std::vector<std::string_view>& marked, Ask::What what) {
  std::vector<std::string_view> args = {"UNLINK"};
  args.insert(args.end(), keys.begin(), keys.end());
  Ask* ask = NewAsk(what, commands_.unlink, RequestKind::kWrite, args);
  if (!shard_.SendAhead(ask)) {
    Free(ask);
    return false;
  }
  ask->number = deletions_.next_number++;
  deletions_.in_flight.insert(ask->number);
  for (const std::string_view key : marked) {
    ask->marked.emplace_back(key);
    const auto [mark, added] =
        marks_.insert_or_assign(std::string(key), Mark{rings_->history().last_id(), ask->number});
    if (added) mark_bytes_ += key.size() + kMarkBytes;
  }
  return true;
}

void Forget::EraseMark(std::string_view key) {
  const auto mark = marks_.find(key);
  if (mark == marks_.end()) return;
  mark_bytes_ -= key.size() + kMarkBytes;
  marks_.erase(mark);
}

void Forget::OnDeleted(Ask* ask, const Reply& reply) {
  deletions_.in_flight.erase(ask->number);
  const bool ok = reply.bytes[0] == ':';
  for (const std::string& key : ask->marked) {
    const auto mark = marks_.find(key);
    if (mark == marks_.end() || mark->second.pending != ask->number) continue;
    if (ok) {
      mark->second.pending = 0;
    } else {
      EraseMark(key);
    }
  }
  if (ok) {
    int64_t count = 0;
    if (!ParseInteger(ReplyText(reply.bytes), &count)) count = 0;
    progress_.deleted += static_cast<uint64_t>(count);
    figures_.forgotten += static_cast<uint64_t>(count);
    if (ask->what == Ask::What::kAccessDelete) {
      progress_.on_access += static_cast<uint64_t>(count);
      figures_.on_access += static_cast<uint64_t>(count);
    }
  } else {
    round_.failed = true;
    round_.error = "UNLINK: " + std::string(ReplyText(reply.bytes));
  }
  const bool marked = !ask->marked.empty();
  // Requests must not ask a node that refuses as fast as it can refuse.
  if (!ok) deletions_.refused = true;
  if (ask->what == Ask::What::kSweepDelete && ask->round == round_.number) round_.waiting = false;
  Free(ask);
  // Not after each one: that would go through all that is held each time.
  if (marked) ++deletions_.answered;
  if (deletions_.answered > 0 &&
      (deletions_.in_flight.empty() ||
       deletions_.answered >= std::max<uint64_t>(kReleaseEvery, shard_.held() / 8))) {
    deletions_.answered = 0;
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

Forget::Ask* Forget::NewAsk(Ask::What what, const CommandRow* row, RequestKind kind,
                            const std::vector<std::string_view>& args) {
  if (asks_.free.empty()) {
    asks_.all.push_back(std::make_unique<Ask>());
    asks_.free.push_back(asks_.all.back().get());
  }
  Ask* ask = asks_.free.back();
  asks_.free.pop_back();
  ask->what = what;
  ask->round = round_.number;
  ask->kind = kind;
  ask->primary_only = true;
  ask->session = kNoSession;
  ask->sink = this;
  ask->row = row;
  ask->text.clear();
  AppendCommand(&ask->text, args);
  ask->frame = ask->text;
  return ask;
}

void Forget::Free(Ask* ask) {
  ask->marked.clear();
  if (ask->extra != nullptr) ask->extra->owned.Clear();
  asks_.free.push_back(ask);
}

void Forget::Note(NoteLevel level, const std::string& text) {
  env_->Note(level, "shard '" + shard_.info().name + "': " + text);
}

}  // namespace gemel

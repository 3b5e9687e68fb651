// The sweep: SCAN of the primary, deletion of what must go, proof that all copies have applied
// that, and the edit that says so.

#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

#include "backend/forget/forget.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"

namespace gemel {

namespace {

constexpr size_t kSweepBatch = 64;
constexpr std::string_view kSweepScanCount = "100";
// Against the rate, of a key deleted.
constexpr double kLookCost = 0.1;
constexpr uint64_t kSweepRetryMs = 1000;

std::string SweepSeconds(uint64_t ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", static_cast<double>(ms) / 1000);
  return text;
}

}  // namespace

void Forget::Tick(uint64_t now_ms) {
  const double rate = options_.keys_per_s;
  tokens_.Refill(now_ms, rate, std::max<double>(kSweepBatch, rate / 20), /*longest_ms=*/1000);
  if (std::exchange(refused_, false)) shard_.ReleaseGated();
  if (!rings_ || stopped_) return;
  if (shard_.info().swept < swept_) {
    // A stale copy was forced, or a process restarted: old keys may be back.
    swept_ = shard_.info().swept;
    first_ring_ = shard_.first_ring();
    progress_.Begin(now_ms);
    Evaluate();
  }
  Advance();
}

bool Forget::Limited() const { return options_.keys_per_s != 0 && !MarksFull(1); }

void Forget::Advance() {
  if (advancing_) return;
  advancing_ = true;
  while (!stopped_ && rings_ && Step()) {
  }
  advancing_ = false;
}

// False if there is something to wait for.
bool Forget::Step() {
  switch (stage_) {
    case Stage::kIdle:
      return false;
    case Stage::kWait:
      if (!allowed_ || env_->NowMs() < retry_ms_ || shard_.HoldsFrom(allowed_ms_) ||
          !shard_.PrimaryReady()) {
        return false;
      }
      BeginRound();
      return true;
    case Stage::kScan:
    case Stage::kDelete:
    case Stage::kProve:
      if (!RoundStands()) {
        Restart("the primary or its connection changed", 0);
        return false;
      }
      if (round_.failed) {
        Restart(round_.error, kSweepRetryMs);
        return false;
      }
      if (round_.waiting) return false;
      return stage_ == Stage::kScan ? Scan() : stage_ == Stage::kDelete ? DeleteBatch() : Prove();
    case Stage::kPropose:
      Propose();
      return false;
  }
  return false;
}

bool Forget::RoundStands() const {
  return shard_.info().primary == round_.primary &&
         shard_.ConnectionOf(round_.primary) == round_.connection;
}

void Forget::BeginRound() {
  if (progress_.looked_at() == 0) {
    Note(NoteLevel::kInfo, "keys that ring " + std::to_string(rings_->history().last_id()) +
                               " gives to other shards, or that may be old, are being deleted");
  }
  const uint32_t primary = shard_.info().primary;
  round_.Begin(primary, shard_.ConnectionOf(primary), shard_.databases());
  stage_ = Stage::kScan;
}

void Forget::Restart(const std::string& why, uint64_t after_ms) {
  if (after_ms == 0 || why != round_.told) {
    Note(NoteLevel::kWarn, "the deletion of old keys begins anew: " + why);
  }
  round_.told = why;
  round_.Abandon();
  retry_ms_ = env_->NowMs() + after_ms;
  stage_ = Stage::kWait;
}

bool Forget::Scan() {
  if (!round_.keys.empty()) {
    stage_ = Stage::kDelete;
    return true;
  }
  if (round_.scan.done()) {
    // All of these must be answered without an error, also those for requests: the scan passed
    // over their keys.
    if (round_.last_number == 0) round_.last_number = marks_.next_number();
    if (marks_.AwaitsBefore(round_.last_number)) return false;
    stage_ = Stage::kProve;
    return true;
  }
  if ((Limited() && !tokens_.Has(1)) || !shard_.InSyncAndUp(round_.primary)) return false;
  Ask* ask = asks_.New(Ask::What::kScan, round_.number,
                       {"SCAN", round_.scan.cursor(), "COUNT", kSweepScanCount});
  ask->database = round_.scan.database();
  ask->copy = round_.primary;
  round_.waiting = true;
  shard_.SendTo(round_.primary, ask);
  return false;
}

void Forget::OnScanned(Ask* ask, const Reply& reply) {
  const bool ours = ask->round == round_.number;
  const bool by_primary = ask->tried == Bit(ask->copy);
  asks_.Free(ask);
  if (!ours) return;
  round_.waiting = false;
  if (!by_primary || !RoundStands()) {
    Restart("the primary or its connection changed", 0);
    return;
  }
  std::vector<std::string> keys;
  const std::string error = round_.scan.OnReply(reply.bytes, &keys);
  if (!error.empty()) {
    Restart(error, kSweepRetryMs);
    return;
  }
  progress_.LookedAt(keys.size());
  tokens_.Take(kLookCost * static_cast<double>(keys.size()));
  for (std::string& key : keys) {
    const ShardRings::Standing standing = rings_->Of(KeyOf(key), Since());
    if (!standing.owned || standing.suspect) round_.keys.push_back(std::move(key));
  }
  Advance();
}

// What must go is judged in the very moment of sending: a key that was deleted for a request
// meanwhile is new.
bool Forget::DeleteBatch() {
  if (round_.keys.empty()) {
    stage_ = Stage::kScan;
    return true;
  }
  size_t room = kSweepBatch;
  if (Limited()) {
    if (!tokens_.Has(1)) return false;
    room = std::min(room, static_cast<size_t>(tokens_.left()));
  }
  std::vector<std::string> batch;
  std::vector<bool> owned;
  for (size_t left = round_.keys.size(); left > 0 && batch.size() < room; --left) {
    std::string key = std::move(round_.keys.front());
    round_.keys.pop_front();
    if (shard_.IsKeyLocked(key)) {
      round_.keys.push_back(std::move(key));
      continue;
    }
    const KeyMark* mark = marks_.Find(key);
    const ShardRings::Standing standing = rings_->Of(KeyOf(key), SinceFor(mark));
    if (standing.owned && (!standing.suspect || (mark != nullptr && mark->pending != 0))) {
      continue;
    }
    if (!batch.empty() && DatabaseOf(batch[0]) != DatabaseOf(key)) {
      round_.keys.push_back(std::move(key));  // of the next command
      continue;
    }
    batch.push_back(std::move(key));
    owned.push_back(standing.owned);
  }
  if (batch.empty()) return round_.keys.empty();
  std::vector<std::string_view> all(batch.begin(), batch.end());
  std::vector<std::string_view> marked;
  for (size_t i = 0; i < batch.size(); ++i) {
    // Without a gate nobody asks, and nothing is suspect.
    if (owned[i]) marked.push_back(batch[i]);
  }
  if (!Delete(all, marked, Ask::What::kSweepDelete)) {
    for (std::string& key : batch) round_.keys.push_back(std::move(key));
    return false;
  }
  round_.waiting = true;
  tokens_.Take(static_cast<double>(batch.size()));
  return false;
}

// With ack = "any" and "primary" a deletion is answered before every copy has applied it.
bool Forget::Prove() {
  if (round_.proofs > 0) return false;
  if (round_.proven) {
    stage_ = Stage::kPropose;
    return true;
  }
  const CopyMask copies = shard_.in_sync();
  for (CopyMask rest = copies; rest != 0; rest &= rest - 1) {
    if (!shard_.InSyncAndUp(static_cast<uint32_t>(std::countr_zero(rest)))) return false;
  }
  round_.proven = true;  // until one says otherwise
  round_.proofs = static_cast<uint32_t>(std::popcount(copies));
  for (CopyMask rest = copies; rest != 0; rest &= rest - 1) {
    Ask* ask = asks_.New(Ask::What::kProve, round_.number, {"PING"});
    ask->copy = static_cast<uint32_t>(std::countr_zero(rest));
    ask->connection = shard_.ConnectionOf(ask->copy);
    shard_.SendTo(ask->copy, ask);
  }
  return false;
}

void Forget::OnProof(Ask* ask, const Reply& reply) {
  const bool good = ask->round == round_.number && ask->tried == Bit(ask->copy) &&
                    reply.bytes[0] == '+' && shard_.ConnectionOf(ask->copy) == ask->connection;
  const bool ours = ask->round == round_.number;
  asks_.Free(ask);
  --round_.proofs;
  if (!ours) return;
  if (!good) round_.proven = false;
  // A proof that failed is asked for again by the next Tick.
  if (round_.proofs == 0 && round_.proven) Advance();
}

void Forget::Propose() {
  // Behind an edit that brings old keys back this one would be wrong; before it, it is right.
  if (proposing_ || shard_.editing() || env_->NowMs() < retry_ms_) return;
  proposing_ = true;
  const uint64_t ring = rings_->history().last_id();
  Edit edit{EditKind::kSwept, shard_.info().name, {}, {}, "no key of other shards is left"};
  edit.ring = ring;
  env_->Propose(std::move(edit),
                alive_.Guard([this, ring](const EditResult& result) { OnProposed(ring, result); }));
}

void Forget::OnProposed(uint64_t ring, const EditResult& result) {
  proposing_ = false;
  const bool last = ring == rings_->history().last_id();
  if (!result.ok) {
    if (last && stage_ == Stage::kPropose) {
      retry_ms_ = env_->NowMs() + kSweepRetryMs;
      Note(NoteLevel::kError,
           "could not mark swept for ring " + std::to_string(ring) + ": " + result.error);
    }
    return;
  }
  const int at = result.topology->IndexOf(shard_.info().name);
  swept_ = at < 0 ? ring : result.topology->shards[static_cast<size_t>(at)].swept;
  shard_.set_swept(swept_);
  // Unless the ring changed meanwhile, or old keys came back: then the rest begins from here.
  if (swept_ >= rings_->history().last_id()) {
    Finish();
  } else {
    Evaluate();
  }
}

void Forget::Finish() {
  if (progress_.looked_at() > 0 || progress_.deleted() > 0) {
    Note(NoteLevel::kInfo,
         "no old keys are left after the change to ring " + std::to_string(swept_) + ": " +
             std::to_string(progress_.looked_at()) + " keys looked at, " +
             std::to_string(progress_.deleted()) + " deleted (" +
             std::to_string(progress_.on_access()) + " of them when they were asked for) in " +
             SweepSeconds(env_->NowMs() - progress_.began_ms()) + " s");
  }
  progress_.Complete();
  Evaluate();
}

std::string Forget::note() const {
  if (!active()) return {};
  return "ring " + std::to_string(rings_->history().last_id()) + ": " +
         std::to_string(progress_.looked_at()) + " keys looked at, " +
         std::to_string(progress_.deleted()) + " deleted";
}

}  // namespace gemel

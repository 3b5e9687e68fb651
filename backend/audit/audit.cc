#include "backend/audit/audit.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr size_t kBatch = 64;
constexpr std::string_view kScanCount = "64";
// So much of values counts as one key more against the background's rate.
constexpr uint64_t kBytesAKey = 4096;
// What differs may be a repair under way, or a key that is just expiring.
constexpr uint64_t kConfirmMs = 20;
constexpr uint64_t kTryAgainMs = 20;
constexpr uint32_t kMaxTries = 5;
// A round that cannot go on for so long ends.
constexpr uint64_t kStuckMs = 30 * 1000;
// After a round that ended early.
constexpr uint64_t kRetryMs = 10 * 1000;
// How often a wanted round is repeated for keys that it left open, and how soon: twice as late each
// time.
constexpr uint32_t kMostRepeats = 10;
constexpr uint64_t kFirstRepeatMs = 100;
constexpr size_t kMaxWaiting = 64;
constexpr size_t kMaxKeyName = 64 * 1024;
constexpr uint32_t kMaxNotes = 20;

}  // namespace

Audit::Audit(AuditPort shard, ShardEnv* env, AuditConfig config)
    : shard_(shard), env_(env), config_(config), comparison_(shard, config.max_value) {
  shard_.set_handler([this](Request* request) { OnRequest(request); });
}

void Audit::set_config(const AuditConfig& config) {
  if (config.interval_s != config_.interval_s) {
    next_ms_ = ticked_ms_ + uint64_t{config.interval_s} * 1000;
  }
  config_ = config;
  comparison_.set_max_value(config.max_value);
}

Audit::~Audit() {
  Stop();
  shard_.set_handler(nullptr);
}

void Audit::Stop(const std::string& why) {
  if (stopped_) return;
  stopped_ = true;
  if (round_.running) End(why);
  AuditWaiters::AnswerError(&waiters_.waiting, "ERR " + why);
}

void Audit::OnRequest(Request* request) {
  std::vector<Request*> one = {request};
  if (stopped_) {
    AuditWaiters::AnswerError(&one, "ERR gemel is being stopped");
  } else if (waiters_.waiting.size() >= kMaxWaiting) {
    AuditWaiters::AnswerError(&one, "TRYAGAIN shard '" + shard_.info().name +
                                        "': too many wait for the next audit already");
  } else {
    if (waiters_.waiting.empty()) waiters_.waiting_since_ms = env_->NowMs();
    // Tick begins it: here somebody may be in the middle of a step.
    waiters_.waiting.push_back(request);
  }
}

void Audit::Tick(uint64_t now_ms) {
  if (stopped_) return;
  if (ticked_ms_ == 0) {
    ticked_ms_ = now_ms;
    next_ms_ = now_ms + uint64_t{config_.interval_s} * 1000;
  }
  ticked_ms_ = now_ms;
  const double rate = config_.keys_per_s;
  tokens_.Refill(now_ms, rate, std::max<double>(kBatch, rate / 20), /*longest_ms=*/1000);
  if (round_.running && waiters_.served.empty() && !waiters_.waiting.empty()) {
    End("a full audit was asked for");
  }
  if (round_.running) {
    Advance();
  } else {
    TryBegin(now_ms);
  }
}

std::string Audit::OneCopyText() const {
  return "ERR shard '" + shard_.info().name + "' has one copy in sync (" +
         shard_.info().copies[shard_.info().primary].node +
         "), so there is nothing to compare it with";
}

void Audit::TryBegin(uint64_t now_ms) {
  if (round_.running) return;
  const bool several = std::popcount(shard_.in_sync()) > 1;
  if (!waiters_.waiting.empty()) {
    if (!several) {
      AuditWaiters::AnswerError(&waiters_.waiting, OneCopyText());
    } else if (shard_.CanCompare()) {
      Begin(std::exchange(waiters_.waiting, {}));
    } else if (now_ms >= waiters_.waiting_since_ms + kStuckMs) {
      AuditWaiters::AnswerError(&waiters_.waiting,
                                "CLUSTERDOWN shard '" + shard_.info().name +
                                    "' is not ready: not every copy in sync can be reached, or its "
                                    "roles are changing");
    }
    return;
  }
  if (wanted_ && now_ms >= wanted_from_ms_ && several && shard_.CanCompare() &&
      shard_.CopyToResync() < 0) {
    wanted_ = false;
    urgent_ = true;
    Begin({});
    return;
  }
  if (config_.interval_s == 0 || now_ms < next_ms_ || !several || !shard_.CanCompare() ||
      shard_.CopyToResync() >= 0) {
    return;
  }
  Begin({});
}

void Audit::Begin(std::vector<Request*> requests) {
  round_.running = true;
  waiters_.served = std::move(requests);
  round_.progress_ms = env_->NowMs();
  tally_.Begin(round_.progress_ms);
  round_.epoch = shard_.info().epoch;
  round_.copies = shard_.in_sync();
  round_.notes = round_.open = 0;
  round_.scan.Begin(shard_.info().primary, round_.copies, shard_.databases());
  round_.batch.Begin();
  comparison_.Reset();
  Advance();
}

// Why the round cannot be brought to its end, or empty.
std::string Audit::Obstacle() const {
  if (shard_.info().epoch != round_.epoch || shard_.in_sync() != round_.copies) {
    return "the roles of the copies changed";
  }
  if (env_->NowMs() >= round_.progress_ms + kStuckMs) {
    return "the copies could not be compared for " + std::to_string(kStuckMs / 1000) + " s" +
           (round_.scan.error.empty() ? "" : ": " + round_.scan.error);
  }
  return {};
}

void Audit::End(const std::string& early) {
  const uint64_t now_ms = env_->NowMs();
  round_.running = false;
  if (round_.busy) {
    round_.busy = false;
    comparison_.Reset();
    shard_.DropCompare();
  }
  if (early.empty()) tally_.Complete();
  if (urgent_ && !early.empty()) {
    wanted_ = true;
  } else if (urgent_ && round_.open > 0 && repeats_ < kMostRepeats) {
    wanted_ = true;
    wanted_from_ms_ = now_ms + (kFirstRepeatMs << repeats_++);
  }
  urgent_ = false;
  const uint64_t interval_ms = uint64_t{config_.interval_s} * 1000;
  next_ms_ = now_ms + (early.empty() ? interval_ms : std::min(interval_ms, kRetryMs));
  const bool wrong = tally_.differences() > 0;
  if (wrong || !waiters_.served.empty() || early.empty()) {
    Note(wrong ? NoteLevel::kWarn : NoteLevel::kInfo,
         tally_.Text(now_ms) + (early.empty() ? "" : "; ended early: " + early));
  }
  const std::string reply = tally_.Reply(shard_.info().name, now_ms, early);
  AuditWaiters::Answer(&waiters_.served, reply);
}

void Audit::Advance() {
  if (advancing_) return;
  advancing_ = true;
  while (round_.running && !round_.busy && Step()) {
  }
  advancing_ = false;
}

// False if there is something to wait for.
bool Audit::Step() {
  if (const std::string why = Obstacle(); !why.empty()) {
    End(why);
    return false;
  }
  if (env_->NowMs() < round_.batch.wait_until_ms) return false;
  // One that an earlier round left is not answered yet.
  if (shard_.comparing() || !shard_.CanCompare()) return false;
  switch (round_.batch.stage) {
    case Stage::kScan:
      return NextBatch();
    case Stage::kFilter:
      return Filter();
    case Stage::kCompare:
      return CompareBatch(/*thorough=*/false);
    case Stage::kConfirm:
    case Stage::kRecheck:
      return !BatchIsLocked() && CompareBatch(/*thorough=*/true);
  }
  return false;
}

bool Audit::NextBatch() {
  const bool background = waiters_.served.empty() && !urgent_;
  if (background && (!tokens_.Has(1) || shard_.CopyToResync() >= 0)) {
    round_.progress_ms = env_->NowMs();  // it waits because it means to
    return false;
  }
  if (round_.scan.keys.empty()) {
    if (!round_.scan.walk.done()) {
      if (background) tokens_.Take(1);
      return Scan();
    }
    if (round_.scan.NextCopy()) return true;
    End({});
    return false;
  }
  size_t count = std::min(round_.scan.keys.size(), kBatch);
  if (background) count = std::min(count, static_cast<size_t>(tokens_.left()));
  round_.batch.keys.clear();
  for (; count > 0; --count) {
    if (background) tokens_.Take(1);
    if (round_.scan.keys.front().size() <= kMaxKeyName) {
      round_.batch.keys.push_back(std::move(round_.scan.keys.front()));
    } else {
      tally_.Skipped();
    }
    round_.scan.keys.pop_front();
  }
  round_.batch.tries = 0;
  if (!round_.batch.keys.empty()) {
    round_.batch.stage =
        round_.scan.copy == shard_.info().primary ? Stage::kCompare : Stage::kFilter;
  }
  return true;
}

bool Audit::Scan() {
  const std::string_view args[] = {"SCAN", round_.scan.walk.cursor(), "COUNT", kScanCount};
  CompareRead read{{}, round_.scan.walk.database()};
  AppendCommand(&read.frame, args);
  round_.scan.error.clear();
  round_.busy = shard_.Compare({&read, 1}, Bit(round_.scan.copy), this);
  return false;
}

// Most of what another copy has was compared when the primary was scanned.
bool Audit::Filter() {
  std::vector<CompareRead> reads(round_.batch.keys.size());
  for (size_t i = 0; i < round_.batch.keys.size(); ++i) {
    const std::string_view args[] = {"EXISTS", KeyOf(round_.batch.keys[i])};
    AppendCommand(&reads[i].frame, args);
    reads[i].database = DatabaseOf(round_.batch.keys[i]);
  }
  round_.batch.everywhere.assign(round_.batch.keys.size(), true);
  round_.busy = shard_.Compare(reads, round_.copies, this);
  return false;
}

bool Audit::CompareBatch(bool thorough) {
  round_.busy = comparison_.Begin(round_.batch.keys, thorough, [this](bool known) {
    round_.busy = false;
    OnCompared(known);
    Advance();
  });
  return false;
}

void Audit::OnCompareReply(uint32_t index, uint32_t, std::string_view reply) {
  if (round_.batch.stage == Stage::kFilter) {
    if (ReplyText(reply) != "1" || reply[0] != ':') round_.batch.everywhere[index] = false;
    return;
  }
  round_.scan.Take(reply);
}

void Audit::OnCompareEnd(bool known) {
  round_.busy = false;
  if (!known || (round_.batch.stage == Stage::kScan && !round_.scan.error.empty())) {
    round_.batch.wait_until_ms = env_->NowMs() + kTryAgainMs;
    return;
  }
  round_.progress_ms = env_->NowMs();
  if (round_.batch.stage == Stage::kFilter) round_.batch.KeepOdd();
  Advance();
}

bool Audit::BatchIsLocked() const {
  return std::any_of(round_.batch.keys.begin(), round_.batch.keys.end(),
                     [this](const std::string& key) { return shard_.IsKeyLocked(key); });
}

void Audit::OnCompared(bool known) {
  if (!round_.running) return;
  if (!known || shard_.info().epoch != round_.epoch || shard_.in_sync() != round_.copies) {
    TryAgain();
    return;
  }
  round_.progress_ms = env_->NowMs();
  tokens_.Take(static_cast<double>(comparison_.bytes() / kBytesAKey));
  round_.batch.suspects.clear();
  for (size_t i = 0; i < round_.batch.keys.size(); ++i) {
    OnKeyCompared(round_.batch.keys[i], comparison_.verdict(i));
  }
  round_.batch.NextStage(env_->NowMs() + kConfirmMs);
}

void Audit::OnKeyCompared(const std::string& key, const KeyVerdict& verdict) {
  const bool recheck = round_.batch.stage == Stage::kRecheck;
  switch (verdict.kind) {
    case KeyVerdict::Kind::kDiffers:
      // If it is locked, somebody has seen it already and is repairing it.
      if (round_.batch.stage == Stage::kCompare || shard_.IsKeyLocked(key)) {
        round_.batch.suspects.push_back(key);
      } else if (recheck) {
        ++round_.open;
        NoteKey(NoteLevel::kError, key, "still differs after its repair: " + verdict.why);
      } else {
        Repair(key, verdict);
      }
      return;
    case KeyVerdict::Kind::kUnknown:
      if (round_.batch.tries < kMaxTries) {
        round_.batch.suspects.push_back(key);
        return;
      }
      round_.open += verdict.passing ? 1 : 0;
      break;
    case KeyVerdict::Kind::kEqual:
    case KeyVerdict::Kind::kSkipped:
      if (recheck) {
        tally_.Repaired();
        return;
      }
      if (verdict.kind == KeyVerdict::Kind::kSkipped) break;
      tally_.Compared();
      return;
  }
  if (recheck) return;  // it is counted already
  tally_.Skipped();
}

void Audit::Repair(const std::string& key, const KeyVerdict& verdict) {
  tally_.Compared();
  tally_.Differs();
  const bool begun = shard_.RepairKey(key, verdict.differ);
  NoteKey(
      NoteLevel::kWarn, key,
      "differs: " + verdict.why +
          (begun ? "; it is being made equal to the primary's" : "; it cannot be repaired now"));
  if (begun) {
    round_.batch.repaired.push_back(key);
  } else {
    ++round_.open;
  }
}

// After a comparison that was lost. Obstacle ends the round if that goes on.
void Audit::TryAgain() { round_.batch.wait_until_ms = env_->NowMs() + kTryAgainMs; }

void Audit::NoteKey(NoteLevel level, const std::string& key, const std::string& text) {
  if (++round_.notes > kMaxNotes) return;  // the end of the round says how many there were
  Note(level, "key " + PrintableName(key) + " " + text);
}

void Audit::Note(NoteLevel level, const std::string& text) {
  env_->Note(level, "shard '" + shard_.info().name + "': audit: " + text);
}

}  // namespace gemel

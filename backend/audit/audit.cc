#include "backend/audit/audit.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

#include "backend/events/printable_key.h"
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
constexpr size_t kMaxWaiting = 64;
constexpr size_t kMaxKeyName = 64 * 1024;
constexpr uint32_t kMaxNotes = 20;

std::string Seconds(uint64_t ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", static_cast<double>(ms) / 1000);
  return text;
}

}  // namespace

Audit::Audit(AuditPort shard, ShardEnv* env, AuditConfig config)
    : shard_(shard),
      env_(env),
      config_(config),
      comparison_(shard, config.max_value),
      figures_(shard.figures()) {
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

void Audit::Stop() {
  if (stopped_) return;
  stopped_ = true;
  if (running_) End("gemel is being stopped");
  AnswerError(&asking_.waiting, "ERR gemel is being stopped");
}

void Audit::OnRequest(Request* request) {
  std::vector<Request*> one = {request};
  if (stopped_) {
    AnswerError(&one, "ERR gemel is being stopped");
  } else if (asking_.waiting.size() >= kMaxWaiting) {
    AnswerError(&one, "TRYAGAIN shard '" + shard_.info().name +
                          "': too many wait for the next audit already");
  } else {
    if (asking_.waiting.empty()) asking_.since_ms = env_->NowMs();
    asking_.waiting.push_back(
        request);  // Tick begins it: here somebody may be in the middle of a step
  }
}

void Audit::Tick(uint64_t now_ms) {
  if (stopped_) return;
  if (ticked_ms_ == 0) {
    ticked_ms_ = now_ms;
    next_ms_ = now_ms + uint64_t{config_.interval_s} * 1000;
  }
  const double passed_ms = static_cast<double>(std::min<uint64_t>(now_ms - ticked_ms_, 1000));
  ticked_ms_ = now_ms;
  const double rate = config_.keys_per_s;
  tokens_ = std::min(tokens_ + rate * passed_ms / 1000, std::max<double>(kBatch, rate / 20));
  if (running_ && asking_.served.empty() && !asking_.waiting.empty())
    End("a full audit was asked for");
  if (running_) {
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
  if (running_) return;
  const bool several = std::popcount(shard_.in_sync()) > 1;
  if (!asking_.waiting.empty()) {
    if (!several) {
      AnswerError(&asking_.waiting, OneCopyText());
    } else if (shard_.CanCompare()) {
      Begin(std::exchange(asking_.waiting, {}));
    } else if (now_ms >= asking_.since_ms + kStuckMs) {
      AnswerError(&asking_.waiting,
                  "CLUSTERDOWN shard '" + shard_.info().name +
                      "' is not ready: not every copy in sync can be reached, or its "
                      "roles are changing");
    }
    return;
  }
  if (config_.interval_s == 0 || now_ms < next_ms_ || !several || !shard_.CanCompare() ||
      shard_.CopyToResync() >= 0) {
    return;
  }
  Begin({});
}

void Audit::Begin(std::vector<Request*> requests) {
  running_ = true;
  asking_.served = std::move(requests);
  round_ = Round();
  round_.began_ms = progress_ms_ = env_->NowMs();
  epoch_ = shard_.info().epoch;
  copies_ = shard_.in_sync();
  notes_ = 0;
  scanning_.copy = shard_.info().primary;
  scanning_.to_come = copies_ & ~Bit(scanning_.copy);
  scanning_.cursor = "0";
  scanning_.keys.clear();
  batch_.keys.clear();
  batch_.suspects.clear();
  batch_.repaired.clear();
  batch_.stage = Stage::kScan;
  batch_.tries = 0;
  batch_.wait_until_ms = 0;
  comparison_.Reset();
  Advance();
}

// Why the round cannot be brought to its end, or empty.
std::string Audit::Obstacle() const {
  if (shard_.info().epoch != epoch_ || shard_.in_sync() != copies_) {
    return "the roles of the copies changed";
  }
  if (env_->NowMs() >= progress_ms_ + kStuckMs) {
    return "the copies could not be compared for " + std::to_string(kStuckMs / 1000) + " s" +
           (scanning_.error.empty() ? "" : ": " + scanning_.error);
  }
  return {};
}

void Audit::End(const std::string& early) {
  const uint64_t now_ms = env_->NowMs();
  running_ = false;
  if (busy_) {
    busy_ = false;
    comparison_.Reset();
    shard_.DropCompare();
  }
  if (early.empty()) ++figures_.audits;
  const uint64_t interval_ms = uint64_t{config_.interval_s} * 1000;
  next_ms_ = now_ms + (early.empty() ? interval_ms : std::min(interval_ms, kRetryMs));
  const bool wrong = round_.differences > 0;
  if (wrong || !asking_.served.empty() || early.empty()) {
    Note(wrong ? NoteLevel::kWarn : NoteLevel::kInfo,
         RoundText(round_, now_ms) + (early.empty() ? "" : "; ended early: " + early));
  }
  const std::string reply = RoundReply(round_, now_ms, early);
  Answer(&asking_.served, reply);
}

void Audit::Advance() {
  if (advancing_) return;
  advancing_ = true;
  while (running_ && !busy_ && Step()) {
  }
  advancing_ = false;
}

// False if there is something to wait for.
bool Audit::Step() {
  if (const std::string why = Obstacle(); !why.empty()) {
    End(why);
    return false;
  }
  if (env_->NowMs() < batch_.wait_until_ms) return false;
  // One that an earlier round left is not answered yet.
  if (shard_.comparing() || !shard_.CanCompare()) return false;
  switch (batch_.stage) {
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
  const bool background = asking_.served.empty();
  if (background && (tokens_ < 1 || shard_.CopyToResync() >= 0)) {
    progress_ms_ = env_->NowMs();  // it waits because it means to
    return false;
  }
  if (scanning_.keys.empty()) {
    if (!scanning_.cursor.empty()) {
      if (background) tokens_ -= 1;
      return Scan();
    }
    if (scanning_.to_come == 0) {
      End({});
      return false;
    }
    scanning_.copy = static_cast<uint32_t>(std::countr_zero(scanning_.to_come));
    scanning_.to_come &= scanning_.to_come - 1;
    scanning_.cursor = "0";
    return true;
  }
  size_t count = std::min(scanning_.keys.size(), kBatch);
  if (background) count = std::min(count, static_cast<size_t>(tokens_));
  batch_.keys.clear();
  for (; count > 0; --count) {
    if (background) tokens_ -= 1;
    if (scanning_.keys.front().size() <= kMaxKeyName) {
      batch_.keys.push_back(std::move(scanning_.keys.front()));
    } else {
      ++round_.skipped;
      ++figures_.skipped;
    }
    scanning_.keys.pop_front();
  }
  batch_.tries = 0;
  if (!batch_.keys.empty()) {
    batch_.stage = scanning_.copy == shard_.info().primary ? Stage::kCompare : Stage::kFilter;
  }
  return true;
}

bool Audit::Scan() {
  const std::string_view args[] = {"SCAN", scanning_.cursor, "COUNT", kScanCount};
  std::string frame;
  AppendCommand(&frame, args);
  scanning_.error.clear();
  busy_ = shard_.Compare({&frame, 1}, Bit(scanning_.copy), this);
  return false;
}

// Most of what another copy has was compared when the primary was scanned.
bool Audit::Filter() {
  std::vector<std::string> frames(batch_.keys.size());
  for (size_t i = 0; i < batch_.keys.size(); ++i) {
    const std::string_view args[] = {"EXISTS", batch_.keys[i]};
    AppendCommand(&frames[i], args);
  }
  batch_.everywhere.assign(batch_.keys.size(), true);
  busy_ = shard_.Compare(frames, copies_, this);
  return false;
}

bool Audit::CompareBatch(bool thorough) {
  busy_ = comparison_.Begin(batch_.keys, thorough, [this](bool known) {
    busy_ = false;
    OnCompared(known);
    Advance();
  });
  return false;
}

void Audit::OnCompareReply(uint32_t index, uint32_t, std::string_view reply) {
  if (batch_.stage == Stage::kFilter) {
    if (ReplyText(reply) != "1" || reply[0] != ':') batch_.everywhere[index] = false;
    return;
  }
  std::vector<std::string_view> parts;
  std::vector<std::string_view> names;
  if (!SplitArray(reply, &parts) || parts.size() != 2 || !SplitArray(parts[1], &names)) {
    scanning_.error = "SCAN: " + std::string(reply[0] == '-' ? ReplyText(reply) : "an odd reply");
    return;
  }
  scanning_.cursor = ReplyText(parts[0]);
  if (scanning_.cursor == "0") scanning_.cursor.clear();
  std::vector<std::string_view> keys;
  for (std::string_view name : names) keys.push_back(ReplyText(name));
  // A table that is growing may name a key twice.
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  scanning_.keys.assign(keys.begin(), keys.end());
}

void Audit::OnCompareEnd(bool known) {
  busy_ = false;
  if (!known || (batch_.stage == Stage::kScan && !scanning_.error.empty())) {
    batch_.wait_until_ms = env_->NowMs() + kTryAgainMs;
    return;
  }
  progress_ms_ = env_->NowMs();
  if (batch_.stage == Stage::kFilter) {
    std::vector<std::string> odd;
    for (size_t i = 0; i < batch_.keys.size(); ++i) {
      if (!batch_.everywhere[i]) odd.push_back(std::move(batch_.keys[i]));
    }
    batch_.keys = std::move(odd);
    batch_.stage = batch_.keys.empty() ? Stage::kScan : Stage::kCompare;
  }
  Advance();
}

bool Audit::BatchIsLocked() const {
  return std::any_of(batch_.keys.begin(), batch_.keys.end(),
                     [this](const std::string& key) { return shard_.IsKeyLocked(key); });
}

void Audit::OnCompared(bool known) {
  if (!running_) return;
  if (!known || shard_.info().epoch != epoch_ || shard_.in_sync() != copies_) {
    TryAgain();
    return;
  }
  progress_ms_ = env_->NowMs();
  tokens_ -= static_cast<double>(comparison_.bytes() / kBytesAKey);
  batch_.suspects.clear();
  for (size_t i = 0; i < batch_.keys.size(); ++i)
    OnKeyCompared(batch_.keys[i], comparison_.verdict(i));
  NextStage();
}

void Audit::OnKeyCompared(const std::string& key, const KeyVerdict& verdict) {
  const bool recheck = batch_.stage == Stage::kRecheck;
  switch (verdict.kind) {
    case KeyVerdict::Kind::kDiffers:
      // If it is locked, somebody has seen it already and is repairing it.
      if (batch_.stage == Stage::kCompare || shard_.IsKeyLocked(key)) {
        batch_.suspects.push_back(key);
      } else if (recheck) {
        NoteKey(NoteLevel::kError, key, "still differs after its repair: " + verdict.why);
      } else {
        Repair(key, verdict);
      }
      return;
    case KeyVerdict::Kind::kUnknown:
      if (batch_.tries < kMaxTries) {
        batch_.suspects.push_back(key);
        return;
      }
      break;
    case KeyVerdict::Kind::kEqual:
    case KeyVerdict::Kind::kSkipped:
      if (recheck) {
        ++round_.repaired;
        ++figures_.repaired;
        return;
      }
      if (verdict.kind == KeyVerdict::Kind::kSkipped) break;
      ++round_.compared;
      ++figures_.audited;
      return;
  }
  if (recheck) return;  // it is counted already
  ++round_.skipped;
  ++figures_.skipped;
}

void Audit::Repair(const std::string& key, const KeyVerdict& verdict) {
  ++round_.compared;
  ++figures_.audited;
  ++round_.differences;
  ++figures_.differences;
  const bool begun = shard_.RepairKey(key, verdict.differ);
  NoteKey(
      NoteLevel::kWarn, key,
      "differs: " + verdict.why +
          (begun ? "; it is being made equal to the primary's" : "; it cannot be repaired now"));
  if (begun) batch_.repaired.push_back(key);
}

// After a comparison whose outcome is known.
void Audit::NextStage() {
  if (!batch_.suspects.empty()) {
    if (batch_.stage == Stage::kCompare) {
      batch_.stage = Stage::kConfirm;
      batch_.tries = 0;
    } else {
      ++batch_.tries;
    }
    batch_.keys = std::move(batch_.suspects);
    batch_.suspects.clear();
    batch_.wait_until_ms = env_->NowMs() + kConfirmMs;
    return;
  }
  batch_.tries = 0;
  if (batch_.stage == Stage::kConfirm && !batch_.repaired.empty()) {
    batch_.stage = Stage::kRecheck;
    batch_.keys = std::move(batch_.repaired);
    batch_.repaired.clear();
    return;
  }
  batch_.stage = Stage::kScan;
  batch_.keys.clear();
}

// After one that was lost. Obstacle ends the round if that goes on.
void Audit::TryAgain() { batch_.wait_until_ms = env_->NowMs() + kTryAgainMs; }

void Audit::NoteKey(NoteLevel level, const std::string& key, const std::string& text) {
  if (++notes_ > kMaxNotes) return;  // the end of the round says how many there were
  Note(level, "key " + PrintableKey(key) + " " + text);
}

void Audit::Note(NoteLevel level, const std::string& text) {
  env_->Note(level, "shard '" + shard_.info().name + "': audit: " + text);
}

std::string Audit::RoundText(const Round& round, uint64_t now_ms) const {
  return std::to_string(round.compared) + " keys compared in " + Seconds(now_ms - round.began_ms) +
         " s, " + std::to_string(round.differences) + " differed, " +
         std::to_string(round.repaired) + " repaired, " + std::to_string(round.skipped) +
         " skipped";
}

std::string Audit::RoundReply(const Round& round, uint64_t now_ms, const std::string& early) const {
  std::string out;
  AppendArrayHeader(&out, 14);
  AppendBulk(&out, "shard");
  AppendBulk(&out, shard_.info().name);
  const auto number = [&out](std::string_view name, uint64_t value) {
    AppendBulk(&out, name);
    AppendInteger(&out, static_cast<int64_t>(value));
  };
  number("compared", round.compared);
  number("differences", round.differences);
  number("repaired", round.repaired);
  number("skipped", round.skipped);
  AppendBulk(&out, "seconds");
  AppendBulk(&out, Seconds(now_ms - round.began_ms));
  AppendBulk(&out, "result");
  AppendBulk(&out, early.empty() ? "complete" : "ended early: " + early);
  return out;
}

void Audit::Answer(std::vector<Request*>* requests, std::string_view reply) {
  for (Request* request : std::exchange(*requests, {})) {
    request->sink->OnReply(request, Reply{reply, nullptr});
  }
}

void Audit::AnswerError(std::vector<Request*>* requests, const std::string& text) {
  std::string reply;
  AppendError(&reply, text);
  Answer(requests, reply);
}

}  // namespace gemel

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

void Audit::Stop() {
  if (stopped_) return;
  stopped_ = true;
  if (running_) End("gemel is being stopped");
  AnswerError(&waiting_, "ERR gemel is being stopped");
}

void Audit::OnRequest(Request* request) {
  std::vector<Request*> one = {request};
  if (stopped_) {
    AnswerError(&one, "ERR gemel is being stopped");
  } else if (waiting_.size() >= kMaxWaiting) {
    AnswerError(&one, "TRYAGAIN shard '" + shard_.info().name +
                          "': too many wait for the next audit already");
  } else {
    if (waiting_.empty()) waiting_since_ms_ = env_->NowMs();
    waiting_.push_back(request);  // Tick begins it: here somebody may be in the middle of a step
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
  if (running_ && served_.empty() && !waiting_.empty()) End("a full audit was asked for");
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
  if (!waiting_.empty()) {
    if (!several) {
      AnswerError(&waiting_, OneCopyText());
    } else if (shard_.CanCompare()) {
      Begin(std::exchange(waiting_, {}));
    } else if (now_ms >= waiting_since_ms_ + kStuckMs) {
      AnswerError(&waiting_, "CLUSTERDOWN shard '" + shard_.info().name +
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
  served_ = std::move(requests);
  round_ = Round();
  round_.began_ms = progress_ms_ = env_->NowMs();
  epoch_ = shard_.info().epoch;
  copies_ = shard_.in_sync();
  notes_ = 0;
  scanned_ = shard_.info().primary;
  to_scan_ = copies_ & ~Bit(scanned_);
  cursor_ = "0";
  keys_.clear();
  batch_.clear();
  suspects_.clear();
  repaired_.clear();
  stage_ = Stage::kScan;
  tries_ = 0;
  wait_until_ms_ = 0;
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
           (error_.empty() ? "" : ": " + error_);
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
  if (early.empty()) ++audits_;
  const uint64_t interval_ms = uint64_t{config_.interval_s} * 1000;
  next_ms_ = now_ms + (early.empty() ? interval_ms : std::min(interval_ms, kRetryMs));
  const bool wrong = round_.differences > 0;
  if (wrong || !served_.empty() || early.empty()) {
    Note(wrong ? NoteLevel::kWarn : NoteLevel::kInfo,
         RoundText(round_, now_ms) + (early.empty() ? "" : "; ended early: " + early));
  }
  const std::string reply = RoundReply(round_, now_ms, early);
  Answer(&served_, reply);
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
  if (env_->NowMs() < wait_until_ms_) return false;
  // One that an earlier round left is not answered yet.
  if (shard_.comparing() || !shard_.CanCompare()) return false;
  switch (stage_) {
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
  const bool background = served_.empty();
  if (background && (tokens_ < 1 || shard_.CopyToResync() >= 0)) {
    progress_ms_ = env_->NowMs();  // it waits because it means to
    return false;
  }
  if (keys_.empty()) {
    if (!cursor_.empty()) {
      if (background) tokens_ -= 1;
      return Scan();
    }
    if (to_scan_ == 0) {
      End({});
      return false;
    }
    scanned_ = static_cast<uint32_t>(std::countr_zero(to_scan_));
    to_scan_ &= to_scan_ - 1;
    cursor_ = "0";
    return true;
  }
  size_t count = std::min(keys_.size(), kBatch);
  if (background) count = std::min(count, static_cast<size_t>(tokens_));
  batch_.clear();
  for (; count > 0; --count) {
    if (background) tokens_ -= 1;
    if (keys_.front().size() <= kMaxKeyName) {
      batch_.push_back(std::move(keys_.front()));
    } else {
      ++round_.skipped;
      ++audit_skipped_;
    }
    keys_.pop_front();
  }
  tries_ = 0;
  if (!batch_.empty()) {
    stage_ = scanned_ == shard_.info().primary ? Stage::kCompare : Stage::kFilter;
  }
  return true;
}

bool Audit::Scan() {
  const std::string_view args[] = {"SCAN", cursor_, "COUNT", kScanCount};
  std::string frame;
  AppendCommand(&frame, args);
  error_.clear();
  busy_ = shard_.Compare({&frame, 1}, Bit(scanned_), this);
  return false;
}

// Most of what another copy has was compared when the primary was scanned.
bool Audit::Filter() {
  std::vector<std::string> frames(batch_.size());
  for (size_t i = 0; i < batch_.size(); ++i) {
    const std::string_view args[] = {"EXISTS", batch_[i]};
    AppendCommand(&frames[i], args);
  }
  everywhere_.assign(batch_.size(), true);
  busy_ = shard_.Compare(frames, copies_, this);
  return false;
}

bool Audit::CompareBatch(bool thorough) {
  busy_ = comparison_.Begin(batch_, thorough, [this](bool known) {
    busy_ = false;
    OnCompared(known);
    Advance();
  });
  return false;
}

void Audit::OnCompareReply(uint32_t index, uint32_t, std::string_view reply) {
  if (stage_ == Stage::kFilter) {
    if (ReplyText(reply) != "1" || reply[0] != ':') everywhere_[index] = false;
    return;
  }
  std::vector<std::string_view> parts;
  std::vector<std::string_view> names;
  if (!SplitArray(reply, &parts) || parts.size() != 2 || !SplitArray(parts[1], &names)) {
    error_ = "SCAN: " + std::string(reply[0] == '-' ? ReplyText(reply) : "an odd reply");
    return;
  }
  cursor_ = ReplyText(parts[0]);
  if (cursor_ == "0") cursor_.clear();
  std::vector<std::string_view> keys;
  for (std::string_view name : names) keys.push_back(ReplyText(name));
  // A table that is growing may name a key twice.
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  keys_.assign(keys.begin(), keys.end());
}

void Audit::OnCompareEnd(bool known) {
  busy_ = false;
  if (!known || (stage_ == Stage::kScan && !error_.empty())) {
    wait_until_ms_ = env_->NowMs() + kTryAgainMs;
    return;
  }
  progress_ms_ = env_->NowMs();
  if (stage_ == Stage::kFilter) {
    std::vector<std::string> odd;
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (!everywhere_[i]) odd.push_back(std::move(batch_[i]));
    }
    batch_ = std::move(odd);
    stage_ = batch_.empty() ? Stage::kScan : Stage::kCompare;
  }
  Advance();
}

bool Audit::BatchIsLocked() const {
  return std::any_of(batch_.begin(), batch_.end(),
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
  suspects_.clear();
  for (size_t i = 0; i < batch_.size(); ++i) OnKeyCompared(batch_[i], comparison_.verdict(i));
  NextStage();
}

void Audit::OnKeyCompared(const std::string& key, const KeyVerdict& verdict) {
  const bool recheck = stage_ == Stage::kRecheck;
  switch (verdict.kind) {
    case KeyVerdict::Kind::kDiffers:
      // If it is locked, somebody has seen it already and is repairing it.
      if (stage_ == Stage::kCompare || shard_.IsKeyLocked(key)) {
        suspects_.push_back(key);
      } else if (recheck) {
        NoteKey(NoteLevel::kError, key, "still differs after its repair: " + verdict.why);
      } else {
        Repair(key, verdict);
      }
      return;
    case KeyVerdict::Kind::kUnknown:
      if (tries_ < kMaxTries) {
        suspects_.push_back(key);
        return;
      }
      break;
    case KeyVerdict::Kind::kEqual:
    case KeyVerdict::Kind::kSkipped:
      if (recheck) {
        ++round_.repaired;
        ++audit_repaired_;
        return;
      }
      if (verdict.kind == KeyVerdict::Kind::kSkipped) break;
      ++round_.compared;
      ++audited_;
      return;
  }
  if (recheck) return;  // it is counted already
  ++round_.skipped;
  ++audit_skipped_;
}

void Audit::Repair(const std::string& key, const KeyVerdict& verdict) {
  ++round_.compared;
  ++audited_;
  ++round_.differences;
  ++audit_differences_;
  const bool begun = shard_.RepairKey(key, verdict.differ);
  NoteKey(
      NoteLevel::kWarn, key,
      "differs: " + verdict.why +
          (begun ? "; it is being made equal to the primary's" : "; it cannot be repaired now"));
  if (begun) repaired_.push_back(key);
}

// After a comparison whose outcome is known.
void Audit::NextStage() {
  if (!suspects_.empty()) {
    if (stage_ == Stage::kCompare) {
      stage_ = Stage::kConfirm;
      tries_ = 0;
    } else {
      ++tries_;
    }
    batch_ = std::move(suspects_);
    suspects_.clear();
    wait_until_ms_ = env_->NowMs() + kConfirmMs;
    return;
  }
  tries_ = 0;
  if (stage_ == Stage::kConfirm && !repaired_.empty()) {
    stage_ = Stage::kRecheck;
    batch_ = std::move(repaired_);
    repaired_.clear();
    return;
  }
  stage_ = Stage::kScan;
  batch_.clear();
}

// After one that was lost. Obstacle ends the round if that goes on.
void Audit::TryAgain() { wait_until_ms_ = env_->NowMs() + kTryAgainMs; }

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

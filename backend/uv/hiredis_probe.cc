#include "backend/uv/hiredis_probe.h"

#include <algorithm>
#include <utility>

#include "backend/uv/uv_clock.h"

namespace gemel {

namespace {

using Kind = HiredisReply::Kind;

// A node that closes every connection at once is not asked more often than this.
constexpr uint64_t kAtOnceMs = 50;

bool IsAboutPassword(const std::string& error) {
  return error.starts_with("NOAUTH") || error.starts_with("WRONGPASS") ||
         error.starts_with("ERR AUTH") || error.starts_with("ERR invalid password") ||
         error.starts_with("ERR Client sent AUTH");
}

}  // namespace

HiredisProbe::HiredisProbe(uv_loop_t* loop, HiredisNode node, const HealthConfig& health,
                           ReportFn report, NoteFn note)
    : loop_(loop),
      report_(std::move(report)),
      note_(std::move(note)),
      connection_(loop, std::move(node)),
      timer_(loop, [this] { Send(); }) {
  connection_.set_on_idle_close([this] { OnIdleClose(); });
  TakeHealth(health);
}

void HiredisProbe::TakeHealth(const HealthConfig& health) {
  interval_ms_ = health.interval_ms;
  timeout_ms_ = health.timeout_ms;
  failures_ = std::max(health.failures, 1u);
  repeat_ms_ =
      std::min(timeout_ms_,
               std::max({interval_ms_ / 2 / std::max(failures_ - 1, 1u), timeout_ms_ / 10, 1u}));
}

void HiredisProbe::SetHealth(const HealthConfig& health, uint32_t random) {
  TakeHealth(health);
  if (started_ && !waiting_) timer_.Set(random % std::max(interval_ms_, 1u));
}

void HiredisProbe::Start(uint32_t random) {
  started_ = true;
  timer_.Set(random % std::max(interval_ms_, 1u));
}

void HiredisProbe::Stop() {
  started_ = false;
  timer_.Stop();
  connection_.Drop();
}

void HiredisProbe::ProbeNow() {
  if (!started_ || waiting_) return;
  timer_.Stop();
  Send();
}

void HiredisProbe::Send() {
  sent_ms_ = UvClock::NowMs(loop_);
  waiting_ = true;
  repeated_ = false;
  Ping();
  report_(ProbeOutcome::kSent, sent_ms_);
}

void HiredisProbe::Ping() {
  attempt_ms_ = UvClock::NowMs(loop_);
  const bool repetition = timeouts_ > 0 && timeouts_ < failures_;
  patience_ms_ = repetition ? repeat_ms_ : timeout_ms_;
  connection_.Command({"PING"}, patience_ms_,
                      [this](const HiredisReply& reply) { OnReply(reply); });
}

void HiredisProbe::OnIdleClose() {
  if (!started_ || waiting_) return;
  const uint64_t now_ms = UvClock::NowMs(loop_);
  timer_.Set(now_ms >= sent_ms_ + kAtOnceMs ? 0 : sent_ms_ + kAtOnceMs - now_ms);
}

void HiredisProbe::OnReply(const HiredisReply& reply) {
  if (reply.kind == Kind::kLost && !repeated_) {
    repeated_ = true;
    Ping();
    return;
  }
  waiting_ = false;
  const uint64_t now_ms = UvClock::NowMs(loop_);
  const bool timeout = reply.kind == Kind::kTimeout;
  const bool nothing = reply.kind == Kind::kUnable || reply.kind == Kind::kUnresolved;
  if (!nothing) timeouts_ = timeout ? timeouts_ + 1 : 0;
  const bool repeat = timeout && timeouts_ < failures_;
  // Of those that fail sooner than they need to, several would be as good as one.
  const uint64_t next_ms =
      repeat ? attempt_ms_ + std::min(patience_ms_, repeat_ms_) : sent_ms_ + interval_ms_;
  timer_.Set(next_ms > now_ms ? next_ms - now_ms : 0);
  NoteTrouble(reply);
  // Kept alive here, since the report may destroy the probe.
  const ReportFn report = report_;
  switch (reply.kind) {
    case Kind::kReply:
      report(ProbeOutcome::kAnswer, attempt_ms_);
      return;
    case Kind::kError:
      report(reply.text.starts_with("BUSY ") ? ProbeOutcome::kBusy : ProbeOutcome::kAnswer,
             attempt_ms_);
      return;
    case Kind::kTimeout:
      report(ProbeOutcome::kTimeout, attempt_ms_);
      return;
    case Kind::kLost:
    case Kind::kRefused:
      report(ProbeOutcome::kHardError, attempt_ms_);
      return;
    case Kind::kUnable:
    case Kind::kUnresolved:
      report(ProbeOutcome::kVoid, attempt_ms_);
      return;
  }
}

// What the operator has to put right, once.
void HiredisProbe::NoteTrouble(const HiredisReply& reply) {
  if (reply.kind == Kind::kReply) {
    noted_ = false;
    return;
  }
  if (noted_) return;
  const std::string name = connection_.node().address.ToString();
  if (reply.kind == Kind::kError && IsAboutPassword(reply.text)) {
    noted_ = true;
    note_(NoteLevel::kError, "node " + name + " refuses gemel's user or password (" + reply.text +
                                 "): check user and password of its [[shard]]");
  } else if (reply.kind == Kind::kUnable) {
    noted_ = true;
    note_(NoteLevel::kError, "node " + name + " cannot be probed: " + reply.text);
  }
}

}  // namespace gemel

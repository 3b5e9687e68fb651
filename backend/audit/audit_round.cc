#include "backend/audit/audit_round.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <iterator>
#include <utility>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

std::string Seconds(uint64_t ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", static_cast<double>(ms) / 1000);
  return text;
}

}  // namespace

void AuditScan::Begin(uint32_t primary, CopyMask copies, uint32_t all_databases) {
  databases = all_databases;
  copy = primary;
  to_come = copies & ~Bit(primary);
  walk.Begin(databases);
  keys.clear();
}

bool AuditScan::NextCopy() {
  if (to_come == 0) return false;
  copy = static_cast<uint32_t>(std::countr_zero(to_come));
  to_come &= to_come - 1;
  walk.Begin(databases);
  return true;
}

void AuditScan::Take(std::string_view reply) {
  std::vector<std::string> named;
  std::string wrong = walk.OnReply(reply, &named);
  if (!wrong.empty()) {
    error = std::move(wrong);
    return;
  }
  // A table that is growing may name a key twice.
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  keys.assign(std::make_move_iterator(named.begin()), std::make_move_iterator(named.end()));
}

void AuditBatch::Begin() {
  stage = Stage::kScan;
  keys.clear();
  suspects.clear();
  repaired.clear();
  tries = 0;
  wait_until_ms = 0;
}

void AuditBatch::KeepOdd() {
  std::vector<std::string> odd;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!everywhere[i]) odd.push_back(std::move(keys[i]));
  }
  keys = std::move(odd);
  stage = keys.empty() ? Stage::kScan : Stage::kCompare;
}

void AuditBatch::NextStage(uint64_t suspects_wait_until_ms) {
  if (!suspects.empty()) {
    if (stage == Stage::kCompare) {
      stage = Stage::kConfirm;
      tries = 0;
    } else {
      ++tries;
    }
    keys = std::move(suspects);
    suspects.clear();
    wait_until_ms = suspects_wait_until_ms;
    return;
  }
  tries = 0;
  if (stage == Stage::kConfirm && !repaired.empty()) {
    stage = Stage::kRecheck;
    keys = std::move(repaired);
    repaired.clear();
    return;
  }
  stage = Stage::kScan;
  keys.clear();
}

void AuditTally::Begin(uint64_t now_ms) {
  began_ms_ = now_ms;
  compared_ = differences_ = repaired_ = skipped_ = 0;
}

void AuditTally::Compared() {
  ++compared_;
  ++audited_;
}

void AuditTally::Differs() {
  ++differences_;
  ++audit_differences_;
}

void AuditTally::Repaired() {
  ++repaired_;
  ++audit_repaired_;
}

void AuditTally::Skipped() {
  ++skipped_;
  ++audit_skipped_;
}

std::string AuditTally::Text(uint64_t now_ms) const {
  return std::to_string(compared_) + " keys compared in " + Seconds(now_ms - began_ms_) + " s, " +
         std::to_string(differences_) + " differed, " + std::to_string(repaired_) + " repaired, " +
         std::to_string(skipped_) + " skipped";
}

std::string AuditTally::Reply(std::string_view shard, uint64_t now_ms,
                              const std::string& early) const {
  std::string out;
  AppendMapHeader(&out, 7);
  AppendBulk(&out, "shard");
  AppendBulk(&out, shard);
  const auto number = [&out](std::string_view name, uint64_t value) {
    AppendBulk(&out, name);
    AppendInteger(&out, static_cast<int64_t>(value));
  };
  number("compared", compared_);
  number("differences", differences_);
  number("repaired", repaired_);
  number("skipped", skipped_);
  AppendBulk(&out, "seconds");
  AppendBulk(&out, Seconds(now_ms - began_ms_));
  AppendBulk(&out, "result");
  AppendBulk(&out, early.empty() ? "complete" : "ended early: " + early);
  return out;
}

void AuditWaiters::Answer(std::vector<Request*>* requests, std::string_view reply) {
  for (Request* request : std::exchange(*requests, {})) {
    request->sink->OnReply(request, Reply{reply, nullptr});
  }
}

void AuditWaiters::AnswerError(std::vector<Request*>* requests, const std::string& text) {
  std::string reply;
  AppendError(&reply, text);
  Answer(requests, reply);
}

}  // namespace gemel

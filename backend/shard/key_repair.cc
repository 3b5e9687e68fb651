#include "backend/shard/key_repair.h"

#include <bit>
#include <vector>

#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// A larger one would hold up the links for too long.
constexpr size_t kMaxPayload = 64u << 20;
// What it takes in memory, with which a server answers before, is mostly a few times its DUMP.
constexpr int64_t kMaxMemory = int64_t{4} * kMaxPayload;
// In pieces nothing is held up but the key itself.
constexpr int64_t kMaxMemoryInPieces = int64_t{4} * kMaxMemory;
// Keys of so much take a server more than a moment.
constexpr int64_t kLarge = int64_t{1} << 20;
// More than the clocks of the nodes are apart.
constexpr int64_t kSoonMs = 3000;
// What has so little left is waited for until it is gone, a round trip at a time. It would live on
// the targets for as long as the repair takes to get there, and a write would find it there that
// finds nothing on the source.
constexpr int64_t kNowMs = 10;
constexpr uint32_t kMostWaits = 1000;

}  // namespace

bool KeyRepair::Begin(std::string_view key, uint32_t source, CopyMask targets) {
  auto found = keys_.find(key);
  if (found != keys_.end()) {
    // What was in flight when the lock closed is in front of the DUMP: this repair covers it.
    const Job& job = jobs_.at(found->second);
    return !job.broken && (targets & ~job.targets) == 0;
  }
  if (keys_.size() >= limit_ || !host_->CanSendRepair(source)) return false;
  const uint32_t id = next_id_;
  next_id_ = id + 1 < kEndOfJobs ? id + 1 : 1;
  Job& job = jobs_[id];
  job.key = key;
  job.targets = targets;
  keys_[job.key] = id;
  job.source = source;
  job.connection = host_->ConnectionOf(source);
  // First how large it is: a DUMP of gigabytes would stop the node, and be read for nothing.
  Send(&job, id, source, kSize, CommandFrame({"MEMORY", "USAGE", KeyOf(key)}));
  return true;
}

void KeyRepair::Ask(Job* job, uint32_t id) {
  Send(job, id, job->source, kDump, CommandFrame({"DUMP", KeyOf(job->key)}));
  if (relative_) {
    Send(job, id, job->source, kTtl, CommandFrame({"PTTL", KeyOf(job->key)}));
  } else {
    Send(job, id, job->source, kExpiry, CommandFrame({"PEXPIRETIME", KeyOf(job->key)}));
  }
}

bool KeyRepair::IsShort(const Op& op) const {
  const auto found = jobs_.find(op.repair_job);
  if (found == jobs_.end()) return false;
  const int64_t memory = found->second.memory;  // 0: it is being asked for, or cannot be known
  return op.repair_step == kSize || (memory > 0 && memory < kLarge);
}

void KeyRepair::Send(Job* job, uint32_t id, uint32_t copy, Step step, std::string_view frame) {
  Op* op = host_->NewRepairOp();
  op->database = DatabaseOf(job->key);
  op->repair_job = id;
  op->repair_step = step;
  ++job->in_flight;
  host_->SendRepair(copy, op, frame);
}

void KeyRepair::OnReply(uint32_t copy, const Op& op, std::string_view reply) {
  auto found = jobs_.find(op.repair_job);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  --job.in_flight;
  if (op.repair_step == kApply) {
    OnApplied(&job, op.repair_job, copy, reply);
    return;
  }
  if (op.repair_step == kRead || op.repair_step == kWrite) {
    OnRebuildReply(&job, op.repair_job, copy, op.repair_step, reply);
    return;
  }
  if (op.repair_step == kSize) {
    OnSize(&job, op.repair_job, reply);
    return;
  }
  if (op.repair_step == kDump) {
    if (reply[0] == '-') {
      job.broken = true;
      job.why = ReplyText(reply);
    } else if (ReplyText(reply).size() > kMaxPayload) {
      job.broken = job.too_big = true;
      job.why = "its DUMP takes " + std::to_string(ReplyText(reply).size() >> 20) +
                " MB, more than " + std::to_string(kMaxPayload >> 20) + " MB";
    } else {
      job.payload = ReplyText(reply);
    }
    return;
  }
  OnExpiry(&job, op.repair_job, op.repair_step, reply);
}

void KeyRepair::OnApplied(Job* job, uint32_t id, uint32_t copy, std::string_view reply) {
  job->waiting &= ~Bit(copy);
  if (reply[0] == '-') {
    job->failed |= Bit(copy);
    job->why = ReplyText(reply);
  }
  if (job->waiting != 0) return;
  // Of a version that nobody knew: it had been taken for one that reads it.
  const bool unreadable = job->why.starts_with("ERR DUMP payload version") ||
                          job->why.starts_with("ERR Bad data format");
  if (job->failed != 0 && unreadable && host_->CanSendRepair(job->source)) {
    job->why.clear();
    job->failed = 0;
    job->payload = {};
    BeginRebuild(job, id);
  } else {
    Close(id);
  }
}

// An estimate, and a server before 4.0 has none: a DUMP that is too large all the same is found so
// when it is there.
void KeyRepair::OnSize(Job* job, uint32_t id, std::string_view reply) {
  int64_t bytes = 0;
  const bool in_pieces = !CanReadDump(*job);
  const int64_t most = in_pieces ? kMaxMemoryInPieces : kMaxMemory;
  if (reply[0] == ':' && ParseInteger(ReplyText(reply), &bytes)) job->memory = bytes;
  if (reply[0] == '$') job->memory = 1;  // there is nothing
  if (bytes > most) {
    job->broken = job->too_big = true;
    job->why = "it takes " + std::to_string(bytes >> 20) + " MB of memory, more than " +
               std::to_string(most >> 20) + " MB";
  } else if (host_->CanSendRepair(job->source)) {
    if (in_pieces) {
      BeginRebuild(job, id);
    } else {
      Ask(job, id);
    }
    return;
  } else {
    job->broken = true;
    job->why = "the connection was lost";
  }
  Close(id);
}

void KeyRepair::OnExpiry(Job* job, uint32_t id, uint8_t step, std::string_view reply) {
  if (!job->broken && step == kExpiry && reply.starts_with("-ERR unknown command")) {
    relative_ = true;
    if (host_->CanSendRepair(job->source)) {
      Ask(job, id);
      return;
    }
    job->broken = true;
    job->why = "the connection was lost";
  }
  int64_t expiry_ms = 0;
  if (!job->broken && (reply[0] == '-' || !ParseInteger(ReplyText(reply), &expiry_ms))) {
    job->broken = true;
    job->why = reply[0] == '-' ? ReplyText(reply) : "it told no time of expiry";
  }
  if (job->broken) {
    Close(id);
    return;
  }
  const bool ask = step == kExpiry
                       ? ExpiresSoon(expiry_ms)
                       : expiry_ms >= 0 && expiry_ms <= kNowMs && job->waits++ < kMostWaits;
  if (ask && host_->CanSendRepair(job->source)) {
    Send(job, id, job->source, kTtl, CommandFrame({"PTTL", KeyOf(job->key)}));
    return;
  }
  Apply(job, id, expiry_ms, step == kExpiry);
}

// By a target's clock that time may be past, and then it would take nothing: what counts is how
// long the key still has on the source.
bool KeyRepair::ExpiresSoon(int64_t expiry_ms) {
  const int64_t now_ms = host_->UnixMs();
  return now_ms != 0 && expiry_ms >= 0 && expiry_ms < now_ms + kSoonMs;
}

void KeyRepair::Apply(Job* job, uint32_t id, int64_t expiry_ms, bool absolute) {
  // -2: it expired between the two commands. -1: it never does.
  const bool gone = job->payload.empty() || expiry_ms == -2;
  std::string expiry = "0";
  if (expiry_ms >= 0) expiry = std::to_string(expiry_ms == 0 ? 1 : expiry_ms);
  std::vector<std::string_view> restore = {"RESTORE", KeyOf(job->key), expiry, job->payload,
                                           "REPLACE"};
  if (absolute && expiry_ms >= 0) restore.push_back("ABSTTL");
  const std::string frame = gone ? CommandFrame({"DEL", KeyOf(job->key)}) : CommandFrame(restore);
  for (CopyMask rest = job->targets; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    if (host_->CanSendRepair(copy)) {
      job->waiting |= Bit(copy);
      Send(job, id, copy, kApply, frame);
    } else {
      job->failed |= Bit(copy);
      job->why = "the connection was lost";
    }
  }
  if (job->waiting == 0) Close(id);
}

void KeyRepair::OnLost(uint32_t copy, const Op& op) {
  auto found = jobs_.find(op.repair_job);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  --job.in_flight;
  job.why = "the connection was lost";
  if (op.repair_step == kApply) {
    job.waiting &= ~Bit(copy);
    job.failed |= Bit(copy);
    if (job.waiting == 0) Close(op.repair_job);
    return;
  }
  if (op.repair_step == kWrite) {
    job.failed |= Bit(copy);
    if (job.in_flight > 0) return;
    job.rebuild->OnWritten();
    StepRebuild(&job, op.repair_job);
    return;
  }
  job.broken = true;
  if (job.in_flight == 0) Close(op.repair_job);
}

void KeyRepair::Close(uint32_t id) {
  auto found = jobs_.find(id);
  Job job = std::move(found->second);
  jobs_.erase(found);
  keys_.erase(job.key);
  const CopyMask failed = job.broken ? job.targets : job.failed;
  const CopyMask repaired = job.targets & ~failed;
  if (failed != 0) host_->OnKeyNotRepaired(job.key, failed, job.why, job.too_big);
  if (repaired != 0 || failed == 0) host_->OnKeyRepaired(job.key, repaired);
}

}  // namespace gemel

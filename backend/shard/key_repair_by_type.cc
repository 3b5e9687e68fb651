// Repairs of keys whose DUMP a copy cannot read: what KeyRebuild asks for, sent and answered.

#include <bit>
#include <utility>

#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/shard/key_repair.h"

namespace gemel {

namespace {

// Of DUMP: as of Redis 7.0 streams have counters, as of 7.4 (and Valkey 9) fields expire.
constexpr int kStreamCounters = 10;
constexpr int kFieldExpiry = 12;

}  // namespace

// A key goes to all its targets in the same way.
bool KeyRepair::CanReadDump(const Job& job) const {
  for (CopyMask rest = job.targets; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    if (CannotRead(host_->IdentityOf(copy), host_->IdentityOf(job.source))) return false;
  }
  return true;
}

void KeyRepair::BeginRebuild(Job* job, uint32_t id) {
  KeyRebuild::Options options;
  options.memory = job->memory;
  options.relative = relative_;
  const int source = host_->IdentityOf(job->source).dump_version;
  options.field_expiry = source >= kFieldExpiry;
  for (CopyMask rest = job->targets; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    const int version = host_->IdentityOf(copy).dump_version;
    options.plain_streams |= version != 0 && version < kStreamCounters;
  }
  job->rebuild = std::make_unique<KeyRebuild>(std::string(KeyOf(job->key)), options);
  StepRebuild(job, id);
}

void KeyRepair::OnRebuildReply(Job* job, uint32_t id, uint32_t copy, uint8_t step,
                               std::string_view reply) {
  if (step == kRead) {
    // From Redis 7.0 on.
    if (reply.starts_with("-ERR unknown command") && !relative_) {
      relative_ = true;
      job->broken = true;
      job->why = ReplyText(reply);
    }
    job->replies.emplace_back(reply);
  } else if (reply[0] == '-') {
    job->failed |= Bit(copy);
    job->why = ReplyText(reply);
  }
  if (job->in_flight > 0) return;
  if (job->broken) {
    Close(id);
    return;
  }
  if (step == kRead) {
    job->rebuild->OnRead(std::exchange(job->replies, {}));
  } else {
    job->rebuild->OnWritten();
  }
  StepRebuild(job, id);
}

// Sends what is next. `job` may be gone afterwards.
void KeyRepair::StepRebuild(Job* job, uint32_t id) {
  const KeyRebuild& rebuild = *job->rebuild;
  const bool reads = rebuild.next() == KeyRebuild::Next::kRead;
  if (rebuild.next() == KeyRebuild::Next::kFailed) {
    job->broken = true;
    job->why = rebuild.why();
  }
  for (CopyMask rest = job->targets & ~job->failed; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    if (host_->CanSendRepair(copy)) continue;
    job->failed |= Bit(copy);
    job->why = "the connection was lost";
  }
  const CopyMask targets = job->targets & ~job->failed;
  if (rebuild.next() == KeyRebuild::Next::kDone || job->broken || targets == 0) {
    Close(id);
    return;
  }
  if (reads &&
      (!host_->CanSendRepair(job->source) || host_->ConnectionOf(job->source) != job->connection)) {
    job->broken = true;
    job->why = "the connection was lost";
    Close(id);
    return;
  }
  for (CopyMask rest = reads ? Bit(job->source) : targets; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    for (const std::string& frame : rebuild.frames()) {
      Send(job, id, copy, reads ? kRead : kWrite, frame);
    }
  }
}

}  // namespace gemel

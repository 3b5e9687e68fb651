// A copy that cannot be made by REPLICAOF: the shard copies it key by key. Here that is decided,
// begun and shown.

#include <algorithm>

#include "backend/resync/resync.h"

namespace gemel {

namespace {

constexpr uint64_t kShowMs = 100;
// What has shown itself to be in vain is not tried again for so long, if the copy is lost again.
constexpr uint64_t kInVainMs = 10 * 60 * 1000;
constexpr uint64_t kOneAttemptMs = 10 * 1000;
// Enough for all who wait for their turn to look at it.
constexpr uint64_t kOthersFirstMs = 1500;
constexpr uint64_t kCalmMs = 5 * 1000;
constexpr const char* kKeyByKey = "copying key by key";

}  // namespace

// Why REPLICAOF is of no use between these two, as far as is known; empty: it may be.
std::string Resync::WhyByKeys() const {
  const NodeIdentity& copy = shard_.link(copy_)->identity();
  const NodeIdentity& primary = shard_.link(primary_)->identity();
  if (CannotRead(copy, primary)) {
    return NameOf(copy_) + " (" + copy.version + ") cannot read the replication of " +
           NameOf(primary_) + " (" + primary.version + ")";
  }
  const InVain& known = in_vain_[copy_];
  if (known.primary != NameOf(primary_) || env_->NowMs() >= known.until_ms) return {};
  return known.why;
}

// For this attempt at least.
void Resync::InVainNow(const std::string& why, uint64_t for_ms) {
  in_vain_[copy_] = {NameOf(primary_), why, env_->NowMs() + std::max(for_ms, kOneAttemptMs)};
}

// REPLICAOF is refused, or what it needs.
void Resync::GoByKeys(const std::string& why) {
  InVainNow(why);
  // What is copied so takes no place of those that Redis copies.
  place_.reset();
  TakeTurn();
}

// It is not refused and comes to nothing: others may copy, and its own turn comes again.
void Resync::GiveUpReplication(const std::string& why) {
  InVainNow(why, kInVainMs);
  port_->Command(copy_, {"REPLICAOF", "NO", "ONE"}, [](const ControlReply&) {});
  Note(NoteLevel::kWarn, why + "; others go first, then it is copied key by key", kHourMs);
  SetNote("waits to be copied key by key: " + why);
  retry_at_ms_ = env_->NowMs() + kOthersFirstMs;
  End();
}

void Resync::BeginScan(const std::string& why) {
  if (!is_replica_) {
    StartScan(why);
    return;
  }
  Command(copy_, {"REPLICAOF", "NO", "ONE"}, [this, why](const ControlReply& reply) {
    if (!reply.ok && !RefusedForGood(reply)) {
      Fail("REPLICAOF NO ONE on " + NameOf(copy_) + ": " + reply.error);
    } else if (!reply.ok) {
      // It would refuse writes, too.
      Note(NoteLevel::kError,
           NameOf(copy_) + " is a replica and refuses REPLICAOF (" + reply.error +
               "), so it stays stale: make it a master, or allow gemel's user REPLICAOF there (no "
               "rename-command; by ACL +replicaof)",
           kHourMs);
      Fail("it is a replica and refuses REPLICAOF: " + reply.error, kMaxRetryMs);
    } else {
      is_replica_ = false;
      Command(copy_, {"INFO"}, [this, why](const ControlReply& info) {
        seen_id_ = info.ok ? IdFromInfo(info.text) : std::string();
        if (info.ok && InfoField(info.text, "role") != "master") {
          Fail("its role is not master after REPLICAOF NO ONE");
        } else {
          StartScan(why);
        }
      });
    }
  });
}

void Resync::StartScan(const std::string& why) {
  Link* link = shard_.link(copy_);
  if (!link->up()) {
    Fail("its connection was lost");
    return;
  }
  const uint64_t now_ms = env_->NowMs();
  // Where nobody can ask whether an earlier connection is over, a node that has answered for a
  // while has read what was left of it.
  const bool doubtful = link->identity().unsettled || run_id_ == kHiddenRunId;
  if (doubtful && now_ms < connected_[copy_].since_ms + kCalmMs) {
    SetNote("waits until what its last connection had left is surely over");
    retry_at_ms_ = connected_[copy_].since_ms + kCalmMs;
    End();
    return;
  }
  if (!seen_id_.empty() && ProcessOf(seen_id_) == ProcessOf(link->identity().run_id)) {
    link->set_run_id(seen_id_);
  }
  std::string why_not;
  if (!shard_.CopyByScan(copy_, &why_not, doubtful)) {
    Fail("it cannot be copied key by key now: " + why_not);
    return;
  }
  Note(NoteLevel::kWarn, why + ": it is copied key by key from " + NameOf(primary_), kHourMs);
  state_ = State::kScanning;
  scanned_[copy_] = true;
  next_poll_ms_ = 0;
  meter_.Enter(kKeyByKey, now_ms, /*keys=*/true);
  SetNote(std::string(kKeyByKey) + " from " + NameOf(primary_));
}

void Resync::WatchScan(uint64_t now_ms) {
  const ScanStatus scan = shard_.StatusOfScan(copy_);
  if (!scan.running) {
    // Without a reason it came to its end, whatever the copy has missed since.
    if (scan.end.empty()) {
      OnScanned();
      return;
    }
    // It began for nothing: all of it is to be done again, by REPLICAOF if that may be by now.
    in_vain_[copy_] = {};
    const uint64_t wait_ms = uint64_t{config_.retry_ms} << std::min(failed_scans_++, 10u);
    Fail("the copying key by key was broken off: " + scan.end, std::min(wait_ms, kMaxRetryMs));
    return;
  }
  if (!scan.stuck.empty()) {
    Note(NoteLevel::kWarn, "resync of " + NameOf(copy_) + ": " + scan.stuck, kHourMs);
    SetNote(scan.stuck);
    End();  // the rest is between the shard and the key; others may be copied meanwhile
    return;
  }
  if (now_ms < next_poll_ms_) return;
  next_poll_ms_ = now_ms + kShowMs;
  meter_.See(static_cast<int64_t>(scan.keys), scan.total, -1, now_ms);
  const ResyncProgress& progress = meter_.progress();
  const std::string text =
      std::string(kKeyByKey) + " from " + NameOf(primary_) + ": " + ProgressText(progress) +
      (scan.done ? ", " + std::to_string(scan.left) + " to be done again" : "");
  SetNote(text);
  if (place_ != nullptr) place_->Show(progress);
  if (meter_.TakeLine(now_ms)) {
    Note(NoteLevel::kInfo, "resync of " + NameOf(copy_) + ": " + text, 0);
  }
}

void Resync::OnScanned() {
  Note(NoteLevel::kInfo,
       NameOf(copy_) + " was copied key by key from " + NameOf(primary_) + " in " +
           std::to_string(env_->NowMs() - began_ms_) + " ms (" +
           std::to_string(meter_.progress().bytes) + " keys)",
       0);
  if (place_ != nullptr) place_->Done();
  failed_scans_ = 0;
  noted_ms_.clear();
  SetNote("");
  End();
}

}  // namespace gemel

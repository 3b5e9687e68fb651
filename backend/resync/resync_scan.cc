// A node that refuses REPLICAOF: the shard copies it key by key. Here that is begun and shown.

#include <algorithm>

#include "backend/resync/resync.h"

namespace gemel {

namespace {

constexpr uint64_t kShowMs = 100;
constexpr const char* kKeyByKey = "copying key by key";

}  // namespace

void Resync::OnReplicaOfRefused(const std::string& error) {
  if (is_replica_) {
    // It would refuse writes, too.
    Note(NoteLevel::kError,
         NameOf(copy_) + " is a replica and refuses REPLICAOF (" + error +
             "), so it stays stale: make it a master, or allow gemel's user REPLICAOF there (no "
             "rename-command; by ACL +replicaof)",
         kHourMs);
    Fail("it is a replica and refuses REPLICAOF: " + error, kMaxRetryMs);
    return;
  }
  std::string why;
  if (!shard_->CopyByScan(copy_, &why)) {
    Fail("it cannot be copied key by key now: " + why);
    return;
  }
  Note(NoteLevel::kInfo,
       NameOf(copy_) + " refuses REPLICAOF (" + error + "): it is copied key by key from " +
           NameOf(primary_),
       kHourMs);
  state_ = State::kScanning;
  scanned_[copy_] = true;
  next_poll_ms_ = 0;
  meter_.Enter(kKeyByKey, env_->NowMs(), /*keys=*/true);
  SetNote(std::string(kKeyByKey) + " from " + NameOf(primary_));
}

void Resync::WatchScan(uint64_t now_ms) {
  const ScanStatus scan = shard_->StatusOfScan(copy_);
  if (!scan.running) {
    // Without a reason it came to its end, whatever the copy has missed since.
    if (scan.end.empty()) {
      OnScanned();
      return;
    }
    // It began for nothing: all of it is to be done again.
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

#include "backend/resync/resync_by_keys.h"

#include <algorithm>

#include "backend/resync/resync_prepare.h"

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

std::string ResyncByKeys::Why() const {
  const NodeIdentity& copy = c_->shard.link(c_->at.copy)->identity();
  const NodeIdentity& primary = c_->shard.link(c_->at.primary)->identity();
  if (CannotRead(copy, primary)) {
    return c_->NameOf(c_->at.copy) + " (" + copy.version + ") cannot read the replication of " +
           c_->NameOf(c_->at.primary) + " (" + primary.version + ")";
  }
  const ResyncCopies::InVain& known = c_->copies.in_vain[c_->at.copy];
  if (known.primary != c_->NameOf(c_->at.primary) || c_->env->NowMs() >= known.until_ms) return {};
  return known.why;
}

void ResyncByKeys::InVainNow(const std::string& why, uint64_t for_ms) {
  c_->copies.in_vain[c_->at.copy] = {c_->NameOf(c_->at.primary), why,
                                     c_->env->NowMs() + std::max(for_ms, kOneAttemptMs)};
}

void ResyncByKeys::Go(const std::string& why) {
  InVainNow(why);
  // What is copied so takes no place of those that Redis copies.
  c_->place.reset();
  c_->prepare->TakeTurn();
}

void ResyncByKeys::GiveUpReplication(const std::string& why) {
  InVainNow(why, kInVainMs);
  c_->port->Command(c_->at.copy, {"REPLICAOF", "NO", "ONE"}, [](const ControlReply&) {});
  c_->Note(NoteLevel::kWarn, why + "; others go first, then it is copied key by key",
           ResyncCore::kHourMs);
  c_->SetNote("waits to be copied key by key: " + why);
  c_->retry_at_ms = c_->env->NowMs() + kOthersFirstMs;
  c_->End();
}

void ResyncByKeys::Begin(const std::string& why) {
  if (!c_->at.is_replica) {
    StartScan(why);
    return;
  }
  c_->Command(c_->at.copy, {"REPLICAOF", "NO", "ONE"}, [this, why](const ControlReply& reply) {
    if (!reply.ok && !RefusedForGood(reply)) {
      c_->Fail("REPLICAOF NO ONE on " + c_->NameOf(c_->at.copy) + ": " + reply.error);
    } else if (!reply.ok) {
      // It would refuse writes, too.
      c_->Note(
          NoteLevel::kError,
          c_->NameOf(c_->at.copy) + " is a replica and refuses REPLICAOF (" + reply.error +
              "), so it stays stale: make it a master, or allow gemel's user REPLICAOF there (no "
              "rename-command; by ACL +replicaof)",
          ResyncCore::kHourMs);
      c_->Fail("it is a replica and refuses REPLICAOF: " + reply.error, ResyncCore::kMaxRetryMs);
    } else {
      c_->at.is_replica = false;
      c_->Command(c_->at.copy, {"INFO"}, [this, why](const ControlReply& info) {
        c_->at.seen_id = info.ok ? IdFromInfo(info.text) : std::string();
        if (info.ok && InfoField(info.text, "role") != "master") {
          c_->Fail("its role is not master after REPLICAOF NO ONE");
        } else {
          StartScan(why);
        }
      });
    }
  });
}

void ResyncByKeys::StartScan(const std::string& why) {
  Link* link = c_->shard.link(c_->at.copy);
  if (!link->up()) {
    c_->Fail("its connection was lost");
    return;
  }
  const uint64_t now_ms = c_->env->NowMs();
  // Where nobody can ask whether an earlier connection is over, a node that has answered for a
  // while has read what was left of it.
  const bool doubtful = link->identity().unsettled || c_->at.run_id == kHiddenRunId;
  if (doubtful && now_ms < c_->copies.connected[c_->at.copy].since_ms + kCalmMs) {
    c_->SetNote("waits until what its last connection had left is surely over");
    c_->retry_at_ms = c_->copies.connected[c_->at.copy].since_ms + kCalmMs;
    c_->End();
    return;
  }
  if (!c_->at.seen_id.empty() && ProcessOf(c_->at.seen_id) == ProcessOf(link->identity().run_id)) {
    link->set_run_id(c_->at.seen_id);
  }
  std::string why_not;
  if (!c_->shard.CopyByScan(c_->at.copy, &why_not, doubtful)) {
    c_->Fail("it cannot be copied key by key now: " + why_not);
    return;
  }
  c_->Note(NoteLevel::kWarn, why + ": it is copied key by key from " + c_->NameOf(c_->at.primary),
           ResyncCore::kHourMs);
  c_->at.state = ResyncState::kScanning;
  c_->copies.scanned[c_->at.copy] = true;
  c_->at.next_poll_ms = 0;
  c_->at.meter.Enter(kKeyByKey, now_ms, /*keys=*/true);
  c_->SetNote(std::string(kKeyByKey) + " from " + c_->NameOf(c_->at.primary));
}

void ResyncByKeys::Watch(uint64_t now_ms) {
  const ScanStatus scan = c_->shard.StatusOfScan(c_->at.copy);
  if (!scan.running) {
    // Without a reason it came to its end, whatever the copy has missed since.
    if (scan.end.empty()) {
      OnScanned();
      return;
    }
    // It began for nothing: all of it is to be done again, by REPLICAOF if that may be by now.
    c_->copies.in_vain[c_->at.copy] = {};
    const uint64_t wait_ms = uint64_t{c_->config.retry_ms} << std::min(failed_scans_++, 10u);
    c_->Fail("the copying key by key was broken off: " + scan.end,
             std::min(wait_ms, ResyncCore::kMaxRetryMs));
    return;
  }
  if (!scan.stuck.empty()) {
    c_->Note(NoteLevel::kWarn, "resync of " + c_->NameOf(c_->at.copy) + ": " + scan.stuck,
             ResyncCore::kHourMs);
    c_->SetNote(scan.stuck);
    c_->End();  // the rest is between the shard and the key; others may be copied meanwhile
    return;
  }
  if (now_ms < c_->at.next_poll_ms) return;
  c_->at.next_poll_ms = now_ms + kShowMs;
  c_->at.meter.See(static_cast<int64_t>(scan.keys), scan.total, -1, now_ms);
  const ResyncProgress& progress = c_->at.meter.progress();
  const std::string text =
      std::string(kKeyByKey) + " from " + c_->NameOf(c_->at.primary) + ": " +
      ProgressText(progress) +
      (scan.done ? ", " + std::to_string(scan.left) + " to be done again" : "");
  c_->SetNote(text);
  if (c_->place != nullptr) c_->place->Show(progress);
  if (c_->at.meter.TakeLine(now_ms)) {
    c_->Note(NoteLevel::kInfo, "resync of " + c_->NameOf(c_->at.copy) + ": " + text, 0);
  }
}

void ResyncByKeys::OnScanned() {
  c_->Note(NoteLevel::kInfo,
           c_->NameOf(c_->at.copy) + " was copied key by key from " + c_->NameOf(c_->at.primary) +
               " in " + std::to_string(c_->env->NowMs() - c_->at.began_ms) + " ms (" +
               std::to_string(c_->at.meter.progress().bytes) + " keys)",
           0);
  if (c_->place != nullptr) c_->place->Done();
  failed_scans_ = 0;
  c_->copies.noted_ms.clear();
  c_->SetNote("");
  c_->End();
}

}  // namespace gemel

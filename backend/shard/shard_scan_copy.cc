// A whole copy without REPLICAOF, where that is refused or comes to nothing: key by key, while
// clients go on.
//
// It is the short way back (shard_mend.cc) with every key as the journal. The copy joins: it is
// sent all writes. Then it is scanned, and what the primary does not have is deleted; the primary
// is scanned, and every key is copied; and the copy is scanned once more. The invariant on the way
// is
//   at each point of the order a key that is not in the journal is equal on both copies, or neither
//   was written nor was it named, since the copy joined, by a scan that is to name it
// kept by putting into the journal, before they are sent, the keys of every write, for a key that
// no scan has passed may be different, and a write of several spreads that. What no scan names, and
// nobody wrote, neither copy has: SCAN names all that is there from its beginning to its end. A key
// of the copy that the primary has is passed over, for the primary's scan names it; unless it
// expires there before that, and therefore the copy is scanned again at the end.
//
// After the last scan the usual invariant of a joining copy holds, and the journal is worked off.
// The keys of writes wait until then (a hot key would be copied again and again); those that were
// scanned are repaired at once and fetched only as fast as that, so that they take little memory.
//
// A cursor belongs to one process, and what is unscanned is known to nobody else: if a connection
// is lost, the primary changes, or the journal overflows, all begins anew.

#include <algorithm>
#include <bit>
#include <utility>

#include "backend/audit/printable.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/shard.h"

namespace gemel {

namespace {

constexpr std::string_view kCopyScanCount = "256";
// The scan goes on while fewer keys than this wait to be repaired.
constexpr size_t kRoom = 512;
// For the journal of such a copy, whatever is configured for others.
constexpr size_t kLeastJournalKeys = 64 * 1024;
constexpr size_t kLeastJournalBytes = 16u << 20;
// Of a key's repair.
constexpr double kCostOfExists = 0.2;
constexpr uint64_t kRetryTooBigMs = 5 * 60 * 1000;

}  // namespace

bool Shard::CopyByScan(uint32_t index, std::string* why, bool calm) {
  Copy& copy = *copies_[index];
  const NodeIdentity& identity = copy.link->identity();
  if (!WantsResync(index) || !PrimaryReady() || editing_ || paused_) {
    *why = "the shard is not ready";
    return false;
  }
  if (identity.haunted && !calm) {
    *why = "what was sent on its last connection may still be applied";
    return false;
  }
  ForgetJournal(index);  // and what is in it now is not all that may be wrong
  copy.journal = std::make_unique<DirtyKeys>(identity.run_id,
                                             std::max(options_.journal_keys, kLeastJournalKeys),
                                             std::max(options_.journal_bytes, kLeastJournalBytes));
  copy.scan = std::make_unique<ScanCopy>();
  copy.scan->number = ++scans_;
  copy.scan->primary = primary_;
  copy.scan->connection = ConnectionOf(primary_);
  copy.scan_end.clear();
  joining_ |= Bit(index);
  UpdateTargets();
  AskForScan(index, primary_, ScanCopy::kSize, 0, CommandFrame({"DBSIZE"}));
  return true;
}

ScanStatus Shard::StatusOfScan(uint32_t index) const {
  const Copy& copy = *copies_[index];
  ScanStatus status;
  status.end = copy.scan_end;
  if (copy.scan == nullptr) return status;
  status.running = true;
  status.done = copy.scan->phase == ScanCopy::Phase::kDone;
  status.keys = copy.scan->keys;
  status.total = copy.scan->total;
  status.left = copy.journal->size();
  const auto& too_big = copy.scan->too_big;
  if (status.done && !too_big.empty() && too_big.size() == status.left) {
    status.stuck = "all is copied but " + std::to_string(too_big.size()) +
                   " key(s) too big to be copied alone, which are tried again every " +
                   std::to_string(kRetryTooBigMs / 60000) +
                   " minutes: " + PrintableKey(too_big.begin()->first) + ", " +
                   too_big.begin()->second;
  }
  return status;
}

// Sends a command for the copying to `index`.
void Shard::AskForScan(uint32_t index, uint32_t to, uint8_t what, size_t item,
                       std::string_view frame) {
  ScanCopy& scan = *copies_[index]->scan;
  Op* op = NewRepairOp();
  op->repair_job = KeyRepair::kScanJob;
  op->repair_step = what;
  op->session = scan.number;
  op->sent = Bit(index);
  op->waiting_since_ms = item;
  ++scan.in_flight;
  SendRepair(to, op, frame);
}

// The copying that an op belongs to; null if that has ended.
ScanCopy* Shard::ScanOf(const Op& op, uint32_t* index) {
  *index = static_cast<uint32_t>(std::countr_zero(op.sent));
  ScanCopy* scan = copies_[*index]->scan.get();
  return scan != nullptr && scan->number == op.session ? scan : nullptr;
}

// Goes on with the scans as far as there is room for what they find. It may end the copying.
void Shard::StepScan(uint32_t index) {
  ScanCopy& scan = *copies_[index]->scan;
  if (env_->NowMs() >= scan.retry_too_big_ms) scan.too_big.clear();
  if (scan.phase == ScanCopy::Phase::kDone || scan.in_flight > 0) return;
  if (scan.primary != primary_ || scan.connection != ConnectionOf(primary_)) {
    LeaveJoin(index, "the primary changed, or its connection was lost");
    return;
  }
  if (repair_budget_ < 1 || scan.batch.size() >= kRoom) return;
  if (!scan.found.empty()) {
    scan.asked = true;
    repair_budget_ -= kCostOfExists * static_cast<double>(scan.found.size());
    for (size_t i = 0; i < scan.found.size(); ++i) {
      AskForScan(index, primary_, ScanCopy::kExists, i, CommandFrame({"EXISTS", scan.found[i]}));
    }
    return;
  }
  if (scan.came_round) {
    // First what is to make room, before that room is taken.
    if (!scan.batch.empty() || repair_.Concerns(Bit(index))) return;
    scan.phase = static_cast<ScanCopy::Phase>(static_cast<uint8_t>(scan.phase) + 1);
    scan.came_round = false;
    UpdateTargets();
    if (scan.phase == ScanCopy::Phase::kDone) return;
  }
  const uint32_t from = scan.phase == ScanCopy::Phase::kAll ? primary_ : index;
  AskForScan(index, from, ScanCopy::kScan, 0,
             CommandFrame({"SCAN", scan.cursor, "COUNT", kCopyScanCount}));
}

void Shard::OnScanReply(const Op& op, std::string_view reply) {
  uint32_t index = 0;
  ScanCopy* scan = ScanOf(op, &index);
  if (scan == nullptr) return;
  --scan->in_flight;
  std::string error;
  if (op.repair_step == ScanCopy::kScan) {
    std::vector<std::string_view> parts;
    std::vector<std::string_view> names;
    if (SplitArray(reply, &parts) && parts.size() == 2 && SplitArray(parts[1], &names)) {
      scan->cursor = ReplyText(parts[0]);
      scan->came_round = scan->cursor == "0";
      for (std::string_view name : names) {
        if (scan->phase == ScanCopy::Phase::kAll) {
          ToRepairNext(index, ReplyText(name));
        } else {
          scan->found.emplace_back(ReplyText(name));
        }
      }
    } else {
      error = "SCAN: " + std::string(reply[0] == '-' ? ReplyText(reply) : "an odd reply");
    }
  } else if (int64_t number = 0; reply[0] != ':' || !ParseInteger(ReplyText(reply), &number)) {
    error = (op.repair_step == ScanCopy::kExists ? "EXISTS: " : "DBSIZE: ") +
            std::string(ReplyText(reply));
  } else if (op.repair_step == ScanCopy::kSize) {
    scan->total = number;
  } else if (number == 0) {
    ToRepairNext(index, scan->found[op.waiting_since_ms]);
  }
  if (scan->asked && scan->in_flight == 0) {
    scan->asked = false;
    scan->found.clear();
  }
  if (copies_[index]->journal->overflowed()) error = "journal_bytes is too small for its keys";
  if (!error.empty()) LeaveJoin(index, error);
  if (!mending_) StartRepairs();
}

void Shard::OnScanLost(const Op& op) {
  uint32_t index = 0;
  if (ScanOf(op, &index) != nullptr) LeaveJoin(index, "a connection was lost");
}

void Shard::ToRepairNext(uint32_t index, std::string_view key) {
  copies_[index]->journal->Add(key);
  copies_[index]->scan->batch.emplace_back(key);
}

// Calls take(key) for keys of the copy's journal, in the order in which they are to be repaired,
// until it returns false.
void Shard::ForEachToRepair(uint32_t index, const std::function<bool(const std::string&)>& take) {
  Copy& copy = *copies_[index];
  ScanCopy* scan = copy.scan.get();
  bool room = true;
  if (scan != nullptr) {
    while (room && !scan->batch.empty()) {
      // One that is not in the journal any more is repaired already.
      room = !copy.journal->Contains(scan->batch.front()) || take(scan->batch.front());
      if (!room) return;
      if (scan->phase == ScanCopy::Phase::kAll) ++scan->keys;
      scan->batch.pop_front();
    }
    const bool scanning = scan->phase != ScanCopy::Phase::kDone;
    if (scanning && !copy.journal->half_full()) return;
  }
  copy.journal->ForEach([&](const std::string& key) {
    return (scan != nullptr && scan->too_big.contains(key)) || take(key);
  });
}

// A key of a joining copy is too big to be copied by itself.
void Shard::OnKeyTooBig(uint32_t index, const std::string& key, const std::string& why) {
  Copy& copy = *copies_[index];
  const std::string what = "shard '" + info_.name + "': key " + PrintableKey(key) +
                           " cannot be copied to " + info_.copies[index].node + " alone (" + why +
                           "): ";
  if (copy.scan == nullptr) {
    ForgetJournal(index);
    env_->Note(NoteLevel::kWarn, what + "all will be copied");
    return;
  }
  if (copy.scan->too_big.empty()) copy.scan->retry_too_big_ms = env_->NowMs() + kRetryTooBigMs;
  copy.scan->too_big[key] = why;
  env_->Note(NoteLevel::kError,
             what + "it stays stale until that key is smaller or gone, or it takes REPLICAOF");
}

}  // namespace gemel

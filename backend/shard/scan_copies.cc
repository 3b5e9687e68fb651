#include "backend/shard/scan_copies.h"

#include <algorithm>
#include <utility>

#include "backend/keys/key_name.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

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

void ScanCopies::AddCopy(uint32_t copy) {
  if (copy >= copies_.size()) copies_.resize(copy + 1);
  copies_[copy] = {};
}

bool ScanCopies::Begin(uint32_t copy, std::string* why, bool calm) {
  const NodeIdentity& identity = parts_->copies->link(copy).identity();
  if (!parts_->way_back->WantsResync(copy) || !parts_->roles->PrimaryReady() ||
      parts_->edits->editing() || parts_->hold->paused()) {
    *why = "the shard is not ready";
    return false;
  }
  if (identity.unsettled && !calm) {
    *why = "what was sent on its last connection may still be applied";
    return false;
  }
  const uint32_t primary = parts_->copies->primary();
  parts_->journals->Forget(copy);  // and what is in it now is not all that may be wrong
  parts_->journals->Begin(copy, identity.run_id,
                          std::max(parts_->options.journal_keys, kLeastJournalKeys),
                          std::max(parts_->options.journal_bytes, kLeastJournalBytes));
  State& state = copies_[copy];
  state.scan = std::make_unique<ScanCopy>();
  state.scan->number = ++begun_;
  state.scan->primary = primary;
  state.scan->connection = parts_->copies->link(primary).times().connects();
  state.end.clear();
  parts_->copies->Move(copy, CopyStage::kScanned);
  state.scan->walk.Begin(parts_->copies->databases());
  state.scan->total = 0;
  for (uint32_t i = 0; i < parts_->copies->databases(); ++i) {
    Ask(copy, primary, ScanCopy::kSize, 0, static_cast<uint8_t>(i), CommandFrame({"DBSIZE"}));
  }
  return true;
}

ScanStatus ScanCopies::StatusOf(uint32_t copy) const {
  const State& state = copies_[copy];
  ScanStatus status;
  status.end = state.end;
  if (state.scan == nullptr) return status;
  status.running = true;
  status.done = state.scan->phase == ScanCopy::Phase::kDone;
  status.keys = state.scan->keys;
  status.total = state.scan->total;
  status.left = parts_->journals->of(copy)->size();
  const auto& too_big = state.scan->too_big;
  if (status.done && !too_big.empty() && too_big.size() == status.left) {
    status.stuck = "all is copied but " + std::to_string(too_big.size()) +
                   " key(s) too big to be copied alone, which are tried again every " +
                   std::to_string(kRetryTooBigMs / 60000) +
                   " minutes: " + PrintableName(too_big.begin()->first) + ", " +
                   too_big.begin()->second;
  }
  return status;
}

void ScanCopies::OnForgotten(uint32_t copy) {
  State& state = copies_[copy];
  if (state.scan == nullptr) return;
  if (state.end.empty()) state.end = "it is not known any more what it has right";
  state.scan.reset();
}

void ScanCopies::DropDone() {
  ForEachCopy(parts_->copies->in_sync(), [this](uint32_t copy) { copies_[copy].scan.reset(); });
}

// Sends a command for the copying to `copy`.
void ScanCopies::Ask(uint32_t copy, uint32_t to, uint8_t what, size_t item, uint8_t database,
                     std::string_view frame) {
  ScanCopy& scan = *copies_[copy].scan;
  Op* op = parts_->ops->New();
  op->item_kind = LinkItem::Kind::kRepair;
  op->database = database;
  op->repair_job = KeyRepair::kScanJob;
  op->repair_step = what;
  op->session = scan.number;
  op->sent = Bit(copy);
  op->waiting_since_ms = item;
  ++scan.in_flight;
  parts_->roles->OnOverwritten(to);
  parts_->copies->link(to).Send(op, frame);
}

// The copying that an op belongs to; null if that has ended.
ScanCopy* ScanCopies::ScanOf(const Op& op, uint32_t* copy) {
  *copy = static_cast<uint32_t>(__builtin_ctz(op.sent));
  ScanCopy* scan = copies_[*copy].scan.get();
  return scan != nullptr && scan->number == op.session ? scan : nullptr;
}

void ScanCopies::NextPhase(uint32_t copy) {
  ScanCopy& scan = *copies_[copy].scan;
  scan.phase = static_cast<ScanCopy::Phase>(static_cast<uint8_t>(scan.phase) + 1);
  scan.walk.Begin(parts_->copies->databases());
  if (scan.phase == ScanCopy::Phase::kDone) parts_->copies->Move(copy, CopyStage::kJoining);
}

void ScanCopies::Step(uint32_t copy) {
  ScanCopy& scan = *copies_[copy].scan;
  if (parts_->env->NowMs() >= scan.retry_too_big_ms) scan.too_big.clear();
  if (scan.phase == ScanCopy::Phase::kDone || scan.in_flight > 0) return;
  const uint32_t primary = parts_->copies->primary();
  if (scan.primary != primary ||
      scan.connection != parts_->copies->link(primary).times().connects()) {
    parts_->way_back->Leave(copy, "the primary changed, or its connection was lost");
    return;
  }
  if (!parts_->way_back->HasBudget() || scan.batch.size() >= kRoom) return;
  if (!scan.found.empty()) {
    scan.asked = true;
    parts_->way_back->Spend(kCostOfExists * static_cast<double>(scan.found.size()));
    for (size_t i = 0; i < scan.found.size(); ++i) {
      const std::string& name = scan.found[i];
      Ask(copy, primary, ScanCopy::kExists, i, DatabaseOf(name),
          CommandFrame({"EXISTS", KeyOf(name)}));
    }
    return;
  }
  if (scan.walk.done()) {
    // First what is to make room, before that room is taken.
    if (!scan.batch.empty() || parts_->way_back->repairs().Concerns(Bit(copy))) return;
    NextPhase(copy);
    if (scan.phase == ScanCopy::Phase::kDone) return;
  }
  const uint32_t from = scan.phase == ScanCopy::Phase::kAll ? primary : copy;
  Ask(copy, from, ScanCopy::kScan, 0, scan.walk.database(),
      CommandFrame({"SCAN", scan.walk.cursor(), "COUNT", kCopyScanCount}));
}

// What the reply says. An error's text, or nothing.
std::string ScanCopies::Take(uint32_t copy, ScanCopy* scan, const Op& op, std::string_view reply) {
  if (op.repair_step == ScanCopy::kScan) {
    std::vector<std::string> named;
    std::string error = scan->walk.OnReply(reply, &named);
    if (!error.empty()) return error;
    for (const std::string& key : named) {
      if (scan->phase == ScanCopy::Phase::kAll) {
        ToRepairNext(copy, key);
      } else {
        scan->found.emplace_back(key);
      }
    }
    return {};
  }
  int64_t number = 0;
  if (reply[0] != ':' || !ParseInteger(ReplyText(reply), &number)) {
    return (op.repair_step == ScanCopy::kExists ? "EXISTS: " : "DBSIZE: ") +
           std::string(ReplyText(reply));
  }
  if (op.repair_step == ScanCopy::kSize) {
    scan->total += number;
  } else if (number == 0) {
    ToRepairNext(copy, scan->found[op.waiting_since_ms]);
  }
  return {};
}

void ScanCopies::OnReply(const Op& op, std::string_view reply) {
  uint32_t copy = 0;
  ScanCopy* scan = ScanOf(op, &copy);
  if (scan == nullptr) return;
  --scan->in_flight;
  std::string error = Take(copy, scan, op, reply);
  if (scan->asked && scan->in_flight == 0) {
    scan->asked = false;
    scan->found.clear();
  }
  if (parts_->journals->of(copy)->overflowed()) error = "journal_bytes is too small for its keys";
  if (!error.empty()) parts_->way_back->Leave(copy, error);
  if (!parts_->way_back->stepping()) parts_->way_back->StartRepairs();
}

void ScanCopies::OnLost(const Op& op) {
  uint32_t copy = 0;
  if (ScanOf(op, &copy) != nullptr) parts_->way_back->Leave(copy, "a connection was lost");
}

void ScanCopies::ToRepairNext(uint32_t copy, std::string_view key) {
  parts_->journals->Add(copy, key);
  copies_[copy].scan->batch.emplace_back(key);
}

void ScanCopies::ForEachToRepair(uint32_t copy,
                                 const std::function<bool(const std::string&)>& take) {
  const DirtyKeys& journal = *parts_->journals->of(copy);
  ScanCopy* scan = copies_[copy].scan.get();
  if (scan != nullptr) {
    while (!scan->batch.empty()) {
      // One that is not in the journal any more is repaired already.
      if (journal.Contains(scan->batch.front()) && !take(scan->batch.front())) return;
      if (scan->phase == ScanCopy::Phase::kAll) ++scan->keys;
      scan->batch.pop_front();
    }
    const bool scanning = scan->phase != ScanCopy::Phase::kDone;
    if (scanning && !journal.half_full()) return;
  }
  journal.ForEach([&](const std::string& key) {
    return (scan != nullptr && scan->too_big.contains(key)) || take(key);
  });
}

void ScanCopies::OnKeyTooBig(uint32_t copy, const std::string& key, const std::string& why) {
  State& state = copies_[copy];
  const std::string what = "key " + PrintableName(key) + " cannot be copied to " +
                           parts_->copies->info(copy).node + " alone (" + why + "): ";
  if (state.scan == nullptr) {
    parts_->journals->Forget(copy);
    parts_->Note(NoteLevel::kWarn, what + "all will be copied");
    return;
  }
  if (state.scan->too_big.empty()) {
    state.scan->retry_too_big_ms = parts_->env->NowMs() + kRetryTooBigMs;
  }
  state.scan->too_big[key] = why;
  parts_->Note(NoteLevel::kError,
               what + "it stays stale until that key is smaller or gone, or it takes REPLICAOF");
}

}  // namespace gemel

#include "backend/shard/removals.h"

#include <algorithm>

#include "backend/command/expiry_time.h"
#include "backend/command/other_database.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/journals.h"
#include "backend/shard/refusals.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/watches.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

// Single keys are recorded as long as something was removed so lately.
constexpr uint64_t kRecordMs = 10 * 1000;
constexpr size_t kDeleteBatch = 128;

}  // namespace

void Removals::Tick(uint64_t now_ms, uint32_t random) {
  feeds_.Tick(now_ms, random);
  if (recent_.recording() && now_ms >= heard_ms_ + kRecordMs) recent_.End();
  paused_.Tick();
  feeds_.StepBarrier();
  OnRemovedEnd();
}

void Removals::OnMainUp(uint32_t copy) {
  feeds_.OnMainUp(copy);
  doubts_.Resolve();
}

void Removals::OnMissed(uint32_t copy) {
  const CopyMask in_sync = parts_->copies->in_sync();
  if ((in_sync & Bit(copy)) == 0) {
    CopyWhole(Bit(copy));
    paused_.OnMissed(copy);
    return;
  }
  CopyWhole(~in_sync);
  // Also for one that is being copied just now, and comes in sync before long.
  if (parts_->copies->members() > 1) AuditMissed(copy);
}

void Removals::AuditMissed(uint32_t copy) {
  Audit("node " + parts_->copies->info(copy).node +
        " has evicted keys while its notifications were not heard");
}

// The journals of these copies are worth nothing.
void Removals::CopyWhole(CopyMask copies) {
  ForEachCopy(copies & parts_->journals->known(), [&](uint32_t copy) {
    parts_->Note(NoteLevel::kWarn, parts_->copies->info(copy).node +
                                       " will be copied whole: keys were evicted, and it is not "
                                       "known which");
    if (parts_->scans->IsCopying(copy)) {
      parts_->way_back->Leave(copy, "keys were evicted, and it is not known which");
    } else {
      parts_->journals->Forget(copy);
    }
  });
}

bool Removals::AllHeard(uint64_t* ticket) {
  if (feeds_.none()) return true;
  if (*ticket == 0) *ticket = feeds_.AskBarrier();
  return feeds_.IsOver(*ticket) && doubts_.settled();
}

void Removals::Audit(const std::string& why) {
  parts_->Note(NoteLevel::kWarn, why + ": all keys will be compared");
  if (audit_) audit_(why);
}

void Removals::OnWrite(const Request& request) {
  const CommandRow* row = request.row;
  if (row != nullptr) {
    frame_.Split(request.frame);
  } else {
    row = frame_.SplitWithRow(request.frame);
  }
  frame_.Find(row, request.database);
  frame_.ForEachCommand(row, request.database,
                        [this](const FrameKeys::Command& command) { OnWrite(command); });
}

// Of a command of all keys or of none the copies stay alike.
void Removals::OnWrite(const FrameKeys::Command& command) {
  const CommandRow* row = command.row;
  if (row != nullptr && SwapsDatabases(*row)) recent_.AddAll();
  if (command.begin == command.end) return;
  if (row->expiry != ExpiryRule::kNone) {
    OnExpiryTime(frame_.key(command.begin), ExpiryTimeMs(*row, command.args),
                 parts_->copies->primary());
  }
  keys_.clear();
  for (uint32_t i = command.begin; i < command.end; ++i) keys_.push_back(frame_.key(i));
  if (const size_t count = keys_.size(); count > 1 && row->split != Split::kEachKey) {
    recent_.AddTogether(keys_, row->written == WrittenKeys::kLast ? count - 1 : 0,
                        row->written == WrittenKeys::kFirst ? 1 : count);
  } else {
    for (const std::string_view key : keys_) recent_.Add(key);
  }
}

// Where that is past already the node deletes the key at once, and says so to nobody. By the clock
// of one node it may be past, and by another's not yet.
void Removals::OnExpiryTime(std::string_view key, int64_t unix_ms, uint32_t source) {
  const int64_t now_ms = parts_->env->UnixMs();
  if (feeds_.none() || now_ms == 0 || unix_ms < now_ms - KeyDoubts::kClocksMs ||
      unix_ms > now_ms + KeyDoubts::kClocksMs) {
    return;
  }
  Doubt(key, {source, 0, false, false});
}

void Removals::OnStateSent(const FrameKeys& keys) {
  if (feeds_.none()) return;
  for (size_t i = 0; i < keys.size(); ++i) recent_.AddOverwritten(keys.key(i));
}

bool Removals::IsLocked(std::string_view key) const {
  return parts_->way_back->repairs().IsLocked(key) || parts_->first->IsLocked(key);
}

void Removals::Miss(CopyMask copies, std::string_view key) {
  ForEachCopy(copies, [&](uint32_t copy) { parts_->journals->Miss(copy, key); });
}

void Removals::OnRemoved(uint32_t copy, std::string_view key, bool evicted) {
  ++removed_;
  heard_ms_ = parts_->env->NowMs();
  if (evicted) parts_->watches->OnEvicted(key);
  if (!parts_->tracked->idle() && !IsKnownToBeGone(copy, key)) parts_->tracked->OnChanged(key);
  if (parts_->copies->members() == 1) return;  // who had nothing else to be equal to
  // One that joins has all that is not in its journal: what it removes of that is gone, as with a
  // copy in sync, unless it may have been written since. Then it is that copy which is wrong.
  const bool joins =
      parts_->copies->Is(copy, CopyStage::kJoining) && !parts_->journals->Has(copy, key);
  if (!joins) Miss(Bit(copy) & parts_->journals->known(), key);
  paused_.OnRemoved(copy, key);
  if (!parts_->copies->InSync(copy) && !joins) {
    // It may have removed what its repair had just brought.
    if (parts_->way_back->repairs().IsLocked(key)) gone_again_[std::string(key)] |= Bit(copy);
    return;
  }
  recent_.Begin();
  if (doubts_.Has(key) || IsLocked(key) || recent_.MayHave(key)) {
    if (joins) {
      Doubt(key, {KeyDoubts::kPrimary, 0, false, false});
    } else {
      const bool overwritten = IsOverwritten(key, copy);
      // The primary may have told before the key was written again, and may have been taken at its
      // word already.
      const CopyMask before =
          overwritten ? (recent_.GoneOn(key) | recent_.ToldBy(key)) & Bit(parts_->copies->primary())
                      : 0;
      recent_.NoteTold(key, Bit(copy));
      Doubt(key, {copy, Bit(copy) | before, evicted, overwritten});
    }
  } else if ((recent_.GoneOn(key) & Bit(copy)) == 0) {
    const auto found = gone_.find(key);
    if (found != gone_.end()) {
      found->second |= Bit(copy);
    } else {
      gone_.emplace(std::string(key), Bit(copy));
    }
  }
}

// Another copy has told of it, and nobody has written it since.
bool Removals::IsKnownToBeGone(uint32_t copy, std::string_view key) const {
  return gone_.contains(key) || (!recent_.MayHave(key) && (recent_.GoneOn(key) & Bit(copy)) != 0);
}

// The primary is it from which others get their state.
bool Removals::IsOverwritten(std::string_view key, uint32_t copy) const {
  if (copy == parts_->copies->primary()) return false;
  return recent_.IsOverwritten(key) || parts_->first->IsLocked(key) ||
         (parts_->way_back->repairs().IsLocked(key) && !doubts_.IsRepairing(key));
}

CopyMask Removals::TakeGoneAgain(const std::string& key, CopyMask copies) {
  const auto found = gone_again_.find(key);
  if (found == gone_again_.end()) return 0;
  const CopyMask gone = found->second & copies;
  gone_again_.erase(found);
  return gone;
}

void Removals::OnRemovedEnd() {
  Flush();
  doubts_.Resolve();
}

// What is gone on one copy is deleted on the others.
void Removals::Flush() {
  if (gone_.empty()) return;
  const Copies& copies = *parts_->copies;
  decltype(gone_) gone;
  gone.swap(gone_);
  const CopyMask members = copies.targets() | parts_->journals->recording();
  for (uint32_t copy = 0; copy < copies.count(); ++copy) {
    if ((copies.targets() & Bit(copy)) == 0) continue;
    keys_.clear();
    for (const auto& [key, on] : gone) {
      if ((on & Bit(copy)) == 0) keys_.push_back(key);
    }
    if (keys_.empty()) continue;
    if (copies.link(copy).up()) {
      Delete(Bit(copy), keys_);
    } else {
      // It may be back with what it had.
      const std::vector<std::string_view> keys = keys_;
      for (const std::string_view key : keys) {
        const CopyMask on = gone.find(key)->second;
        Doubt(key, {static_cast<uint32_t>(__builtin_ctz(on)), on, true, false});
      }
    }
  }
  for (const auto& [key, on] : gone) {
    Miss(parts_->journals->recording() & ~copies.targets(), key);
    recent_.NoteGone(key, on | members);
  }
  followed_ += gone.size();
}

// On the links of these copies, which are up.
void Removals::Delete(CopyMask copies, const std::vector<std::string_view>& keys) {
  std::vector<std::string_view> args;
  for (size_t first = 0; first < keys.size();) {
    // A command is about one database.
    const uint8_t database = DatabaseOf(keys[first]);
    args.assign({"DEL"});
    for (;
         first < keys.size() && args.size() <= kDeleteBatch && DatabaseOf(keys[first]) == database;
         ++first) {
      args.push_back(KeyOf(keys[first]));
    }
    const std::string frame = CommandFrame(args);
    ForEachCopy(copies, [&](uint32_t copy) {
      Op* op = parts_->ops->New();
      op->item_kind = LinkItem::Kind::kRemoval;
      op->database = database;
      op->repair_step = 0;
      op->generation = parts_->writes->generations().Begin();
      ++deletions_;
      parts_->roles->OnOverwritten(copy);
      parts_->copies->link(copy).Send(op, frame);
    });
  }
}

void Removals::OnReply(uint32_t copy, const Op& op, std::string_view reply,
                       std::string_view frame) {
  if (op.repair_step != 0) {
    doubts_.OnReply(copy, op, reply, frame);
    return;
  }
  OnDeleted(copy, op, reply, frame);
  EndOf(op);
}

void Removals::OnDeleted(uint32_t copy, const Op& op, std::string_view reply,
                         std::string_view frame) {
  if (reply[0] != '-') return;
  parts_->journals->RecordKeys(Bit(copy), frame, op.database);
  const CopyMask others = parts_->copies->in_sync() & ~Bit(copy);
  if (!parts_->copies->InSync(copy) || others == 0) return;
  if (IsUnfitToWrite(reply)) {
    DoubtAll(copy, op.database, frame);
    doubts_.Wait();
    return;
  }
  parts_->roles->MarkUnsure(copy, "it refused to delete keys that are gone on another copy: " +
                                      std::string(ReplyText(reply)));
  parts_->roles->Reconcile();
}

// Whether it deleted them is not known.
void Removals::OnLost(uint32_t copy, const Op& op, std::string_view frame) {
  if (op.repair_step != 0) {
    doubts_.OnLost(copy, op, frame);
    return;
  }
  parts_->journals->RecordKeys(Bit(copy), frame, op.database);
  if (parts_->copies->InSync(copy)) DoubtAll(copy, op.database, frame);
  EndOf(op);
}

void Removals::EndOf(const Op& deletion) {
  WriteGenerations& generations = parts_->writes->generations();
  generations.End(deletion.generation);
  --deletions_;
  generations.TellIfDrained();
}

void Removals::Doubt(std::string_view key, const KeyDoubts::Cause& cause) {
  std::vector<std::string> keys{std::string(key)};
  if (!recent_.Spread(&keys)) {
    Audit("too many writes of several keys since a copy removed a key");
  }
  for (const std::string& doubtful : keys) gone_.erase(doubtful);
  doubts_.Add(std::move(keys), cause);
}

// The keys of a deletion that did not come to pass on that copy, as far as is known.
void Removals::DoubtAll(uint32_t copy, uint8_t database, std::string_view frame) {
  const CopyMask others = parts_->copies->in_sync() & ~Bit(copy);
  if (others == 0) return;
  const uint32_t primary = parts_->copies->primary();
  const uint32_t source = primary != copy ? primary : static_cast<uint32_t>(__builtin_ctz(others));
  frame_.Split(frame);
  const std::vector<std::string_view> args = frame_.args();
  for (size_t i = 1; i < args.size(); ++i) {
    Doubt(MakeKeyName(database, args[i]), {source, 0, true, false});
  }
}

void Removals::DeleteEverywhere(const std::string& key) {
  const CopyMask up = parts_->copies->Reachable(parts_->copies->targets());
  Delete(up, {key});
  Miss(parts_->journals->known() & ~up, key);
  recent_.Add(key);
  paused_.OnMadeEqual(key);
  recent_.NoteTold(key, up);  // as of a repair: nobody has anything of before
  if (!parts_->tracked->idle()) parts_->tracked->OnChanged(key);
}

void Removals::OnRoles() {
  doubts_.OnRoles();
  const CopyMask entered = parts_->copies->in_sync() & ~was_in_sync_;
  // What an audit has still to find may be wrong there, too, and is in no journal.
  const CopyMask left = was_in_sync_ & ~parts_->copies->in_sync();
  if (left != 0 && audit_due_ && audit_due_()) CopyWhole(left);
  const CopyMask before = std::exchange(was_in_sync_, parts_->copies->in_sync());
  paused_.OnEntered(entered, before);
  doubts_.Resolve();
}

}  // namespace gemel

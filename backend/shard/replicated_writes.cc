#include "backend/shard/replicated_writes.h"

#include <string>
#include <utility>
#include <vector>

#include "backend/shard/copies.h"
#include "backend/shard/removals.h"
#include "backend/shard/request.h"

namespace gemel {

void ReplicatedWrites::OnOverwriting(uint32_t copy) {
  if (parts_->copies->Is(copy, CopyStage::kUnknown)) copying_ |= Bit(copy);
}

// Of a transaction all keys: what one command left is what the next has read.
void ReplicatedWrites::OnWrite(const Request& request) {
  const bool found = frame_.Look(request);
  bool loose = false;
  frame_.ForEachCommand(request.row, request.database, [&](const FrameKeys::Command& command) {
    loose |= command.row == nullptr || (command.row->flags & kCmdLooseReplication) != 0;
  });
  if (!loose) return;
  if (keys_ == nullptr) {
    keys_ = std::make_unique<DirtyKeys>(std::string(), parts_->options.journal_keys,
                                        parts_->options.journal_bytes);
  }
  if (!found) keys_->Overflow();
  for (size_t i = 0; i < frame_.size(); ++i) keys_->Add(frame_.key(i));
}

void ReplicatedWrites::OnRoles() {
  if (copying_ == 0) return;
  const CopyMask entered = copying_ & parts_->copies->in_sync();
  ForEachCopy(copying_, [this](uint32_t copy) {
    if (!parts_->copies->Is(copy, CopyStage::kUnknown)) copying_ &= ~Bit(copy);
  });
  if (entered != 0 && keys_ != nullptr) {
    if (keys_->overflowed()) {
      parts_->removals->Audit(
          "a copy was made by replication, during which more keys than are kept (journal_keys, "
          "journal_bytes) were written by commands that it may carry over otherwise");
    } else {
      std::vector<std::string> keys;
      keys_->ForEach([&keys](const std::string& key) {
        keys.push_back(key);
        return true;
      });
      parts_->removals->doubts().Add(std::move(keys), {.source = KeyDoubts::kPrimary});
    }
  }
  if (copying_ == 0) keys_.reset();
}

}  // namespace gemel

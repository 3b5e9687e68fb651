// The transaction that a client has begun with MULTI: what is queued until EXEC.

#ifndef GEMEL_PROXY_SESSION_TRANSACTION_H_
#define GEMEL_PROXY_SESSION_TRANSACTION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/bytes/byte_buffer.h"
#include "backend/command/block.h"
#include "backend/command/command_table.h"
#include "backend/resp/resp_writer.h"
#include "proxy/dispatch/pool.h"
#include "proxy/scripts/text_store.h"
#include "proxy/session/block_plan.h"

namespace gemel {

// What is queued. The session's thread.
struct QueuedBlock {
  struct Command {
    const CommandRow* row;  // of the pool's table
    bool local;             // the proxy answers it itself
    std::string answer;     // with this frame, if it is not empty
    size_t begin;           // its frame's place in `frames`
    size_t end;
    bool denied = false;     // by its user's rules, which have changed
    std::string asked = {};  // as the client sent it, where `frames` has it otherwise
  };

  QueuedBlock(const Pool& pool, std::optional<uint32_t> watched_shard)
      : pool_number(pool.number()), plan(watched_shard) {
    frames.Append(kMultiFrame);
  }
  std::string_view FrameOf(const Command& command) const {
    return frames.view().substr(command.begin, command.end - command.begin);
  }
  void Queue(const CommandRow& row, const Plan& as, std::string_view frame,
             std::string_view asked) {
    const size_t begin = frames.size();
    frames.Append(frame);
    std::string answer(as.answer);
    if (as.kind == Plan::Kind::kRefused) AppendError(&answer, as.error);
    const bool local = as.kind == Plan::Kind::kLocal || !answer.empty();
    commands.push_back({&row, local, std::move(answer), begin, frames.size(), false});
    if (frame.data() != asked.data()) commands.back().asked = asked;
  }

  uint64_t pool_number;  // for which it is planned
  BlockPlan plan;
  ByteBuffer frames;  // MULTI, then those of the commands
  std::vector<Command> commands;
  AclUserPtr user;       // whose rules it has passed
  std::string prefix;    // with which its keys are queued
  bool aborted = false;  // something could not be queued: EXEC says so
  // What SCRIPT LOAD among them shows: what is queued behind it may name it.
  std::vector<TextStore::Text> scripts;
  // The code that FUNCTION LOAD among them loads; and whether a function of it is called behind it,
  // so that the node needs it in the block.
  std::vector<TextStore::Text> libraries;
  bool calls_loaded = false;
};

class Transaction {
 public:
  bool open() const { return block_ != nullptr; }
  // Commands that wait for EXEC; -1: outside a transaction.
  int64_t queued() const {
    return block_ != nullptr ? static_cast<int64_t>(block_->commands.size()) : -1;
  }
  void Begin(const Pool& pool, std::optional<uint32_t> watched_shard, AclUserPtr user) {
    block_ = std::make_unique<QueuedBlock>(pool, watched_shard);
    block_->prefix = user->prefix;
    block_->user = std::move(user);
  }
  // Only while open.
  QueuedBlock& block() { return *block_; }
  const QueuedBlock& block() const { return *block_; }
  // A command was refused: if there is a transaction, it is to fail.
  void Abort() {
    if (block_ != nullptr) block_->aborted = true;
  }
  // The transaction is over, and what was queued the caller's.
  std::unique_ptr<QueuedBlock> Take() { return std::move(block_); }
  // Bytes that it holds.
  size_t Held() const {
    if (block_ == nullptr) return 0;
    size_t held =
        block_->frames.capacity() + block_->commands.capacity() * sizeof(QueuedBlock::Command);
    for (const QueuedBlock::Command& command : block_->commands) held += command.asked.capacity();
    for (const TextStore::Text& script : block_->scripts) held += script->size();
    for (const TextStore::Text& library : block_->libraries) held += library->size();
    return held;
  }
  void Reset() { block_.reset(); }

 private:
  std::unique_ptr<QueuedBlock> block_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_TRANSACTION_H_

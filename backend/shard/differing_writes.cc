#include "backend/shard/differing_writes.h"

#include <algorithm>

namespace gemel {

namespace {

// A longer reply is not kept beside that of the primary.
constexpr size_t kMaxOther = 64 * 1024;
constexpr uint64_t kNoteMs = 1000;

}  // namespace

DifferingWrites::Write* DifferingWrites::Find(const Op* op) {
  const auto found = std::find_if(writes_.begin(), writes_.end(),
                                  [op](const Write& write) { return write.of == op; });
  if (found != writes_.end()) return &*found;
  Write& added = writes_.emplace_back();
  added.of = op;
  return &added;
}

void DifferingWrites::Keep(const Op* op, CopyMask copies, std::string_view reply) {
  if (reply.size() <= kMaxOther) Find(op)->others.push_back({copies, std::string(reply)});
}

void DifferingWrites::Await(Op* op, std::string_view key) {
  Write* write = Find(op);
  write->op = op;
  write->keys.push_back({std::string(key)});
}

void DifferingWrites::OnSource(std::string_view key, uint32_t copy) {
  for (Write& write : writes_) {
    const bool waits = std::any_of(write.keys.begin(), write.keys.end(), [key](const Key& one) {
      return one.name == key && !one.decided;
    });
    if (!waits) continue;
    const auto other =
        std::find_if(write.others.begin(), write.others.end(),
                     [copy](const Other& one) { return (one.copies & Bit(copy)) != 0; });
    if (other == write.others.end()) continue;
    write.op->KeepReply(Reply{other->reply, nullptr});
    write.others.clear();
  }
}

void DifferingWrites::OnEqual(std::string_view key) {
  for (Write& write : writes_) {
    for (Key& one : write.keys) one.decided |= one.name == key;
  }
}

bool DifferingWrites::Waits(const Op* op) const {
  return std::any_of(writes_.begin(), writes_.end(),
                     [op](const Write& write) { return write.of == op && !write.keys.empty(); });
}

std::string DifferingWrites::NoteOf(const std::string& command, size_t keys, uint64_t now_ms) {
  if (now_ms < next_note_ms_) {
    ++unnoted_;
    return {};
  }
  next_note_ms_ = now_ms + kNoteMs;
  std::string text = "the copies answered " + command + " differently; its " +
                     std::to_string(keys) + " key(s) are being repaired";
  if (unnoted_ > 0) text += "; and those of " + std::to_string(unnoted_) + " writes since the last";
  unnoted_ = 0;
  return text;
}

void DifferingWrites::Erase(const Op* op) {
  std::erase_if(writes_, [op](const Write& write) { return write.of == op; });
}

}  // namespace gemel

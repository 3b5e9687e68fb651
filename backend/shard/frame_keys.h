// The arguments and the keys of a frame that is looked at again, in scratch memory: of one command,
// or of a block (backend/command/block.h) of many.

#ifndef GEMEL_BACKEND_SHARD_FRAME_KEYS_H_
#define GEMEL_BACKEND_SHARD_FRAME_KEYS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/bytes/give_back.h"
#include "backend/command/block.h"
#include "backend/command/command_table.h"
#include "backend/resp/request_reader.h"

namespace gemel {

struct Request;

class FrameKeys {
 public:
  // One command of the frame, after Find.
  struct Command {
    const CommandRow* row = nullptr;  // null: the table has none
    std::span<const std::string_view> args;
    uint8_t database = 0;
    uint32_t begin = 0;  // its keys are key(begin) to key(end - 1)
    uint32_t end = 0;

    // Of a row. A function without keys can change nothing, nor can a script that is guarded.
    bool MayWrite() const;
  };

  // `table` outlives it.
  explicit FrameKeys(const CommandTable* table) : table_(table) {}

  // The frame must stay valid as long as its arguments are used.
  void Split(std::string_view frame) {
    if (IsBlock(frame)) [[unlikely]] {
      SplitBlock(frame);
    } else {
      block_ = false;
      SplitFrame(frame, &args_);
    }
  }
  // The same, and the command's row; null if the table has none. Of a block that of its commands
  // which may take longest.
  const CommandRow* SplitWithRow(std::string_view frame) {
    Split(frame);
    if (is_block()) [[unlikely]]
      return SlowestRow();
    return args_.empty() ? nullptr : table_->Find(args_);
  }
  // The keys of what was split, and which is about that database. False if there are none, or it is
  // not known which they all are: a command is unknown, or (in a block) one that writes names none.
  // `row`: the command's; of a block it does not matter.
  bool Find(const CommandRow* row, uint8_t database);
  // Both, of a request.
  bool Look(const Request& request);
  bool is_block() const { return block_; }
  // Of a block, those of all commands.
  const std::vector<std::string_view>& args() const { return args_; }
  size_t size() const { return names_.empty() ? keys_.size() : names_.size(); }
  // Its name (key_name.h), as all that is remembered of keys goes by it.
  std::string_view key(size_t index) const {
    return names_.empty() ? args_[keys_[index]] : std::string_view(names_[index]);
  }
  // Calls visit(command) for each, in order. After Find with the same row.
  template <typename Visit>
  void ForEachCommand(const CommandRow* row, uint8_t database, Visit visit) const {
    if (!is_block()) {
      visit(Command{row, args_, database, 0, static_cast<uint32_t>(size())});
      return;
    }
    for (const Command& command : commands_) visit(command);
  }
  // Calls visit(key) for each until it returns true. True if it did.
  template <typename Visit>
  bool AnyOf(Visit visit) const {
    for (size_t i = 0; i < size(); ++i) {
      if (visit(key(i))) return true;
    }
    return false;
  }
  void Trim() {
    GiveBack(&args_);
    GiveBack(&keys_);
    GiveBack(&names_);
    GiveBack(&commands_);
  }

 private:
  void SplitBlock(std::string_view frame);
  const CommandRow* SlowestRow() const;
  bool FindInBlock(uint8_t database);
  void AppendNames(const CommandRow& row, std::span<const std::string_view> args, uint8_t database);

  const CommandTable* table_;
  std::vector<std::string_view> args_;
  std::vector<uint32_t> keys_;      // indexes in the arguments of one command
  std::vector<std::string> names_;  // empty: each key is its own name
  bool block_ = false;
  std::vector<Command> commands_;  // of a block
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_FRAME_KEYS_H_

#include "backend/shard/frame_keys.h"

#include <algorithm>
#include <utility>

#include "backend/command/key_finder.h"
#include "backend/command/other_database.h"
#include "backend/command/script_guard.h"
#include "backend/command/second_copy.h"
#include "backend/keys/key_name.h"
#include "backend/shard/request.h"

namespace gemel {

namespace {

// The database that a SELECT in a block chooses; one that a node refuses changes nothing.
uint8_t Selected(std::span<const std::string_view> args, uint8_t before) {
  int64_t index = 0;
  const bool fits = args.size() == 2 && ParseInteger(args[1], &index) && index >= 0 &&
                    index < static_cast<int64_t>(kMostDatabases);
  return fits ? static_cast<uint8_t>(index) : before;
}

}  // namespace

bool FrameKeys::Command::MayWrite() const {
  const SecondCopy second = SecondCopyFor(*row, args);
  if (second != SecondCopy::kConfined) return second != SecondCopy::kNone;
  return row->script == ScriptRule::kFunction ? !IsConfinedCall(args) : !IsConfined(args[1]);
}

void FrameKeys::SplitBlock(std::string_view frame) {
  block_ = true;
  args_.clear();
  commands_.clear();
  std::vector<size_t> ends;
  for (std::string_view rest = InsideOf(frame); !rest.empty();) {
    rest.remove_prefix(SplitNext(rest, &args_));
    ends.push_back(args_.size());
  }
  size_t begin = 0;
  for (const size_t end : ends) {
    Command command;
    command.args = std::span(args_).subspan(begin, end - begin);
    commands_.push_back(command);
    begin = end;
  }
}

const CommandRow* FrameKeys::SlowestRow() const {
  const CommandRow* slowest = nullptr;
  for (const Command& command : commands_) {
    const CommandRow* row = table_->Find(command.args);
    if (row == nullptr) return nullptr;
    slowest = SlowerOf(slowest, row);
  }
  return slowest;
}

bool FrameKeys::Look(const Request& request) {
  Split(request.frame);
  return Find(request.row, request.database);
}

bool FrameKeys::Find(const CommandRow* row, uint8_t database) {
  names_.clear();
  if (is_block()) return FindInBlock(database);
  if (row == nullptr || !FindKeys(*row, args_, &keys_) || keys_.empty()) return false;
  const bool own = std::all_of(keys_.begin(), keys_.end(),
                               [&](uint32_t key) { return IsItsOwnName(database, args_[key]); });
  if (!own || FindOtherDatabase(*row, args_).any()) [[unlikely]]
    AppendNames(*row, args_, database);
  return true;
}

bool FrameKeys::FindInBlock(uint8_t database) {
  bool all = true;
  for (Command& command : commands_) {
    command.row = table_->Find(command.args);
    command.database = database;
    command.begin = command.end = static_cast<uint32_t>(names_.size());
    if (command.row == nullptr) {
      all = false;
    } else if (command.row->local == LocalCommand::kSelect) {
      database = Selected(command.args, database);
    } else if (!FindKeys(*command.row, command.args, &keys_)) {
      all = false;
    } else {
      all = all && (!keys_.empty() || !command.MayWrite());
      AppendNames(*command.row, command.args, database);
      command.end = static_cast<uint32_t>(names_.size());
    }
  }
  keys_.clear();
  return all && !names_.empty();
}

// A key of the command may be in another database than its others, or in another one, too.
void FrameKeys::AppendNames(const CommandRow& row, std::span<const std::string_view> args,
                            uint8_t database) {
  const OtherDatabase other = FindOtherDatabase(row, args);
  const auto there = static_cast<uint8_t>(other.index);
  for (size_t i = 0; i < keys_.size(); ++i) {
    const bool moved = other.any() && i + 1 == keys_.size();
    names_.push_back(MakeKeyName(moved && !other.same_key ? there : database, args[keys_[i]]));
    if (moved && other.same_key) names_.push_back(MakeKeyName(there, args[keys_[i]]));
  }
}

}  // namespace gemel

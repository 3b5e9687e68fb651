// The arguments and the keys of a command that is looked at again, in scratch memory.

#ifndef GEMEL_BACKEND_SHARD_FRAME_KEYS_H_
#define GEMEL_BACKEND_SHARD_FRAME_KEYS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/bytes/give_back.h"
#include "backend/command/command_table.h"
#include "backend/command/key_finder.h"
#include "backend/command/other_database.h"
#include "backend/keys/key_name.h"
#include "backend/resp/request_reader.h"

namespace gemel {

class FrameKeys {
 public:
  // The frame, one multibulk command, must stay valid as long as its arguments are used.
  void Split(std::string_view frame) { SplitFrame(frame, &args_); }
  // The same, and the command's row; null if the table has none.
  const CommandRow* Split(std::string_view frame, const CommandTable& table) {
    SplitFrame(frame, &args_);
    return args_.empty() ? nullptr : table.Find(args_);
  }
  // The keys of what was split, and which is about that database. False if there are none, or it is
  // not known which they are.
  bool Find(const CommandRow* row, uint8_t database) {
    if (row == nullptr || !FindKeys(*row, args_, &keys_) || keys_.empty()) return false;
    names_.clear();
    const OtherDatabase other = FindOtherDatabase(*row, args_);
    if (other.any()) [[unlikely]] {
      NameOther(database, other);
    } else if (!std::all_of(keys_.begin(), keys_.end(), [&](uint32_t key) {
                 return IsItsOwnName(database, args_[key]);
               })) [[unlikely]] {
      for (const uint32_t key : keys_) names_.push_back(MakeKeyName(database, args_[key]));
    }
    return true;
  }
  const std::vector<std::string_view>& args() const { return args_; }
  size_t size() const { return names_.empty() ? keys_.size() : names_.size(); }
  // Its name (key_name.h), as all that is remembered of keys goes by it.
  std::string_view key(size_t index) const {
    return names_.empty() ? args_[keys_[index]] : std::string_view(names_[index]);
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
  }

 private:
  // A key of the command is in another database than its others, or in another one, too.
  void NameOther(uint8_t database, const OtherDatabase& other) {
    for (size_t i = 0; i < keys_.size(); ++i) {
      const bool moved = i + 1 == keys_.size();
      const auto there = static_cast<uint8_t>(other.index);
      names_.push_back(MakeKeyName(moved && !other.same_key ? there : database, args_[keys_[i]]));
      if (moved && other.same_key) names_.push_back(MakeKeyName(there, args_[keys_[i]]));
    }
  }

  std::vector<std::string_view> args_;
  std::vector<uint32_t> keys_;
  std::vector<std::string> names_;  // empty: each key is its own name
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_FRAME_KEYS_H_

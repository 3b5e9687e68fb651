// The arguments and the keys of a command that is looked at again, in scratch memory.

#ifndef GEMEL_BACKEND_SHARD_FRAME_KEYS_H_
#define GEMEL_BACKEND_SHARD_FRAME_KEYS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "backend/bytes/give_back.h"
#include "backend/command/command_table.h"
#include "backend/command/key_finder.h"
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
  // The keys of what was split. False if there are none, or it is not known which they are.
  bool Find(const CommandRow* row) {
    return row != nullptr && FindKeys(*row, args_, &keys_) && !keys_.empty();
  }
  const std::vector<std::string_view>& args() const { return args_; }
  size_t size() const { return keys_.size(); }
  std::string_view key(size_t index) const { return args_[keys_[index]]; }
  // Calls visit(key) for each until it returns true. True if it did.
  template <typename Visit>
  bool AnyOf(Visit visit) const {
    for (const uint32_t key : keys_) {
      if (visit(args_[key])) return true;
    }
    return false;
  }
  void Trim() {
    GiveBack(&args_);
    GiveBack(&keys_);
  }

 private:
  std::vector<std::string_view> args_;
  std::vector<uint32_t> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_FRAME_KEYS_H_

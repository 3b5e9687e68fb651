// Rows that were looked up of late, known again by the very bytes of their names: clients say the
// same few words over and over. One thread's.

#ifndef GEMEL_BACKEND_COMMAND_COMMAND_MEMO_H_
#define GEMEL_BACKEND_COMMAND_COMMAND_MEMO_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "backend/command/command_names.h"

namespace gemel {

class CommandMemo {
 public:
  // What names.Find(args) says. `args` are those of a multibulk frame (request_reader.h): behind
  // each but the last there is more of the frame. The names are to be the same in every call, or
  // Forget comes in between.
  const CommandRow* Find(const CommandNames& names, std::span<const std::string_view> args) {
    const size_t size = args[0].size();
    if (size - 1 >= kLongest || args.size() < 2) return names.Find(args);
    uint64_t word = 0;
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(&word, args[0].data(), sizeof(word));  // 8 bytes are there: "X\r\n$0\r\n\r\n"
    word = word << (64 - 8 * size) | size;             // of seven at most: a byte is left
    Entry& entry = entries_[word * 0x9e3779b97f4a7c15ull >> (64 - kIndexBits)];
    if (entry.word != word) [[unlikely]] {
      const CommandRow* row = names.Find(args);
      // A container's rows depend on the next argument, too.
      if (row == nullptr || row->name.size() != size || (row->flags & kCmdContainer) != 0) {
        return row;
      }
      entry = {word, row};
    }
    return entry.row;
  }
  void Forget() { *this = {}; }

 private:
  static constexpr size_t kLongest = 7;
  static constexpr size_t kIndexBits = 4;
  struct Entry {
    uint64_t word = 0;  // no name's
    const CommandRow* row = nullptr;
  };
  Entry entries_[1 << kIndexBits];
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_COMMAND_MEMO_H_

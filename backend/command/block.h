// A transaction as a shard gets it: MULTI, the commands, EXEC, one frame behind the other without
// anything between, of which a node executes all or nothing. SELECT among them chooses the database
// of what follows; the last one leaves it as it was before the block.

#ifndef GEMEL_BACKEND_COMMAND_BLOCK_H_
#define GEMEL_BACKEND_COMMAND_BLOCK_H_

#include <cstddef>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

inline constexpr std::string_view kMultiFrame = "*1\r\n$5\r\nMULTI\r\n";
inline constexpr std::string_view kExecFrame = "*1\r\n$4\r\nEXEC\r\n";

inline bool IsBlock(std::string_view frame) {
  return frame.size() > kMultiFrame.size() && frame.starts_with(kMultiFrame);
}
// The frames between MULTI and EXEC.
inline std::string_view InsideOf(std::string_view block) {
  block.remove_prefix(kMultiFrame.size());
  block.remove_suffix(kExecFrame.size());
  return block;
}

// Which of two commands may keep a node busy longer: that row speaks for a block of both. Either
// may be null.
inline const CommandRow* SlowerOf(const CommandRow* a, const CommandRow* b) {
  const auto slowness = [](const CommandRow* row) {
    return row == nullptr ? 0 : row->RunsCode() ? 3 : row->MayTakeLong() ? 2 : 1;
  };
  return slowness(b) > slowness(a) ? b : a;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_BLOCK_H_

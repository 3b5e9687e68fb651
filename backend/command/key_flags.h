// What a command does with its keys, in the words of COMMAND GETKEYSANDFLAGS.

#ifndef GEMEL_BACKEND_COMMAND_KEY_FLAGS_H_
#define GEMEL_BACKEND_COMMAND_KEY_FLAGS_H_

#include <span>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// Words with a space between them, such as "RW access update".
struct KeyFlags {
  std::string_view first;  // of the first key that FindKeys finds
  std::string_view rest;   // of the others
};

// `args` are the whole command, and fit the row's arity. Source: the key specifications of Redis
// 7.0 (COMMAND INFO), and setGetKeys and bitfieldGetKeys of its db.c.
KeyFlags KeyFlagsOf(const CommandRow& row, std::span<const std::string_view> args);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_KEY_FLAGS_H_

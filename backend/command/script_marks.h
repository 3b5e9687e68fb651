// What the guard writes into the errors of scripts, and what is read there (script_guard.h).

#ifndef GEMEL_BACKEND_COMMAND_SCRIPT_MARKS_H_
#define GEMEL_BACKEND_COMMAND_SCRIPT_MARKS_H_

#include <string_view>

namespace gemel {

// Behind each of them keys in hexadecimal, with commas between, and "]".
inline constexpr std::string_view kStoppedMark = " [gemel:stopped:";
inline constexpr std::string_view kToldMark = " [gemel:keys:";

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_SCRIPT_MARKS_H_

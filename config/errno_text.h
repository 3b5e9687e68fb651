// What an error number of the system means, in words.

#ifndef GEMEL_CONFIG_ERRNO_TEXT_H_
#define GEMEL_CONFIG_ERRNO_TEXT_H_

#include <string>
#include <system_error>

namespace gemel {

// "No such file or directory". Any thread.
inline std::string ErrnoText(int code) { return std::generic_category().message(code); }

}  // namespace gemel

#endif  // GEMEL_CONFIG_ERRNO_TEXT_H_

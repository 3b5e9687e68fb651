// The page that tells people what becomes of each command: COMMANDS.md, beside this file.

#ifndef GEMEL_BACKEND_COMMAND_COMMAND_PAGE_H_
#define GEMEL_BACKEND_COMMAND_COMMAND_PAGE_H_

#include <string>

namespace gemel {

// The whole page, in Markdown, of the built-in rows.
std::string CommandPage();

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_COMMAND_PAGE_H_

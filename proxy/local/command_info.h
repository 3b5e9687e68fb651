// COMMAND INFO's reply about one command.

#ifndef GEMEL_PROXY_LOCAL_COMMAND_INFO_H_
#define GEMEL_PROXY_LOCAL_COMMAND_INFO_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"

namespace gemel {

// Redis's categories of the command, with their "@". Of an operator's command they follow from its
// flags.
std::vector<std::string_view> CategoriesOf(const CommandRow& row);

// Appends the row's part, but for the subcommands, which come behind it: the reply's array of ten
// is begun, and nine elements are there.
void AppendCommandInfo(const CommandRow& row, std::string* out);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_COMMAND_INFO_H_

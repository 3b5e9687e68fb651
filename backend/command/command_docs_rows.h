// The lines of COMMAND DOCS, one a command, for command_docs.cc alone. Each group is sorted by
// name.

#ifndef GEMEL_BACKEND_COMMAND_COMMAND_DOCS_ROWS_H_
#define GEMEL_BACKEND_COMMAND_COMMAND_DOCS_ROWS_H_

#include <span>

#include "backend/command/command_docs.h"

namespace gemel {

std::span<const CommandDoc> ServerDocs();
std::span<const CommandDoc> ValueDocs();

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_COMMAND_DOCS_ROWS_H_

#include "backend/command/command_docs.h"

#include <algorithm>

#include "backend/command/command_docs_rows.h"

namespace gemel {

const CommandDoc* FindCommandDoc(std::string_view name) {
  for (const std::span<const CommandDoc> docs : {ServerDocs(), ValueDocs()}) {
    const auto doc = std::lower_bound(
        docs.begin(), docs.end(), name,
        [](const CommandDoc& d, std::string_view wanted) { return d.name < wanted; });
    if (doc != docs.end() && doc->name == name) return &*doc;
  }
  return nullptr;
}

}  // namespace gemel

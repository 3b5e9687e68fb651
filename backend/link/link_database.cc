#include "backend/link/link_database.h"

#include <vector>

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

std::string LinkDatabase::Select(uint8_t database) {
  sent_ = database;
  return CommandFrame({"SELECT", std::to_string(database)});
}

void LinkDatabase::OnReply(std::string_view frame, std::string_view reply) {
  // A node that is busy refuses what stands behind it, too, unless that comes a moment later.
  refused_ = reply[0] == '-';
  if (refused_) {
    sent_ = -1;
    return;
  }
  std::vector<std::string_view> args;
  SplitFrame(frame, &args);
  int64_t index = 0;
  ParseInteger(args[1], &index);
  selected_ = static_cast<uint8_t>(index);
}

bool LinkDatabase::IsMisplaced(const LinkLine::Entry& oldest, std::string_view reply) const {
  if (oldest.item == nullptr || oldest.item->database == selected_) return false;
  // What says that nothing was carried out at all. A busy node takes MULTI.
  for (const std::string_view nothing :
       {"-BUSY", "-LOADING", "-NOAUTH", "-NOPERM", "-EXECABORT", "+QUEUED"}) {
    if (reply.starts_with(nothing)) return false;
  }
  return oldest.frame() != "*1\r\n$5\r\nMULTI\r\n";
}

}  // namespace gemel

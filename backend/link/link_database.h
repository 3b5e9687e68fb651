// Which database of its node a link's commands come to.

#ifndef GEMEL_BACKEND_LINK_LINK_DATABASE_H_
#define GEMEL_BACKEND_LINK_LINK_DATABASE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/link/link_line.h"

namespace gemel {

// Logic only, the link's thread.
class LinkDatabase {
 public:
  // A connection is made: the node has selected the link's own, which is 0 for its items.
  void Reset() { *this = LinkDatabase(); }
  // An item of that one cannot be sent as it is: Select goes before it.
  bool Differs(uint8_t database) const { return database != sent_; }
  // The frame that selects it for what is sent next.
  std::string Select(uint8_t database);
  // The answer to such a frame.
  void OnReply(std::string_view frame, std::string_view reply);
  // A SELECT was refused, and since then none was answered well.
  bool refused() const { return refused_; }
  // Then this answer to what stands first in line is no refusal: whoever it was for was carried out
  // in another database than its own, in selected().
  bool IsMisplaced(const LinkLine::Entry& oldest, std::string_view reply) const;
  // As far as the node has answered.
  uint8_t selected() const { return selected_; }

 private:
  // That the node has selected once it has read all that was sent; -1: not known.
  int16_t sent_ = 0;
  uint8_t selected_ = 0;
  bool refused_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_DATABASE_H_

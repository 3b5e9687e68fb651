// One walk through a node's keys with SCAN: from its beginning to its end, a reply at a time.

#ifndef GEMEL_BACKEND_RESP_SCAN_WALK_H_
#define GEMEL_BACKEND_RESP_SCAN_WALK_H_

#include <string>
#include <string_view>
#include <vector>

#include "backend/resp/reply_reader.h"

namespace gemel {

// The cursor is of one process of one node: who walks begins anew when that changes. Who sends the
// commands, and when, is the owner's matter.
class ScanWalk {
 public:
  // From the beginning.
  void Begin() {
    cursor_ = "0";
    done_ = false;
  }
  // It has come round: everything that was there from its beginning to now was named.
  bool done() const { return done_; }
  // For the next command; valid until the next reply.
  const std::string& cursor() const { return cursor_; }

  // Takes the reply to SCAN with this cursor, and puts the keys that it names (some twice,
  // perhaps) into *keys: they are valid as long as `reply` is. Returns what is wrong, "SCAN: ...",
  // and then nothing has changed; or an empty string.
  std::string OnReply(std::string_view reply, std::vector<std::string_view>* keys) {
    keys->clear();
    std::vector<std::string_view> parts;
    if (!SplitArray(reply, &parts) || parts.size() != 2 || !SplitArray(parts[1], keys)) {
      keys->clear();
      return "SCAN: " + std::string(reply[0] == '-' ? ReplyText(reply) : "an odd reply");
    }
    cursor_ = ReplyText(parts[0]);
    done_ = cursor_ == "0";
    for (std::string_view& key : *keys) key = ReplyText(key);
    return {};
  }

 private:
  std::string cursor_ = "0";
  bool done_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_SCAN_WALK_H_

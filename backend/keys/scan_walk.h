// One walk through a node's keys with SCAN: from its beginning to its end, a reply at a time, one
// database after the other.

#ifndef GEMEL_BACKEND_KEYS_SCAN_WALK_H_
#define GEMEL_BACKEND_KEYS_SCAN_WALK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"

namespace gemel {

// The cursor is of one process of one node: who walks begins anew when that changes. Who sends the
// commands, and when, is the owner's matter.
class ScanWalk {
 public:
  // From the beginning, of so many databases.
  void Begin(uint32_t databases) {
    databases_ = databases;
    database_ = 0;
    cursor_ = "0";
    done_ = false;
  }
  // It has come round: everything that was there from its beginning to now was named.
  bool done() const { return done_; }
  // For the next command; valid until the next reply.
  const std::string& cursor() const { return cursor_; }
  uint8_t database() const { return database_; }

  // Takes the reply to SCAN with this cursor in this database, and puts the names (key_name.h) of
  // the keys in it (some twice, perhaps) into *names. Returns what is wrong, "SCAN: ...", and then
  // nothing has changed; or an empty string.
  std::string OnReply(std::string_view reply, std::vector<std::string>* names) {
    names->clear();
    std::vector<std::string_view> parts;
    std::vector<std::string_view> keys;
    if (!SplitArray(reply, &parts) || parts.size() != 2 || !SplitArray(parts[1], &keys)) {
      return "SCAN: " + std::string(reply[0] == '-' ? ReplyText(reply) : "an odd reply");
    }
    cursor_ = ReplyText(parts[0]);
    for (const std::string_view key : keys) {
      names->push_back(MakeKeyName(database_, ReplyText(key)));
    }
    if (cursor_ == "0") {
      ++database_;
      done_ = database_ == databases_ || database_ == 0;
    }
    return {};
  }

 private:
  std::string cursor_ = "0";
  uint32_t databases_ = 1;
  uint8_t database_ = 0;  // 0 again behind the last of 256
  bool done_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_KEYS_SCAN_WALK_H_

// The reply to SCAN.

#ifndef GEMEL_BACKEND_RESP_SCAN_REPLY_H_
#define GEMEL_BACKEND_RESP_SCAN_REPLY_H_

#include <string>
#include <string_view>
#include <vector>

#include "backend/resp/reply_reader.h"

namespace gemel {

struct ScanReply {
  std::string_view cursor;  // "0": the scan has come round
  std::vector<std::string_view> keys;
  std::string error;  // "SCAN: ...", or empty
};

// `reply` must stay valid as long as the result is used.
inline ScanReply ParseScanReply(std::string_view reply) {
  ScanReply scan;
  std::vector<std::string_view> parts;
  if (!SplitArray(reply, &parts) || parts.size() != 2 || !SplitArray(parts[1], &scan.keys)) {
    scan.error = "SCAN: " + std::string(reply[0] == '-' ? ReplyText(reply) : "an odd reply");
    return scan;
  }
  scan.cursor = ReplyText(parts[0]);
  for (std::string_view& key : scan.keys) key = ReplyText(key);
  return scan;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_SCAN_REPLY_H_

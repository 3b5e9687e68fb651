#include "backend/shard/state_frames.h"

#include <algorithm>
#include <utility>

#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

std::string StateFrames::AskDump(std::string_view key) {
  return CommandFrame({"DUMP", KeyOf(key)});
}

std::string StateFrames::AskExpiry(uint32_t copy, std::string_view key) const {
  return CommandFrame({IsRelative(copy) ? "PTTL" : "PEXPIRETIME", KeyOf(key)});
}

bool StateFrames::Append(uint8_t database, uint32_t from, std::span<const std::string> keys,
                         std::span<const std::string_view> answers,
                         std::vector<std::string>* frames) const {
  if (frames->empty()) {
    frames->push_back(CommandFrame({"MULTI"}));
  } else {
    frames->pop_back();  // EXEC
  }
  const uint8_t first = database;
  const auto select = [&](uint8_t wanted) {
    if (std::exchange(database, wanted) == wanted) return;
    frames->push_back(CommandFrame({"SELECT", std::to_string(wanted)}));
  };
  for (size_t i = 0; i < keys.size(); ++i) {
    select(DatabaseOf(keys[i]));
    if (AppendOne(from, keys[i], answers[2 * i], answers[2 * i + 1], frames)) continue;
    frames->clear();
    return false;
  }
  select(first);
  frames->push_back(CommandFrame({"EXEC"}));
  return true;
}

bool StateFrames::AppendOne(uint32_t from, const std::string& key, std::string_view dump,
                            std::string_view expires, std::vector<std::string>* frames) const {
  const bool relative = IsRelative(from);
  const std::string_view payload = ReplyText(dump);
  int64_t expiry_ms = 0;
  if (dump[0] == '-' || expires[0] == '-' || !ParseInteger(ReplyText(expires), &expiry_ms)) {
    return false;
  }
  if (payload.empty() || expiry_ms == -2) {
    frames->push_back(CommandFrame({"DEL", KeyOf(key)}));
    return true;
  }
  std::string expiry = "0";
  if (expiry_ms >= 0) expiry = std::to_string(std::max<int64_t>(expiry_ms, 1));
  std::vector<std::string_view> restore = {"RESTORE", KeyOf(key), expiry, payload, "REPLACE"};
  if (!relative && expiry_ms >= 0) {
    restore.push_back("ABSTTL");
    on_expiry_time_(key, expiry_ms);
  }
  frames->push_back(CommandFrame(restore));
  return true;
}

}  // namespace gemel

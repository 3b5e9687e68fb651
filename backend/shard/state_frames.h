// What makes keys on one copy what they are on another: what is asked there, and the commands that
// follow from the answers.

#ifndef GEMEL_BACKEND_SHARD_STATE_FRAMES_H_
#define GEMEL_BACKEND_SHARD_STATE_FRAMES_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/shard/copy_mask.h"

namespace gemel {

class StateFrames {
 public:
  // `on_expiry_time`: what follows sets that time of the nodes' clocks for the key to expire.
  using OnExpiryTime = std::function<void(std::string_view key, int64_t unix_ms)>;
  explicit StateFrames(OnExpiryTime on_expiry_time) : on_expiry_time_(std::move(on_expiry_time)) {}

  // That copy knows no PEXPIRETIME (Redis before 7.0).
  bool IsRelative(uint32_t copy) const { return (relative_ & Bit(copy)) != 0; }
  void LearnRelative(uint32_t copy) { relative_ |= Bit(copy); }
  // The two questions about a key, by its name.
  static std::string AskDump(std::string_view key);
  std::string AskExpiry(uint32_t copy, std::string_view key) const;

  // Of these keys, of which that copy answered both in turn: in one MULTI, which *frames may hold
  // already, sent in that database. False, and nothing in it: of one key it is not known.
  bool Append(uint8_t database, uint32_t from, std::span<const std::string> keys,
              std::span<const std::string_view> answers, std::vector<std::string>* frames) const;

 private:
  bool AppendOne(uint32_t from, const std::string& key, std::string_view dump,
                 std::string_view expires, std::vector<std::string>* frames) const;

  OnExpiryTime on_expiry_time_;
  CopyMask relative_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_STATE_FRAMES_H_

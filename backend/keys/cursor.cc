#include "backend/keys/cursor.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>

namespace gemel {

bool ParseCursor(std::string_view text, uint64_t* cursor) {
  *cursor = 0;
  if (text.empty()) return true;
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *cursor);
  if (negative) *cursor = 0 - *cursor;
  return error == std::errc() && end == text.data() + text.size();
}

uint32_t CursorTagOf(std::string_view process) {
  constexpr size_t kRunIdLength = 40;
  constexpr size_t kDigits = 8;
  uint32_t id = 0;
  const char* const end = process.data() + kDigits;
  const bool run_id =
      process.size() == kRunIdLength && std::from_chars(process.data(), end, id, 16).ptr == end;
  const uint64_t nth =
      (run_id ? id : XXH64(process.data(), process.size(), 0)) % kCursorTags;  // no multiple of 8
  return static_cast<uint32_t>(1 + nth + nth / 7);
}

bool JoinCursor(const TaggedCursor& parts, uint64_t* cursor) {
  *cursor = 0;
  if (parts.node == 0) return true;
  if (parts.node > ~uint64_t{0} >> kCursorTagBits) return false;
  *cursor = parts.node << kCursorTagBits | parts.tag;
  return true;
}

TaggedCursor SplitCursor(uint64_t cursor) {
  constexpr uint64_t kMask = (uint64_t{1} << kCursorTagBits) - 1;
  return {cursor >> kCursorTagBits, static_cast<uint32_t>(cursor & kMask)};
}

}  // namespace gemel

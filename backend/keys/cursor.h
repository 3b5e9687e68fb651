// Cursors of SCAN, HSCAN, SSCAN and ZSCAN, as clients have them: a node's own cursor, and the tag
// of the process that gave it.
//
// A node's cursor is a place among hashes that are made with a seed of the process, so that it
// means nothing to another one. The tag follows from the process alone: whoever sees both knows
// whether they belong together, also after a restart of the proxy.

#ifndef GEMEL_BACKEND_KEYS_CURSOR_H_
#define GEMEL_BACKEND_KEYS_CURSOR_H_

#include <cstdint>
#include <string_view>

namespace gemel {

// A cursor's text, as Redis reads it: nothing is 0, and less than 0 counts from the end. False: it
// is none.
bool ParseCursor(std::string_view text, uint64_t* cursor);

inline constexpr uint32_t kCursorTagBits = 14;
inline constexpr uint32_t kCursorTags = (uint32_t{1} << kCursorTagBits) / 8 * 7;

// SCAN's has the shard's slot as well, in its lowest bits: there are twice as many as shards, for
// those that are on their way out have theirs. One of the last is what a script's SCAN gives, which
// knows no slots: with it a client's begins anew.
inline constexpr uint64_t kCursorSlots = 1 << 13;
inline constexpr uint32_t kScriptCursorSlot = kCursorSlots - 2;

// Never 0, nor a multiple of 8: what SCAN gave before there were tags has these, with the shard in
// it (EncodeCursor in proxy/session/merge.h), and so is nobody's. Two processes have the same tag
// once in 14,000 times.
//
// Of a run_id it is made in a way that a script can go, too (backend/command/script_cursors.h).
uint32_t CursorTagOf(std::string_view process);

struct TaggedCursor {
  uint64_t node = 0;
  uint32_t tag = 0;
};
// False if both do not fit in 64 bits. 0, the beginning and the end, has no tag.
bool JoinCursor(const TaggedCursor& parts, uint64_t* cursor);
TaggedCursor SplitCursor(uint64_t cursor);

}  // namespace gemel

#endif  // GEMEL_BACKEND_KEYS_CURSOR_H_

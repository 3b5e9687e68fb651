// Reads that go on from a cursor (SCAN, HSCAN, SSCAN, ZSCAN; also in a transaction): each belongs
// to the process that gave it (backend/keys/cursor.h), goes on there as long as that one can be
// read, whoever is the primary, and begins anew elsewhere. So whoever goes from 0 to 0 is told of
// all that was there from the start to the end; of some twice, where a node was lost on the way.

#ifndef GEMEL_BACKEND_SHARD_CURSORS_H_
#define GEMEL_BACKEND_SHARD_CURSORS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/command/command_table.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread. What it returns lies in the argument, or here until the next
// call.
class Cursors {
 public:
  explicit Cursors(ShardParts* parts) : parts_(parts), frame_(parts->table) {}

  // The copy that gave the cursors in the frame and can be read; -1: they are to begin anew, which
  // any copy may do.
  int OwnerOf(std::string_view frame);
  // As that copy is to be sent it: with its own cursors, and 0 for those of others.
  std::string_view FrameFor(uint32_t copy, std::string_view frame);
  // With 0 for all: a frame made for a copy is to go to another one.
  std::string_view FromStart(std::string_view frame);
  // The copy's reply as the client gets it, who is to come back with these cursors.
  Reply ReplyOf(uint32_t copy, const Reply& reply, std::string_view frame);

  void Trim() {
    frame_.Trim();
    text_ = {};
    reply_ = {};
  }

 private:
  // Which argument of a command it is; 0: none.
  static size_t PlaceIn(const FrameKeys::Command& command);
  uint32_t TagOf(uint32_t copy) const;
  bool AppendReply(uint32_t copy, std::string_view reply, std::string* out) const;
  // The frame with change(cursor) in the place of each that is not 0.
  template <typename Change>
  std::string_view Changed(std::string_view frame, Change change);

  ShardParts* parts_;
  FrameKeys frame_;
  std::string text_;
  std::string reply_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_CURSORS_H_

// What stands in line on a link, as far as the link is concerned, and what it gets.

#ifndef GEMEL_BACKEND_LINK_LINK_ITEM_H_
#define GEMEL_BACKEND_LINK_LINK_ITEM_H_

#include <cstdint>
#include <string_view>

#include "backend/bytes/byte_buffer.h"

namespace gemel {

// A reply's bytes, one whole frame (or, for requests that ask the proxy itself, a fragment of one).
struct Reply {
  std::string_view bytes;
  // If set: a buffer that holds the bytes and nothing else, and that the receiver may take over.
  ByteBuffer* buffer = nullptr;
};

// The base of what a link's owner sends. The owner knows by the kind what it is.
struct LinkItem {
  enum class Kind : uint8_t {
    kRequest,  // a Request: a read, on one link at a time
    kWrite,    // an Op: on the links of all copies
    kRepair,   // an Op
    kState,    // an Op: of a write that one copy executes first, and of what the others get then
    kCompare,  // an Op: a read on the links of several copies, for the audit
    kHedge,    // a Hedge: a read that stands in line on two links
    kRemoval,  // an Op: deletes keys that are gone on another copy
    kLibrary,  // no more than this: of Libraries; nobody waits for it
    kTouch,    // no more than this: of a ReadSample; nobody waits for it
  };
  explicit LinkItem(Kind kind) : item_kind(kind) {}
  Kind item_kind;
  // The database that it is about: see LinkOptions.
  uint8_t database = 0;
  // Its frame is a block (backend/command/block.h): see link_block.h.
  bool block = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_ITEM_H_

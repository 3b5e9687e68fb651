// How a node's reply of RESP3 reads in RESP2: what Redis itself would have written to a client that
// never said HELLO 3.
// Spec: https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md
//
// Type by type it follows from the frame alone (a map is an array of twice as many, a double a bulk
// string, ...). Three things do not, and come from the command's row: RESP2 has two nulls; some
// commands give pairs in RESP3 where RESP2 has one flat array; and XREAD gives a map where RESP2
// has an array of pairs.

#ifndef GEMEL_BACKEND_RESP_RESP2_FORM_H_
#define GEMEL_BACKEND_RESP_RESP2_FORM_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

enum class Resp2Form : uint8_t {
  kAsItIs,         // not at all: who asked speaks RESP3
  kPlain,          // type by type; nulls are $-1
  kNullArray,      // nulls, on any level, are *-1
  kLastNullArray,  // the last element, if it is a null, is *-1, other nulls are $-1: XPENDING
  kFlatPairs,      // an array of arrays of two is one of twice as many: ZRANGE ... WITHSCORES
  kPairs,          // a map is an array of arrays of two, and nulls are *-1: XREAD
  kNullOfCount,    // kNullArray if the command was given a count, else kPlain: LPOP (FormIn2)
  kNothing,        // its client wants no reply (CLIENT REPLY): none is written
};

// True only if the reply is the same bytes in both protocols; false also where that would take more
// than a glance to tell. `reply`: one whole valid frame, as of the functions below. Costs one look
// at most replies, and one at each value of an array.
bool ReadsSameInResp2(std::string_view reply, Resp2Form form);

// Takes a reply of RESP2 piece by piece, in order.
class Resp2Out {
 public:
  virtual ~Resp2Out() = default;
  // A part of the reply of RESP3 itself, as long as can be.
  virtual void Same(std::string_view part) = 0;
  // Bytes that are not; good during the call.
  virtual void Made(std::string_view bytes) = 0;
};

// Gives `out` what a client of RESP2 gets for the reply. Frames of RESP2 stay what they are;
// attributes are left out, for Redis does not send them to such a client. Allocates nothing.
void WriteInResp2(std::string_view reply, Resp2Form form, Resp2Out* out);
// The same, appended to a string.
void AppendInResp2(std::string_view reply, Resp2Form form, std::string* out);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_RESP2_FORM_H_

// Finds the end of a reply that is not kept: it is too large. Takes the bytes as they come.

#ifndef GEMEL_BACKEND_RESP_REPLY_SKIPPER_H_
#define GEMEL_BACKEND_RESP_REPLY_SKIPPER_H_

#include <cstddef>
#include <cstdint>

namespace gemel {

class ReplySkipper {
 public:
  enum class Status {
    kMore,   // all was taken, and the end is not there yet
    kEnd,    // used() bytes were taken; they end the reply
    kError,  // that is no RESP: its end will not be found
  };

  // From the beginning of a value on, when `values` are still to come of the reply, that one
  // included, and `before` bytes of it have been.
  explicit ReplySkipper(uint64_t values = 1, uint64_t before = 0)
      : values_(values), total_(before) {}

  // The next bytes.
  Status Feed(const char* data, size_t size);

  size_t used() const { return used_; }      // of the last call
  uint64_t total() const { return total_; }  // of the reply, so far

 private:
  // Acts on a header line that is whole; false if it makes no sense.
  bool OnHeader();

  uint64_t values_;       // still to come, on all levels
  uint64_t skip_ = 0;     // of a string and the line end behind it
  bool in_line_ = false;  // of a simple type: nothing counts but its end
  char header_[32];       // the beginning of a line
  size_t header_size_ = 0;
  size_t used_ = 0;
  uint64_t total_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_REPLY_SKIPPER_H_

// Finds where a node's reply ends, RESP2 or RESP3, without building anything from it.
// Spec: https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md

#ifndef GEMEL_BACKEND_RESP_REPLY_READER_H_
#define GEMEL_BACKEND_RESP_REPLY_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

struct ReplyLimits {
  uint64_t max_bulk = 512ull << 20;  // of one string
};

class ReplyReader {
 public:
  enum class Status {
    kReply,     // size() bytes are one whole reply
    kNeedMore,  // call again with the same start and more bytes
    kError,     // not RESP, or over a limit: error() says which; the connection cannot go on
  };

  // Scans one reply at the start of [data, data + size); resumes after kNeedMore, so that a reply
  // in n pieces costs O(bytes + n). A RESP3 attribute belongs to the reply behind it. However
  // deeply aggregates are nested, only how many values are still to come is counted: nothing is
  // allocated.
  Status Read(const char* data, size_t size, const ReplyLimits& limits);

  size_t size() const { return at_; }
  // After kNeedMore: how many bytes from the reply's start are known to be needed.
  size_t needed() const { return needed_; }
  // After kNeedMore: how many values are still to come; the first of them begins at size().
  uint64_t values_left() const { return left_; }
  const std::string& error() const { return error_; }

  // Makes ready for the next reply; called after kReply.
  void Next() {
    at_ = 0;
    left_ = 1;
    looked_ = 0;
  }

 private:
  bool SkipShort(char type, const char* data, size_t size, const ReplyLimits& limits);
  [[gnu::noinline]] Status ReadSlow(const char* data, size_t size, const ReplyLimits& limits);
  Status Fail(std::string_view text);

  size_t at_ = 0;      // all before it is scanned
  uint64_t left_ = 1;  // values still to come, on all levels
  size_t needed_ = 0;
  size_t looked_ = 0;  // from at_ until there no line ends
  std::string error_;
};

// Of a whole array reply, or a set, push or map (its names and values in turn): the span of each
// element, whole frames, appended to *elements. False if it is none (or is a null array).
bool SplitArray(std::string_view reply, std::vector<std::string_view>* elements);

// The text of a simple string, error, integer, bulk or verbatim string (without its format) or
// double; nothing of others or of nulls.
std::string_view ReplyText(std::string_view reply);

// Whether it is a null, in any of the three forms.
inline bool IsNullReply(std::string_view reply) {
  return reply.starts_with('_') || reply.starts_with("$-1") || reply.starts_with("*-1");
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_REPLY_READER_H_

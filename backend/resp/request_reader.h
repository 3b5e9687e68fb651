// Cuts a client's bytes into commands, as Redis's own processMultibulkBuffer and
// processInlineBuffer (networking.c, 7.0) do, with the same limits and error texts.
//
// Numbers are read as strictly and separators as leniently as Redis does, so that a frame that is
// forwarded byte for byte means to the node what it meant here.

#ifndef GEMEL_BACKEND_RESP_REQUEST_READER_H_
#define GEMEL_BACKEND_RESP_REQUEST_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

struct RequestLimits {
  uint64_t max_bulk = 512ull << 20;
  uint64_t max_args = 1024 * 1024;
  uint64_t max_inline = 64 * 1024;
  uint64_t max_request = 1024ull << 20;
  // Of a client that is to give the password first: as little as Redis takes of it.
  bool stranger = false;
};

class RequestReader {
 public:
  enum class Status {
    kCommand,   // *args and frame() hold a command; consumed() bytes are used up
    kNothing,   // an empty line or an empty array was skipped: consumed() bytes
    kNeedMore,  // the frame is not whole yet: call again with the same start and more bytes
    kError,     // error() is Redis's sentence; the connection cannot go on
  };

  // Reads one command from the start of [data, data + size). After kNeedMore the next call must
  // begin at the same byte of the stream (the memory may have moved) and resumes, so that a frame
  // that comes in n pieces costs O(bytes + n). `args` point into data or into this object, and are
  // valid until either changes. Allocates nothing once warm, except for inline commands.
  Status Read(const char* data, size_t size, const RequestLimits& limits,
              std::vector<std::string_view>* args);

  // The command's own bytes, always in multibulk form; valid as long as args are.
  std::string_view frame() const { return frame_; }
  size_t consumed() const { return consumed_; }
  // After kError.
  const std::string& error() const { return rare_->error; }
  // After kNeedMore: how many bytes from the frame's start are known to be needed.
  size_t needed() const { return needed_; }

 private:
  // The short way: a whole frame of a few short arguments. False, and nothing is done, for others.
  // None of the three is a part of its caller: the registers are for one of them.
  [[gnu::noinline]] bool ReadShort(const char* data, size_t size, const RequestLimits& limits,
                                   std::vector<std::string_view>* args);
  [[gnu::noinline]] Status ReadMultibulk(const char* data, size_t size, const RequestLimits& limits,
                                         std::vector<std::string_view>* args);
  [[gnu::noinline]] Status ReadInline(const char* data, size_t size, const RequestLimits& limits,
                                      std::vector<std::string_view>* args);
  Status Fail(std::string_view text);
  Status FailBulk(char got);
  // A multibulk frame is not whole: `left` bulks are to come, the next one's header begins at `at`.
  Status Suspend(size_t at, int64_t left, size_t needed);
  // What few readers ever need: thousands of clients have one each.
  struct Rare {
    std::string error;
    std::string inline_frame;
  };
  Rare& MakeRare() {
    if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  // At `at`: a type byte, a number, two bytes of separator. Sets *value and *next.
  enum class Header { kOk, kNeedMore, kTooLong, kBadNumber };
  static Header ReadHeader(const char* data, size_t size, size_t at, size_t max, int64_t* value,
                           size_t* next);

  std::string_view frame_;
  size_t consumed_ = 0;
  size_t needed_ = 0;
  // Of an unfinished multibulk frame: where the next bulk's header begins, and how many bulks are
  // still to come.
  size_t resume_at_ = 0;
  int64_t resume_left_ = 0;
  std::unique_ptr<Rare> rare_;
};

// The arguments of a frame that RequestReader made (whole, multibulk, correct): its second reading.
void SplitFrame(std::string_view frame, std::vector<std::string_view>* args);
// The same of the first of several such frames that stand one behind the other: appends its
// arguments, and returns its size.
size_t SplitNext(std::string_view frames, std::vector<std::string_view>* args);

// Splits a line as redis-cli and inline commands do (sdssplitargs): blanks separate, "..." with
// \n \r \t \b \a \xHH and \", '...' with \'. False for unbalanced quotes.
bool SplitLine(std::string_view line, std::vector<std::string>* words);

// A digit's value; at least 10 where it is none.
inline size_t DecimalDigit(char c) { return static_cast<unsigned char>(c - '0'); }

// Redis's string2ll: an optional '-', no '+', no leading zeros, no overflow.
bool ParseInteger(std::string_view text, int64_t* value);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_REQUEST_READER_H_

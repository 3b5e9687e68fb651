#include "backend/resp/reply_skipper.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

constexpr uint64_t kMaxSkippedValues = uint64_t{1} << 40;
constexpr std::string_view kLines = "+-:_,#(";
constexpr std::string_view kStrings = "$=!";
constexpr std::string_view kAggregates = "*%~>|";

bool IsOf(std::string_view types, char type) { return types.find(type) != types.npos; }

}  // namespace

bool ReplySkipper::OnHeader() {
  const char type = header_[0];
  int64_t count = 0;
  // Without the type and the CR.
  if (header_size_ < 3 || header_[header_size_ - 1] != '\r' ||
      !ParseInteger({header_ + 1, header_size_ - 2}, &count) || count < -1) {
    return false;
  }
  header_size_ = 0;
  if (type != '|') --values_;  // an attribute stands before a value and is none
  if (IsOf(kStrings, type)) {
    skip_ = count < 0 ? 0 : static_cast<uint64_t>(count) + 2;
    return true;
  }
  uint64_t more = count < 0 ? 0 : static_cast<uint64_t>(count);
  if (type == '%' || type == '|') more *= 2;
  if (more > kMaxSkippedValues || values_ > kMaxSkippedValues - more) return false;
  values_ += more;
  return true;
}

ReplySkipper::Status ReplySkipper::Feed(const char* data, size_t size) {
  size_t at = 0;
  Status status = Status::kMore;
  while (status == Status::kMore) {
    if (skip_ > 0) {
      const size_t part = static_cast<size_t>(std::min<uint64_t>(skip_, size - at));
      skip_ -= part;
      at += part;
    }
    if (skip_ == 0 && values_ == 0 && !in_line_ && header_size_ == 0) {
      status = Status::kEnd;
      break;
    }
    if (at == size) break;
    const char* newline = static_cast<const char*>(std::memchr(data + at, '\n', size - at));
    const size_t end = newline == nullptr ? size : static_cast<size_t>(newline - data);
    if (header_size_ == 0 && !in_line_) {
      in_line_ = IsOf(kLines, data[at]);
      if (!in_line_ && !IsOf(kStrings, data[at]) && !IsOf(kAggregates, data[at])) {
        status = Status::kError;
        break;
      }
      if (in_line_) --values_;
    }
    if (!in_line_) {
      if (header_size_ + end - at > sizeof(header_)) {
        status = Status::kError;
        break;
      }
      std::memcpy(header_ + header_size_, data + at, end - at);
      header_size_ += end - at;
      if (newline != nullptr && !OnHeader()) {
        status = Status::kError;
        break;
      }
    } else if (newline != nullptr) {
      in_line_ = false;
    }
    at = newline == nullptr ? end : end + 1;
  }
  used_ = at;
  total_ += at;
  return status;
}

}  // namespace gemel

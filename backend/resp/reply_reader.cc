#include "backend/resp/reply_reader.h"

#include <algorithm>
#include <cstring>

#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

// A header line longer than this is no number.
constexpr size_t kMaxHeader = 32;
// More values than this in one reply are nobody's answer.
constexpr uint64_t kMaxValues = uint64_t{1} << 40;

// The simple types: one line and nothing more.
bool IsLine(char type) {
  return type == '+' || type == '-' || type == ':' || type == '_' || type == ',' || type == '#' ||
         type == '(';
}

bool IsString(char type) { return type == '$' || type == '=' || type == '!'; }

bool IsAggregate(char type) {
  return type == '*' || type == '%' || type == '~' || type == '>' || type == '|';
}

}  // namespace

ReplyReader::Status ReplyReader::Fail(std::string_view text) {
  error_ = text;
  return Status::kError;
}

ReplyReader::Status ReplyReader::Read(const char* data, size_t size, const ReplyLimits& limits) {
  // The short way: a fresh, whole bulk string of less than a megabyte, or +OK.
  if (at_ == 0 && size >= 5) {
    if (data[0] == '$') {
      size_t length = DecimalDigit(data[1]);
      const bool digits = length < 10;
      size_t i = 2;
      if (length != 0) {  // a 0 stands alone
        for (size_t digit; i < 7 && i < size && (digit = DecimalDigit(data[i])) < 10; ++i) {
          length = length * 10 + digit;
        }
      }
      const size_t end = i + 2 + length + 2;
      if (digits && length <= limits.max_bulk && end <= size && data[i] == '\r') {
        at_ = end;
        return Status::kReply;
      }
    } else if (std::memcmp(data, "+OK\r", 4) == 0) {
      at_ = 5;
      return Status::kReply;
    }
  }
  return ReadSlow(data, size, limits);
}

// Most values of an array: a string or array whose header and bytes are here and have nothing odd,
// a short line.
inline bool ReplyReader::SkipShort(char type, const char* data, size_t size,
                                   const ReplyLimits& limits) {
  constexpr size_t kMostDigits = 9;
  constexpr size_t kShortLine = 24;
  size_t i = at_ + 1;
  if (type == '$' || type == '*') {
    const size_t stop = std::min(size, i + kMostDigits);
    uint64_t number = 0;
    size_t digit = 0;
    for (; i < stop && (digit = DecimalDigit(data[i])) < 10; ++i) number = number * 10 + digit;
    const size_t digits = i - at_ - 1;
    // A 0 stands alone.
    if (digits == 0 || i + 1 >= size || data[i] != '\r' || (data[at_ + 1] == '0' && digits > 1)) {
      return false;
    }
    if (type == '*') {
      if (left_ > kMaxValues) return false;
      at_ = i + 2;
      left_ += number;
      left_ -= 1;
      return true;
    }
    const size_t end = i + 2 + number + 2;
    if (end > size || number > limits.max_bulk) return false;
    at_ = end;
  } else if (IsLine(type)) {
    const size_t stop = std::min(size, i + kShortLine);
    while (i < stop && data[i] != '\r') ++i;
    if (i == stop || i + 1 >= size || i - at_ - 1 > limits.max_bulk) return false;
    at_ = i + 2;
  } else {
    return false;
  }
  --left_;
  return true;
}

ReplyReader::Status ReplyReader::ReadSlow(const char* data, size_t size,
                                          const ReplyLimits& limits) {
  while (true) {
    if (left_ == 0) return Status::kReply;
    if (at_ >= size) {
      needed_ = at_ + 1;
      return Status::kNeedMore;
    }
    const char type = data[at_];
    if (SkipShort(type, data, size, limits)) continue;
    const bool line = IsLine(type);
    if (!line && !IsString(type) && !IsAggregate(type)) {
      return Fail("a reply of unknown type");
    }
    const char* start = data + at_ + 1;
    const size_t rest = size - at_ - 1;
    const size_t known = looked_ > at_ ? looked_ - at_ - 1 : 0;
    const char* cr = static_cast<const char*>(std::memchr(start + known, '\r', rest - known));
    const size_t length = cr == nullptr ? rest : static_cast<size_t>(cr - start);
    if (length > (line ? limits.max_bulk : kMaxHeader)) return Fail("a reply header too long");
    if (cr == nullptr || static_cast<size_t>(cr - data) + 1 >= size) {
      looked_ = cr == nullptr ? size : static_cast<size_t>(cr - data);
      needed_ = size + 1;
      return Status::kNeedMore;
    }
    const size_t next = static_cast<size_t>(cr - data) + 2;
    if (line) {
      at_ = next;
      --left_;
      continue;
    }
    int64_t count = 0;
    if (!ParseInteger({start, length}, &count) || count < -1) {
      return Fail("a reply with a bad length");
    }
    if (IsString(type)) {
      if (count > static_cast<int64_t>(limits.max_bulk)) return Fail("a reply string too long");
      const size_t end = count < 0 ? next : next + static_cast<size_t>(count) + 2;
      if (end > size) {
        needed_ = end;
        return Status::kNeedMore;
      }
      at_ = end;
      --left_;
      continue;
    }
    uint64_t values = count < 0 ? 0 : static_cast<uint64_t>(count);
    if (type == '%' || type == '|') values *= 2;
    // An attribute does not count as a value: the value it describes follows.
    if (type != '|') --left_;
    if (values > kMaxValues || left_ > kMaxValues - values) {
      return Fail("a reply of too many values");
    }
    left_ += values;
    at_ = next;
  }
}

bool SplitArray(std::string_view reply, std::vector<std::string_view>* elements) {
  if (reply.size() < 4 || !IsAggregate(reply[0]) || reply[0] == '|') return false;
  const size_t cr = reply.find('\r');
  int64_t count = 0;
  if (cr == std::string_view::npos || !ParseInteger(reply.substr(1, cr - 1), &count) || count < 0) {
    return false;
  }
  if (reply[0] == '%') count *= 2;
  ReplyLimits limits;
  limits.max_bulk = reply.size();
  ReplyReader reader;
  size_t at = cr + 2;
  for (; count > 0; --count) {
    if (reader.Read(reply.data() + at, reply.size() - at, limits) != ReplyReader::Status::kReply) {
      return false;
    }
    elements->push_back(reply.substr(at, reader.size()));
    at += reader.size();
    reader.Next();
  }
  return true;
}

std::string_view ReplyText(std::string_view reply) {
  if (reply.size() < 3) return {};
  const size_t cr = reply.find('\r');
  if (cr == std::string_view::npos) return {};
  if (reply[0] == '+' || reply[0] == '-' || reply[0] == ':' || reply[0] == ',') {
    return reply.substr(1, cr - 1);
  }
  int64_t length = 0;
  const bool verbatim = reply[0] == '=';
  if ((reply[0] != '$' && !verbatim) || !ParseInteger(reply.substr(1, cr - 1), &length) ||
      length < 0 || cr + 2 + static_cast<size_t>(length) > reply.size()) {
    return {};
  }
  const std::string_view text = reply.substr(cr + 2, static_cast<size_t>(length));
  constexpr size_t kFormat = 4;  // "txt:"
  return verbatim ? text.substr(std::min(kFormat, text.size())) : text;
}

}  // namespace gemel

#include "backend/resp/request_reader.h"

#include <charconv>
#include <climits>
#include <cstring>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// What Redis takes of a client that has not given the password: arguments, and bytes of each.
constexpr int64_t kMostOfStranger = 10;
constexpr int64_t kLongestOfStranger = 16384;

}  // namespace

bool ParseInteger(std::string_view text, int64_t* value) {
  if (text.empty() || text.size() > 20) return false;
  size_t at = 0;
  if (text[0] == '-') at = 1;
  if (at == text.size()) return false;
  if (text[at] == '0') {
    if (text.size() != 1) return false;
    *value = 0;
    return true;
  }
  if (text[at] < '1' || text[at] > '9') return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

RequestReader::Header RequestReader::ReadHeader(const char* data, size_t size, size_t at,
                                                size_t max, int64_t* value, size_t* next) {
  // The short way: one to three digits, which nearly every header has.
  if (size - at >= 6) {
    const char* p = data + at + 1;
    unsigned first = static_cast<unsigned char>(p[0]) - '0';
    if (first - 1 < 9) {
      if (p[1] == '\r') {
        *value = first;
        *next = at + 4;
        return Header::kOk;
      }
      unsigned second = static_cast<unsigned char>(p[1]) - '0';
      if (second < 10) {
        if (p[2] == '\r') {
          *value = first * 10 + second;
          *next = at + 5;
          return Header::kOk;
        }
        unsigned third = static_cast<unsigned char>(p[2]) - '0';
        if (third < 10 && p[3] == '\r') {
          *value = first * 100 + second * 10 + third;
          *next = at + 6;
          return *next <= size ? Header::kOk : Header::kNeedMore;
        }
      }
    }
  }
  const char* start = data + at;
  const char* cr = static_cast<const char*>(std::memchr(start, '\r', size - at));
  if (cr == nullptr) return size - at > max ? Header::kTooLong : Header::kNeedMore;
  if (static_cast<size_t>(cr - start) > max) return Header::kTooLong;
  if (static_cast<size_t>(cr - data) + 1 >= size) return Header::kNeedMore;  // the LF is not there
  *next = static_cast<size_t>(cr - data) + 2;
  return ParseInteger({start + 1, static_cast<size_t>(cr - start - 1)}, value) ? Header::kOk
                                                                               : Header::kBadNumber;
}

RequestReader::Status RequestReader::Fail(std::string_view text) {
  std::string& error = MakeRare().error;
  error = "ERR Protocol error: ";
  error += text;
  return Status::kError;
}

RequestReader::Status RequestReader::Read(const char* data, size_t size,
                                          const RequestLimits& limits,
                                          std::vector<std::string_view>* args) {
  if (size == 0) {
    needed_ = 1;
    return Status::kNeedMore;
  }
  if (data[0] != '*') return ReadInline(data, size, limits, args);
  if (resume_at_ == 0 && ReadShort(data, size, limits, args)) return Status::kCommand;
  return ReadMultibulk(data, size, limits, args);
}

bool RequestReader::ReadShort(const char* data, size_t size, const RequestLimits& limits,
                              std::vector<std::string_view>* args) {
  constexpr size_t kMostArgs = 9;
  constexpr size_t kLongest = 999;
  if (size < 4) return false;
  const size_t count = DecimalDigit(data[1]);
  if (count - 1 >= kMostArgs || data[2] != '\r') return false;
  args->resize(count);
  const char* at = data + 4;
  const char* const end = data + size;
  for (std::string_view& arg : *args) {
    if (end - at < 6 || at[0] != '$') return false;
    size_t length = DecimalDigit(at[1]);
    if (length - 1 >= 9) return false;
    if (at[2] == '\r') {
      at += 4;
    } else {
      const size_t second = DecimalDigit(at[2]);
      if (second >= 10) return false;
      length = length * 10 + second;
      if (at[3] == '\r') {
        at += 5;
      } else {
        const size_t third = DecimalDigit(at[3]);
        if (third >= 10 || at[4] != '\r') return false;
        length = length * 10 + third;
        at += 6;
      }
    }
    if (length + 2 > static_cast<size_t>(end - at)) return false;
    arg = {at, length};
    at += length + 2;
  }
  const size_t consumed = static_cast<size_t>(at - data);
  if (consumed > limits.max_request || kLongest > limits.max_bulk || count > limits.max_args) {
    return false;
  }
  consumed_ = consumed;
  frame_ = {data, consumed};
  return true;
}

RequestReader::Status RequestReader::FailBulk(char got) {
  std::string text = "expected '$', got '";
  text += got;
  text += "'";
  return Fail(text);
}

RequestReader::Status RequestReader::Suspend(size_t at, int64_t left, size_t needed) {
  resume_at_ = at;
  resume_left_ = left;
  needed_ = needed;
  return Status::kNeedMore;
}

RequestReader::Status RequestReader::ReadMultibulk(const char* data, size_t size,
                                                   const RequestLimits& limits,
                                                   std::vector<std::string_view>* args) {
  const bool resuming = resume_at_ != 0;
  size_t at = resume_at_;
  int64_t left = resume_left_;
  if (!resuming) {
    switch (ReadHeader(data, size, 0, limits.max_inline, &left, &at)) {
      case Header::kOk:
        break;
      case Header::kNeedMore:
        return Suspend(0, 0, size + 1);
      case Header::kTooLong:
        return Fail("too big mbulk count string");
      case Header::kBadNumber:
        return Fail("invalid multibulk length");
    }
    if (limits.stranger && left > kMostOfStranger) return Fail("unauthenticated multibulk length");
    if (left > static_cast<int64_t>(limits.max_args)) return Fail("invalid multibulk length");
    if (left <= 0) {
      consumed_ = at;
      return Status::kNothing;
    }
    args->clear();
  }
  for (; left > 0; --left) {
    size_t next = 0;
    int64_t length = 0;
    if (at >= size) return Suspend(at, left, at + 1);
    if (data[at] != '$') return FailBulk(data[at]);
    switch (ReadHeader(data, size, at, limits.max_inline, &length, &next)) {
      case Header::kOk:
        break;
      case Header::kNeedMore:
        return Suspend(at, left, size + 1);
      case Header::kTooLong:
        return Fail("too big bulk count string");
      case Header::kBadNumber:
        return Fail("invalid bulk length");
    }
    if (length < 0 || length > static_cast<int64_t>(limits.max_bulk)) {
      return Fail("invalid bulk length");
    }
    if (limits.stranger && length > kLongestOfStranger) return Fail("unauthenticated bulk length");
    const size_t end = next + static_cast<size_t>(length) + 2;
    if (end > limits.max_request) return Fail("too big request");
    if (end > size) return Suspend(at, left, end);  // its header is read again: that is cheap
    if (!resuming) args->emplace_back(data + next, static_cast<size_t>(length));
    at = end;
  }
  resume_at_ = 0;
  resume_left_ = 0;
  consumed_ = at;
  frame_ = {data, at};
  if (resuming) SplitFrame(frame_, args);
  return Status::kCommand;
}

RequestReader::Status RequestReader::ReadInline(const char* data, size_t size,
                                                const RequestLimits& limits,
                                                std::vector<std::string_view>* args) {
  const char* newline = static_cast<const char*>(std::memchr(data, '\n', size));
  if (newline == nullptr) {
    if (size > limits.max_inline) return Fail("too big inline request");
    needed_ = size + 1;
    return Status::kNeedMore;
  }
  size_t length = static_cast<size_t>(newline - data);
  if (length > limits.max_inline) return Fail("too big inline request");
  consumed_ = length + 1;
  if (length > 0 && data[length - 1] == '\r') --length;
  std::vector<std::string> words;
  if (!SplitLine({data, length}, &words)) return Fail("unbalanced quotes in request");
  if (words.empty()) return Status::kNothing;
  std::vector<std::string_view> views(words.begin(), words.end());
  std::string& frame = MakeRare().inline_frame;
  frame.clear();
  AppendCommand(&frame, views);
  frame_ = frame;
  SplitFrame(frame_, args);
  return Status::kCommand;
}

size_t SplitNext(std::string_view frames, std::vector<std::string_view>* args) {
  size_t at = 0;
  auto number = [&frames, &at] {
    int64_t value = 0;
    for (++at; frames[at] != '\r'; ++at) value = value * 10 + (frames[at] - '0');
    at += 2;
    return value;
  };
  for (int64_t left = number(); left > 0; --left) {
    const size_t length = static_cast<size_t>(number());
    args->push_back(frames.substr(at, length));
    at += length + 2;
  }
  return at;
}

void SplitFrame(std::string_view frame, std::vector<std::string_view>* args) {
  args->clear();
  SplitNext(frame, args);
}

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

// After a backslash in double quotes.
char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads a quoted part that begins behind its quote at *at; leaves *at behind the closing quote.
bool ReadQuoted(std::string_view line, char quote, size_t* at, std::string* word) {
  size_t i = *at;
  for (; i < line.size(); ++i) {
    if (line[i] == quote) {
      // A closing quote must end the word.
      if (i + 1 < line.size() && !IsBlank(line[i + 1])) return false;
      *at = i + 1;
      return true;
    }
    if (line[i] != '\\' || i + 1 >= line.size()) {
      word->push_back(line[i]);
    } else if (quote == '\'') {
      if (line[i + 1] == '\'') ++i;
      word->push_back(line[i]);
    } else if (line[i + 1] == 'x' && i + 3 < line.size() && HexDigit(line[i + 2]) >= 0 &&
               HexDigit(line[i + 3]) >= 0) {
      word->push_back(static_cast<char>(HexDigit(line[i + 2]) * 16 + HexDigit(line[i + 3])));
      i += 3;
    } else {
      word->push_back(Unescape(line[++i]));
    }
  }
  return false;
}

}  // namespace

bool SplitLine(std::string_view line, std::vector<std::string>* words) {
  words->clear();
  size_t at = 0;
  while (true) {
    while (at < line.size() && IsBlank(line[at])) ++at;
    if (at >= line.size()) return true;
    std::string word;
    while (at < line.size() && !IsBlank(line[at])) {
      const char c = line[at++];
      if (c == '"' || c == '\'') {
        if (!ReadQuoted(line, c, &at, &word)) return false;
        break;
      }
      word.push_back(c);
    }
    words->push_back(std::move(word));
  }
}

}  // namespace gemel

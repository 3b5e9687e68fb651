#include "backend/resp/resp2_form.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace gemel {

namespace {

// Lines are mostly shorter than this: numbers, OK.
constexpr size_t kShortLine = 24;

// One value's first line, and with it the bytes of a string. What an aggregate has in it follows.
struct Token {
  char type = 0;
  std::string_view text;  // of the line, without its type and end; of a bulk, its bytes
  int64_t count = 0;      // of an aggregate; -1: a null of RESP2
};

bool HoldsValues(char type) {
  return type == '*' || type == '%' || type == '~' || type == '>' || type == '|';
}
// Of a map, and of an attribute, a name and a value each.
int64_t ValuesIn(const Token& token) {
  if (!HoldsValues(token.type) || token.count < 0) return 0;
  return token.type == '%' || token.type == '|' ? 2 * token.count : token.count;
}

class Tokens {
 public:
  explicit Tokens(std::string_view frames) : frames_(frames) {}

  size_t at() const { return at_; }
  void set_at(size_t at) { at_ = at; }
  Token Next() {
    Token token;
    const size_t end = EndOfLine();
    token.type = frames_[at_];
    token.text = frames_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 2;
    const bool is_string = token.type == '$' || token.type == '=' || token.type == '!';
    if (is_string || HoldsValues(token.type)) token.count = NumberOf(token.text);
    if (is_string && token.count >= 0) {
      token.text = frames_.substr(at_, static_cast<size_t>(token.count));
      at_ += token.text.size() + 2;
    }
    return token;
  }
  // Goes past "*2", if it is that.
  bool SkipPair() {
    if (frames_.substr(at_, 4) != "*2\r\n") return false;
    at_ += 4;
    return true;
  }
  // A whole value, with all that is in it.
  void Skip() {
    for (int64_t left = 1; left > 0; --left) {
      const Token token = Next();
      left += ValuesIn(token) + (token.type == '|' ? 1 : 0);
    }
  }

 private:
  // Lines are short, but for errors.
  size_t EndOfLine() const {
    const char* const data = frames_.data();
    for (size_t end = at_; end < at_ + kShortLine; ++end) {
      if (data[end] == '\r') return end;
    }
    return frames_.find('\r', at_ + kShortLine);
  }
  static int64_t NumberOf(std::string_view text) {
    if (text[0] == '-') return -1;
    int64_t number = 0;
    for (const char c : text) number = number * 10 + (c - '0');
    return number;
  }

  std::string_view frames_;
  size_t at_ = 0;
};

bool IsOfResp2(char type) {
  return type == '$' || type == '+' || type == ':' || type == '-' || type == '*';
}

// From `at` on, where values begin of which *left are still to come: the end of those that are of
// RESP2, each with what is in it until something is not. The way of most bytes.
size_t EndOfSame(std::string_view frames, size_t at, int64_t* left) {
  const char* const begin = frames.data();
  const char* const end = begin + frames.size();
  const char* p = begin + at;
  int64_t values = *left;
  while (values > 0 && p < end && IsOfResp2(*p)) {
    uint64_t number = 0;
    const char* digit = p + 1;
    for (; static_cast<unsigned char>(*digit - '0') < 10; ++digit) {
      number = number * 10 + static_cast<uint64_t>(*digit - '0');
    }
    --values;
    if (*p == '$' && digit > p + 1) {  // a null has no bytes, and no end of them
      p = digit + 2 + number + 2;
      continue;
    }
    if (*p == '*') values += static_cast<int64_t>(number);
    const char* cr = digit;
    while (cr < end && cr < digit + kShortLine && *cr != '\r') ++cr;
    if (cr < end && *cr != '\r') {
      cr = static_cast<const char*>(std::memchr(cr, '\r', static_cast<size_t>(end - cr)));
    }
    p = cr + 2;
  }
  *left = values;
  return static_cast<size_t>(p - begin);
}

// `Out` takes pieces as a Resp2Out does.
template <typename Out>
class Converter {
 public:
  Converter(std::string_view reply, Resp2Form form, Out* out)
      : reply_(reply),
        tokens_(reply),
        out_(out),
        null_array_(form == Resp2Form::kNullArray || form == Resp2Form::kPairs) {}

  void Convert(Resp2Form form) {
    DropAttributes();
    const size_t begin = tokens_.at();
    const Token first = tokens_.Next();
    if (form == Resp2Form::kPairs && first.type == '%') {
      Header('*', first.count);
      for (int64_t i = 0; i < first.count; ++i) {
        Header('*', 2);
        Values(2);
      }
    } else if (form == Resp2Form::kFlatPairs && first.type == '*' && IsPairs(first.count)) {
      Header('*', 2 * first.count);
      for (int64_t i = 0; i < first.count; ++i) {
        if (tokens_.SkipPair()) {
          Values(2);
        } else {  // of no node that we know: the reply stays whole all the same
          Values(1);
          Made("$-1\r\n");
        }
      }
    } else if (form == Resp2Form::kLastNullArray && first.type == '*' && first.count > 0) {
      Header('*', first.count);
      Values(first.count - 1);
      null_array_ = true;
      Values(1);
    } else {
      tokens_.set_at(begin);
      Values(1);
    }
    FlushSame();
  }

 private:
  void DropAttributes() {
    for (;;) {
      const size_t begin = tokens_.at();
      if (begin >= reply_.size() || reply_[begin] != '|') return;
      for (int64_t i = ValuesIn(tokens_.Next()); i > 0; --i) tokens_.Skip();
    }
  }

  // The next values are arrays of two each. Where the first is they all are.
  bool IsPairs(int64_t count) {
    if (count <= 0) return false;
    const size_t begin = tokens_.at();
    const Token token = tokens_.Next();
    tokens_.set_at(begin);
    return token.type == '*' && token.count == 2;
  }

  // So many values, each with all that is in it.
  void Values(int64_t left) {
    for (;;) {
      Same(EndOfSame(reply_, tokens_.at(), &left));
      if (left == 0) return;
      DropAttributes();
      if (IsOfResp2(reply_[tokens_.at()])) continue;  // what an attribute was about
      const Token token = tokens_.Next();
      left += ValuesIn(token) - 1;
      One(token);
    }
  }

  // What is up to there goes out as it is.
  void Same(size_t end) {
    if (end == tokens_.at()) return;
    if (same_end_ != tokens_.at()) {
      FlushSame();
      same_begin_ = tokens_.at();
    }
    same_end_ = end;
    tokens_.set_at(end);
  }

  // One that is not of RESP2.
  void One(const Token& token) {
    switch (token.type) {
      case '_':
        return Made(null_array_ ? "*-1\r\n" : "$-1\r\n");
      case '%':
      case '~':
      case '>':
        return Header('*', ValuesIn(token));
      case ',':
      case '(':
        return Bulk(token.text);
      case '#':
        return Made(token.text == "t" ? ":1\r\n" : ":0\r\n");
      case '=':
        return Bulk(token.text.substr(std::min<size_t>(4, token.text.size())));  // "txt:"
      case '!':
        return Error(token.text);
      default:
        return;
    }
  }

  void FlushSame() {
    if (same_end_ > same_begin_) out_->Same(reply_.substr(same_begin_, same_end_ - same_begin_));
    same_begin_ = same_end_ = 0;
  }
  void Made(std::string_view bytes) {
    FlushSame();
    out_->Made(bytes);
  }
  void Header(char type, int64_t count) {
    char text[24];
    text[0] = type;
    char* end = std::to_chars(text + 1, text + sizeof(text) - 2, count).ptr;
    *end++ = '\r';
    *end++ = '\n';
    Made({text, static_cast<size_t>(end - text)});
  }
  // Its bytes are a part of the reply, and may be many.
  void Bulk(std::string_view bytes) {
    Header('$', static_cast<int64_t>(bytes.size()));
    out_->Same(bytes);
    out_->Made("\r\n");
  }
  // A line, in RESP2: no break may be in it.
  void Error(std::string_view bytes) {
    Made("-");
    while (!bytes.empty()) {
      const size_t line = std::min(bytes.find_first_of("\r\n"), bytes.size());
      if (line > 0) out_->Same(bytes.substr(0, line));
      if (line < bytes.size()) out_->Made(" ");
      bytes.remove_prefix(std::min(line + 1, bytes.size()));
    }
    out_->Made("\r\n");
  }

  std::string_view reply_;
  Tokens tokens_;
  Out* out_;
  bool null_array_;
  // Of the reply, what goes out as it is with the next piece that does not.
  size_t same_begin_ = 0;
  size_t same_end_ = 0;
};

// Into memory of enough room.
class MemoryOut {
 public:
  explicit MemoryOut(char* to) : at_(to) {}
  void Same(std::string_view part) { Made(part); }
  void Made(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  char* at() const { return at_; }

 private:
  char* at_;
};

// What a reply of so many bytes takes at most: a pair of two nulls of a map grows most, from 6
// bytes to 14.
size_t RoomFor(size_t bytes) { return 3 * bytes; }

}  // namespace

bool ReadsSameInResp2(std::string_view reply, Resp2Form form) {
  if (form == Resp2Form::kAsItIs) return true;
  if (reply[0] != '*') return IsOfResp2(reply[0]);
  if (form == Resp2Form::kFlatPairs) {
    // Whatever stands behind a carriage return, as for all who read replies here.
    const size_t first = reply.find('\r') + 2;
    if (first < reply.size() && reply.substr(first, 2) == "*2") return false;
  }
  int64_t left = 1;
  EndOfSame(reply, 0, &left);
  return left == 0;
}

void WriteInResp2(std::string_view reply, Resp2Form form, Resp2Out* out) {
  Converter(reply, form, out).Convert(form);
}

void AppendInResp2(std::string_view reply, Resp2Form form, std::string* out) {
  const size_t before = out->size();
  out->resize(before + RoomFor(reply.size()));
  MemoryOut to(out->data() + before);
  Converter(reply, form, &to).Convert(form);
  out->resize(static_cast<size_t>(to.at() - out->data()));
}

}  // namespace gemel

#include "backend/resp/resp2_form.h"

#include <charconv>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// One value's first line, and with it the bytes of a string. What an aggregate has in it follows.
struct Token {
  char type = 0;
  std::string_view text;   // of the line, without its type and end; of a bulk, its bytes
  std::string_view frame;  // all of it
  int64_t count = 0;       // of an aggregate; -1: a null of RESP2
};

bool IsAggregate(char type) {
  return type == '*' || type == '%' || type == '~' || type == '>' || type == '|';
}
// Of a map, and of an attribute, a name and a value each.
int64_t ValuesIn(const Token& token) {
  if (!IsAggregate(token.type) || token.count < 0) return 0;
  return token.type == '%' || token.type == '|' ? 2 * token.count : token.count;
}

class Tokens {
 public:
  explicit Tokens(std::string_view frames) : frames_(frames) {}

  bool empty() const { return at_ >= frames_.size(); }
  size_t at() const { return at_; }
  void set_at(size_t at) { at_ = at; }
  Token Next() {
    Token token;
    const size_t begin = at_;
    const size_t end = frames_.find("\r\n", at_);
    token.type = frames_[at_];
    token.text = frames_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 2;
    const bool is_string = token.type == '$' || token.type == '=' || token.type == '!';
    if (is_string || IsAggregate(token.type)) {
      std::from_chars(token.text.data(), token.text.data() + token.text.size(), token.count);
    }
    if (is_string && token.count >= 0) {
      token.text = frames_.substr(at_, static_cast<size_t>(token.count));
      at_ += token.text.size() + 2;
    }
    token.frame = frames_.substr(begin, at_ - begin);
    return token;
  }
  // A whole value, with all that is in it.
  void Skip() {
    for (int64_t left = 1; left > 0; --left) {
      const Token token = Next();
      left += ValuesIn(token) + (token.type == '|' ? 1 : 0);
    }
  }

 private:
  std::string_view frames_;
  size_t at_ = 0;
};

class Converter {
 public:
  Converter(std::string_view reply, Resp2Form form, std::string* out)
      : tokens_(reply),
        out_(out),
        null_array_(form == Resp2Form::kNullArray || form == Resp2Form::kPairs) {}

  void Convert(Resp2Form form) {
    DropAttributes();
    const size_t begin = tokens_.at();
    const Token first = tokens_.Next();
    if (form == Resp2Form::kPairs && first.type == '%') {
      AppendArrayHeader(out_, first.count);
      for (int64_t i = 0; i < first.count; ++i) {
        AppendArrayHeader(out_, 2);
        Values(2);
      }
    } else if (form == Resp2Form::kFlatPairs && first.type == '*' && IsPairs(first.count)) {
      AppendArrayHeader(out_, 2 * first.count);
      for (int64_t i = 0; i < first.count; ++i) {
        tokens_.Next();
        Values(2);
      }
    } else if (form == Resp2Form::kLastNullArray && first.type == '*' && first.count > 0) {
      AppendArrayHeader(out_, first.count);
      Values(first.count - 1);
      null_array_ = true;
      Values(1);
    } else {
      tokens_.set_at(begin);
      Values(1);
    }
  }

 private:
  void DropAttributes() {
    for (;;) {
      const size_t begin = tokens_.at();
      const Token token = tokens_.Next();
      if (token.type != '|') {
        tokens_.set_at(begin);
        return;
      }
      for (int64_t i = ValuesIn(token); i > 0; --i) tokens_.Skip();
    }
  }

  // The next values are arrays of two each. Where one is they all are.
  bool IsPairs(int64_t count) {
    if (count <= 0) return false;
    const size_t begin = tokens_.at();
    const Token token = tokens_.Next();
    tokens_.set_at(begin);
    return token.type == '*' && token.count == 2;
  }

  // So many values, each with all that is in it.
  void Values(int64_t left) {
    for (; left > 0; --left) {
      DropAttributes();
      const Token token = tokens_.Next();
      left += ValuesIn(token);
      One(token);
    }
  }

  void One(const Token& token) {
    switch (token.type) {
      case '_':
        null_array_ ? AppendNullArray(out_) : AppendNullBulk(out_);
        return;
      case '%':
      case '~':
      case '>':
        AppendArrayHeader(out_, ValuesIn(token));
        return;
      case ',':
      case '(':
        AppendBulk(out_, token.text);
        return;
      case '#':
        AppendInteger(out_, token.text == "t");
        return;
      case '=':
        AppendBulk(out_, token.text.substr(4));  // "txt:"
        return;
      case '!':
        AppendError(out_, token.text);
        return;
      default:
        out_->append(token.frame);
    }
  }

  Tokens tokens_;
  std::string* out_;
  bool null_array_;
};

bool IsOfResp2(char type) {
  return type == '$' || type == '+' || type == ':' || type == '-' || type == '*';
}

}  // namespace

bool ReadsSameInResp2(std::string_view reply) {
  if (!IsOfResp2(reply[0])) return false;
  if (reply[0] != '*') return true;
  for (Tokens tokens(reply); !tokens.empty();) {
    if (!IsOfResp2(tokens.Next().type)) return false;
  }
  return true;
}

void AppendInResp2(std::string_view reply, Resp2Form form, std::string* out) {
  Converter(reply, form, out).Convert(form);
}

}  // namespace gemel

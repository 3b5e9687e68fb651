#include "config/config_scan.h"

namespace gemel {

namespace {

constexpr int kMaxKeyParts = 8;      // a.b.c has 3
constexpr size_t kMaxBrackets = 16;  // arrays and tables within one another

// The length of the character that `text`, not empty, starts with; 0 if it is none.
size_t CharacterLength(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t length = byte(0) < 0xc2   ? 0
                        : byte(0) < 0xe0 ? 2
                        : byte(0) < 0xf0 ? 3
                        : byte(0) < 0xf5 ? 4
                                         : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; i++) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool too_long = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool surrogate = byte(0) == 0xed && byte(1) >= 0xa0;
  const bool too_large = byte(0) == 0xf4 && byte(1) >= 0x90;
  return too_long || surrogate || too_large ? 0 : length;
}

// Reads just enough of TOML to tell keys, values, strings and comments apart, as toml++ does. Where
// the text is no TOML it may see nonsense, but there the parser stops, too.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<Unsafe> Run() {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") at_ = 3;  // a byte order mark, which has no column
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') Step();
      } else if ((c == '"' || c == '\'') && state_ != State::kAfter) {
        if (!SkipString()) return NotAscii();
        if (state_ == State::kValue) state_ = State::kAfter;
      } else if (!IsAscii(c)) {
        return NotAscii();
      } else if (IsBlank(c)) {
        if (c == '\n' && open_.empty()) Enter(State::kKey);
        Step();
      } else {
        if (!TakeMark(c)) return TooDeep();
        Step();
      }
    }
    return std::nullopt;
  }

 private:
  enum class State {
    kKey,    // in a key, or before one
    kValue,  // before a value
    kAfter,  // in a number or word, or behind a value: a quote opens no string here
  };

  static bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  void Enter(State state) {
    state_ = state;
    dots_ = 0;
  }

  // Any other character. False if it nests too deep.
  bool TakeMark(char c) {
    if (c == ']' || c == '}') {
      if (!open_.empty()) open_.pop_back();
      Enter(State::kAfter);
    } else if (c == ',') {
      if (!open_.empty()) Enter(open_.back() == '[' ? State::kValue : State::kKey);
    } else if (state_ == State::kValue) {
      if (c != '[' && c != '{') {
        Enter(State::kAfter);
        return true;
      }
      open_ += c;
      Enter(c == '[' ? State::kValue : State::kKey);
    } else if (state_ == State::kKey) {
      if (c == '.') dots_++;
      if (c == '=') Enter(State::kValue);
      if (c == '[') open_ += 'h';  // the head of a section, which is a key
    }
    return open_.size() <= kMaxBrackets && dots_ < kMaxKeyParts;
  }

  static bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

  Unsafe TooDeep() const {
    return {place_, "nested too deep, expected at most " + std::to_string(kMaxKeyParts) +
                        " parts in a key and " + std::to_string(kMaxBrackets) +
                        " brackets within one another"};
  }
  Unsafe NotAscii() const {
    return {place_,
            "a non-ASCII character outside strings and comments or after a backslash, expected "
            "ASCII here"};
  }

  void Step() {
    unsigned char byte = static_cast<unsigned char>(text_[at_++]);
    if (byte == '\n') {
      place_ = {place_.line + 1, 1};
    } else if ((byte & 0xc0) != 0x80) {  // a character counts once, as in toml++
      place_.column++;
    }
  }

  void Step(size_t count) {
    while (count-- > 0 && at_ < text_.size()) Step();
  }

  // How many of `quote` follow, up to `most`.
  size_t Quotes(char quote, size_t most) const {
    size_t count = 0;
    while (count < most && at_ + count < text_.size() && text_[at_ + count] == quote) count++;
    return count;
  }

  // False before a character that must not be there.
  bool SkipString() {
    const char quote = text_[at_];
    const bool many_lines = Quotes(quote, 3) == 3;
    Step(many_lines ? 3 : 1);
    while (at_ < text_.size()) {
      if (text_[at_] == '\\' && quote == '"') {
        Step();
        if (!SkipEscape(many_lines)) return false;
      } else if (many_lines && Quotes(quote, 3) == 3) {
        Step(Quotes(quote, 5));  // up to two quotes may stand before the closing three
        return true;
      } else if (!many_lines && text_[at_] == quote) {
        Step();
        return true;
      } else if (!many_lines && text_[at_] == '\n') {
        return true;  // never closed
      } else {
        Step();
      }
    }
    return true;
  }

  // What follows a backslash: one character, or white space that joins two lines.
  bool SkipEscape(bool many_lines) {
    const size_t start = at_;
    while (many_lines && at_ < text_.size() && IsBlank(text_[at_])) Step();
    if (at_ < text_.size() && !IsAscii(text_[at_])) return false;
    if (at_ == start) Step(1);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  Place place_{1, 1};
  State state_ = State::kKey;
  std::string open_;  // the brackets around: '[', '{', or 'h' for that of a section's head
  int dots_ = 0;      // in this key
};

}  // namespace

std::optional<Unsafe> FindUnsafe(std::string_view text) {
  Place place{1, 1};
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = CharacterLength(rest);
    if (length == 0) return Unsafe{place, "not text, expected UTF-8"};
    place = rest[0] == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
    rest.remove_prefix(length);
  }
  return Scanner(text).Run();
}

}  // namespace gemel

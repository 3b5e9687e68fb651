#include "tests/e2e/wire.h"

#include <sstream>
#include <stdexcept>

namespace gemel::e2e {

std::string Wire::ReadLine() {
  std::string line;
  while (!line.ends_with("\r\n")) line += socket_.Read(1);
  return line;
}

std::string Wire::Read() {
  std::string reply = ReadLine();
  int64_t count = 0;
  switch (reply[0]) {
    case '+':
    case '-':
    case ':':
    case '_':
    case ',':
    case '#':
    case '(':
      return reply;
    case '$':
    case '=':
    case '!':
      count = std::stoll(reply.substr(1));
      if (count >= 0) reply += socket_.Read(static_cast<size_t>(count) + 2);
      return reply;
    case '*':
    case '~':
    case '>':
      count = std::stoll(reply.substr(1));
      break;
    case '%':
      count = 2 * std::stoll(reply.substr(1));
      break;
    default:
      throw std::runtime_error("no reply: " + reply);
  }
  for (; count > 0; --count) reply += Read();
  return reply;
}

Words WordsOf(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) {
    if (word == "\"\"") word.clear();
    for (size_t at = 0; (at = word.find("\\_", at)) != std::string::npos;) word.replace(at, 2, " ");
    words.push_back(word);
  }
  return words;
}

std::string WithoutDigits(const std::string& text) {
  std::string without;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (digit && !without.empty() && without.back() == '0') continue;
    without += digit ? '0' : c;
  }
  return without;
}

}  // namespace gemel::e2e

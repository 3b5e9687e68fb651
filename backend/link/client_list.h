// The text of a node's CLIENT LIST.

#ifndef GEMEL_BACKEND_LINK_CLIENT_LIST_H_
#define GEMEL_BACKEND_LINK_CLIENT_LIST_H_

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace gemel {

// The value of "name=" in one line; empty if there is none.
inline std::string_view ClientField(std::string_view line, std::string_view name) {
  size_t at = 0;
  while (at < line.size()) {
    const size_t end = std::min(line.find(' ', at), line.size());
    const std::string_view field = line.substr(at, end - at);
    at = end + 1;
    if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '=') {
      return field.substr(name.size() + 1);
    }
  }
  return {};
}

// The same as a number; 0 if it is none.
inline uint64_t ClientNumber(std::string_view line, std::string_view name) {
  const std::string_view text = ClientField(line, name);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

// Calls visit(line) for each client.
template <typename Visit>
void ForEachClient(std::string_view list, Visit visit) {
  size_t at = 0;
  while (at < list.size()) {
    const size_t end = std::min(list.find('\n', at), list.size());
    visit(list.substr(at, end - at));
    at = end + 1;
  }
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_CLIENT_LIST_H_

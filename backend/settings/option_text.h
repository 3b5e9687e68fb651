// The reply to CONFIG GET as a control connection gives it: a name and a value in turn, one a line.

#ifndef GEMEL_BACKEND_SETTINGS_OPTION_TEXT_H_
#define GEMEL_BACKEND_SETTINGS_OPTION_TEXT_H_

#include <algorithm>
#include <string_view>

namespace gemel {

// Calls visit(name, value) for each, in order; both lie in the text.
template <typename Visit>
void ForEachOption(std::string_view text, Visit visit) {
  while (!text.empty()) {
    std::string_view lines[2];
    for (std::string_view& line : lines) {
      line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    visit(lines[0], lines[1]);
  }
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_OPTION_TEXT_H_

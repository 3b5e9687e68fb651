#include "proxy/options/kept_options.h"

#include <vector>

#include "backend/command/ascii.h"

namespace gemel {

void KeptOptions::Put(const std::vector<Option>& options) {
  std::lock_guard lock(mutex_);
  for (const auto& [given, value] : options) {
    std::string name = InLowerCase(given);
    std::erase_if(options_, [&](const Option& option) { return option.first == name; });
    options_.emplace_back(std::move(name), value);
  }
  version_.fetch_add(1, std::memory_order_release);
}

std::vector<KeptOptions::Option> KeptOptions::Options() const {
  std::lock_guard lock(mutex_);
  return options_;
}

// The name, a space and the value.
std::vector<TextStore::Text> KeptOptions::All() const {
  std::vector<Text> texts;
  for (const auto& [name, value] : Options()) {
    texts.push_back(std::make_shared<const std::string>(name + " " + value));
  }
  return texts;
}

bool KeptOptions::Restore(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == 0 || space == std::string_view::npos) return false;
  Put({{std::string(text.substr(0, space)), std::string(text.substr(space + 1))}});
  return true;
}

}  // namespace gemel

#include "config/config_table.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "config/config_text.h"

namespace gemel {

namespace {

Place PlaceOf(const toml::source_region& region) {
  return {static_cast<uint32_t>(region.begin.line), static_cast<uint32_t>(region.begin.column)};
}

Place PlaceOf(const toml::node& node) { return PlaceOf(node.source()); }

// What the file says, for the end of "expected ..., found": its type, and its value if it is short.
std::string Describe(const toml::node& node) {
  if (const auto* text = node.as_string()) return "the string " + Quote(text->get());
  if (const auto* number = node.as_integer()) return "the integer " + std::to_string(number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (const auto* number = node.as_floating_point()) {
    std::ostringstream out;
    out << "the float " << number->get();
    return out.str();
  }
  if (node.is_array()) return node.is_array_of_tables() ? "an array of tables" : "an array";
  if (node.is_table()) return "a table";
  return "a date or time";
}

// The same without the value.
std::string DescribeType(const toml::node& node) {
  if (node.is_string()) return "a string";
  if (node.is_integer()) return "an integer";
  if (node.is_floating_point()) return "a float";
  if (node.is_boolean()) return "a boolean";
  return Describe(node);
}

}  // namespace

TableReader::TableReader(const toml::table* table, std::string title, Mistakes* mistakes)
    : table_(table), title_(std::move(title)), mistakes_(mistakes) {}

const toml::node* TableReader::Find(std::string_view key) const {
  return table_ == nullptr ? nullptr : table_->get(key);
}

const toml::node* TableReader::Ask(std::string_view key, OptionKind kind) {
  known_.emplace_back(key);
  titles_.emplace_back(key);
  if (options_ != nullptr) {
    options_->push_back(
        {title_.substr(1, title_.size() - 2) + "." + std::string(key), kind, Guard::kNone, {}});
  }
  return Find(key);
}

void TableReader::Protect(std::string_view key, Guard guard) {
  if (options_ != nullptr && options_->back().name.ends_with("." + std::string(key))) {
    options_->back().guard = guard;
  }
}

void TableReader::Show(std::string value) {
  if (options_ != nullptr) options_->back().value = std::move(value);
}

const toml::node* TableReader::AskSection(std::string_view key, std::string title) {
  known_.emplace_back(key);
  titles_.push_back(std::move(title));
  return Find(key);
}

std::string TableReader::Name(std::string_view key) const {
  return title_.empty() ? std::string(key) : title_ + " " + std::string(key);
}

Place TableReader::place() const { return table_ == nullptr ? Place() : PlaceOf(*table_); }

void TableReader::Reject(std::string_view key, Place place, std::string_view phrase) {
  wrong_.emplace_back(key);
  mistakes_->Add(place, Name(key) + ": " + std::string(phrase));
}

bool TableReader::IsWrong(std::string_view key) const {
  return std::find(wrong_.begin(), wrong_.end(), key) != wrong_.end();
}

void TableReader::Missing(std::string_view key, std::string_view expected) {
  mistakes_->AddMissing(
      place(), title_ + " has no " + std::string(key) + ", expected " + std::string(expected));
}

void TableReader::WrongType(std::string_view key, const toml::node& node,
                            std::string_view expected) {
  Reject(key, PlaceOf(node), "expected " + std::string(expected) + ", found " + Describe(node));
}

std::optional<Place> TableReader::String(std::string_view key, std::string_view expected,
                                         std::string* value) {
  const toml::node* node = Ask(key, OptionKind::kText);
  Show(*value);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr) {
    WrongType(key, *node, expected);
    return std::nullopt;
  }
  *value = text->get();
  return PlaceOf(*node);
}

std::optional<Place> TableReader::Secret(std::string_view key, std::string* value) {
  const toml::node* node = Ask(key, OptionKind::kSecret);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr) {
    Reject(key, PlaceOf(*node), "expected a string, found " + DescribeType(*node));
    return std::nullopt;
  }
  *value = text->get();
  return PlaceOf(*node);
}

std::optional<Place> TableReader::Bool(std::string_view key, bool* value) {
  const toml::node* node = Ask(key, OptionKind::kFlag);
  Show(*value ? "true" : "false");
  if (node == nullptr) return std::nullopt;
  const auto* flag = node->as_boolean();
  if (flag == nullptr) {
    WrongType(key, *node, "true or false");
    return std::nullopt;
  }
  *value = flag->get();
  return PlaceOf(*node);
}

std::optional<TableReader::Number> TableReader::ReadInteger(std::string_view key, int64_t min,
                                                            int64_t max) {
  const toml::node* node = Ask(key, OptionKind::kNumber);
  if (node == nullptr) return std::nullopt;
  const auto* number = node->as_integer();
  if (number == nullptr || number->get() < min || number->get() > max) {
    WrongType(key, *node, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
  }
  return Number{static_cast<uint64_t>(number->get()), PlaceOf(*node)};
}

std::optional<TableReader::Number> TableReader::ReadSize(std::string_view key, uint64_t min,
                                                         uint64_t max) {
  const toml::node* node = Ask(key, OptionKind::kSize);
  if (node == nullptr) return std::nullopt;
  std::optional<uint64_t> bytes;
  if (const auto* number = node->as_integer(); number != nullptr && number->get() >= 0) {
    bytes = static_cast<uint64_t>(number->get());
  } else if (const auto* text = node->as_string()) {
    bytes = ParseSize(text->get());
  }
  if (!bytes || *bytes < min || *bytes > max) {
    WrongType(key, *node,
              "a size from " + FormatSize(min) + " to " + FormatSize(max) +
                  " (bytes, or a string such as \"64mb\")");
    return std::nullopt;
  }
  return Number{*bytes, PlaceOf(*node)};
}

std::optional<Place> TableReader::ReadChoice(std::string_view key,
                                             const std::vector<std::string>& words,
                                             std::string* word) {
  const toml::node* node = Ask(key, OptionKind::kText);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr || std::find(words.begin(), words.end(), text->get()) == words.end()) {
    std::vector<std::string> quoted;
    for (const std::string& allowed : words) quoted.push_back(Quote(allowed));
    WrongType(key, *node, (words.size() > 1 ? "one of " : "") + Join(quoted));
    return std::nullopt;
  }
  *word = text->get();
  return PlaceOf(*node);
}

std::optional<Place> TableReader::Strings(std::string_view key, std::string_view expected,
                                          size_t most, std::vector<Item>* items) {
  const toml::node* node = Ask(key, OptionKind::kList);
  if (node == nullptr) return std::nullopt;
  const auto* array = node->as_array();
  if (array == nullptr) {
    WrongType(key, *node, expected);
    return std::nullopt;
  }
  std::vector<Item> found;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      WrongType(key, element, expected);
      return std::nullopt;
    }
    found.push_back({text->get(), PlaceOf(element)});
    if (found.size() > most) {
      Reject(key, PlaceOf(element), "expected at most " + std::to_string(most) + " of them");
      return std::nullopt;
    }
  }
  *items = std::move(found);
  return PlaceOf(*node);
}

std::optional<Place> TableReader::Words(std::string_view key, std::string_view expected,
                                        size_t most, std::vector<Item>* items) {
  const toml::node* node = Ask(key, OptionKind::kSecret);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  const auto* array = node->as_array();
  const auto reject = [&](const toml::node& wrong) {
    Reject(key, PlaceOf(wrong),
           "expected " + std::string(expected) + ", found " + DescribeType(wrong));
    return std::nullopt;
  };
  if (text == nullptr && array == nullptr) return reject(*node);
  for (size_t i = 0; array != nullptr && i < array->size(); ++i) {
    const auto* element = array->get(i)->as_string();
    if (element == nullptr) return reject(*array->get(i));
    items->push_back({element->get(), PlaceOf(*element)});
  }
  std::string_view rest = text != nullptr ? std::string_view(text->get()) : std::string_view();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of(" \t\r\n"), rest.size());
    if (end > 0) items->push_back({std::string(rest.substr(0, end)), PlaceOf(*node)});
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (items->size() > most) {
    Reject(key, PlaceOf(*node), "expected at most " + std::to_string(most) + " of them");
    return std::nullopt;
  }
  return PlaceOf(*node);
}

const toml::table* TableReader::Section(std::string_view key) {
  const toml::node* node = AskSection(key, "[" + std::string(key) + "]");
  if (node == nullptr) return nullptr;
  if (!node->is_table()) WrongType(key, *node, "one section [" + std::string(key) + "]");
  return node->as_table();
}

std::vector<const toml::table*> TableReader::Sections(std::string_view key, size_t most) {
  std::vector<const toml::table*> found;
  const toml::node* node = AskSection(key, "[[" + std::string(key) + "]]");
  if (node == nullptr) return found;
  const std::string expected = "sections [[" + std::string(key) + "]] in double brackets";
  const auto* array = node->as_array();
  if (array == nullptr) {
    WrongType(key, *node, expected);
    return found;
  }
  for (const toml::node& element : *array) {
    if (!element.is_table()) {
      WrongType(key, element, expected);
    } else if (found.size() == most) {
      Reject(key, PlaceOf(element), "expected at most " + std::to_string(most) + " of them");
      break;
    } else {
      found.push_back(element.as_table());
    }
  }
  return found;
}

void TableReader::Finish() {
  if (table_ == nullptr) return;
  for (auto&& [key, node] : *table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
    // A section's title says what it is; a lone key at the top has been left outside any section.
    const bool section = title_.empty() && (node.is_table() || node.is_array_of_tables());
    std::string message =
        std::string("unknown ") + (section ? "section " : "key ") + Quote(key.str()) +
        (title_.empty() ? (section ? "" : " outside any section") : " in " + title_);
    std::string_view nearest = Nearest(key.str(), known_);
    if (nearest.empty()) {
      message += ", expected one of " + Join(titles_);
    } else {
      size_t index = std::find(known_.begin(), known_.end(), nearest) - known_.begin();
      message += ", did you mean " + titles_[index] + "?";
    }
    mistakes_->Add(PlaceOf(key.source()), std::move(message));
  }
}

}  // namespace gemel

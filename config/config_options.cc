#include "config/config_options.h"

#include <algorithm>
#include <cstdio>

#include "config/config_scan.h"
#include "config/config_sections.h"
#include "config/config_text.h"

namespace gemel {

namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A decimal integer without leading zeros, which TOML has not; nothing if the text is none, or so
// long that it is none of 64 bits.
std::optional<std::string> Integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (!IsDigits(text)) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  constexpr std::string_view kMost = "9223372036854775807";
  if (text.size() > kMost.size() || (text.size() == kMost.size() && text > kMost)) {
    return std::nullopt;
  }
  return (negative ? "-" : "") + std::string(text);
}

std::string QuotedToml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04X", byte);
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string List(std::string_view text) {
  std::string list = "[";
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return list + "]";
    const size_t end = std::min(text.find(' '), text.size());
    if (list.size() > 1) list += ", ";
    list += QuotedToml(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

// The reader of the file, with a file that says nothing, tells what it would leave as it is.
std::vector<OptionInfo> OptionsOf(const Config& config) {
  std::vector<OptionInfo> found;
  Config read = config;
  PoolPlaces places;
  Mistakes mistakes("");
  ReadSections(toml::table(), &read, &places, &mistakes, &found);
  return found;
}

const std::vector<OptionInfo>& KnownOptions() {
  static const std::vector<OptionInfo> options = [] {
    Config config;
    config.pools.emplace_back();
    return OptionsOf(config);
  }();
  return options;
}

const OptionInfo* FindOption(std::string_view name) {
  const std::vector<OptionInfo>& options = KnownOptions();
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const OptionInfo& option) { return option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::string WhyProtected(const OptionInfo& option, ProtectedConfigs leave, bool local) {
  if (option.guard == Guard::kFileOnly) {
    return "can't set immutable config: only the config file may say it";
  }
  if (option.guard == Guard::kNone || leave == ProtectedConfigs::kYes ||
      (leave == ProtectedConfigs::kLocal && local)) {
    return {};
  }
  return leave == ProtectedConfigs::kLocal
             ? "can't set protected config: the config file ([proxy] protected_configs) allows it "
               "to clients on gemel's own machine alone"
             : "can't set protected config: change the config file, or allow it there with "
               "protected_configs = \"local\" or \"yes\" in [proxy]";
}

std::optional<std::string> TomlValue(OptionKind kind, std::string_view argument,
                                     std::string* error) {
  // In quotes, so that what is no UTF-8 is the one thing that can be found.
  if (FindUnsafe(QuotedToml(argument))) {
    *error = "expected UTF-8";
    return std::nullopt;
  }
  switch (kind) {
    case OptionKind::kText:
    case OptionKind::kSecret:
      return QuotedToml(argument);
    case OptionKind::kList:
      return List(argument);
    case OptionKind::kSize: {
      std::optional<std::string> bytes = Integer(argument);
      return bytes ? bytes : QuotedToml(argument);
    }
    case OptionKind::kNumber:
      // Redis takes it as it would write it, and no otherwise.
      if (Integer(argument) == argument && argument != "-0") return std::string(argument);
      *error = "argument couldn't be parsed into an integer";
      return std::nullopt;
    case OptionKind::kFlag: {
      const std::string word = LowerCase(argument);
      if (word == "yes" || word == "true") return "true";
      if (word == "no" || word == "false") return "false";
      *error = "argument must be 'yes' or 'no'";
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace gemel

#include "backend/acl/acl_selector.h"

#include <algorithm>

#include "backend/acl/acl_categories.h"
#include "backend/command/ascii.h"
#include "backend/command/glob.h"
#include "backend/command/key_finder.h"

namespace gemel {

namespace {

bool HasSpaces(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; });
}

}  // namespace

std::string_view AclMistakeText(AclMistake mistake) {
  switch (mistake) {
    case AclMistake::kUnknownName:
      return "Unknown command or category name in ACL";
    case AclMistake::kSyntax:
      return "Syntax error";
    case AclMistake::kKeysAfterAll:
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does "
             "not have any effect. Try 'resetkeys' to start with an empty list of patterns";
    case AclMistake::kChannelsAfterAll:
      return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and "
             "does not have any effect. Try 'resetchannels' to start with an empty list of "
             "channels";
    case AclMistake::kNoSuchPassword:
      return "The password you are trying to remove from the user does not exist";
    case AclMistake::kBadHash:
      return "The password hash must be exactly 64 characters and contain only lowercase "
             "hexadecimal characters";
    case AclMistake::kArgumentOfSubcommand:
      return "Allowing first-arg of a subcommand is not supported";
    case AclMistake::kNone:
      break;
  }
  return "Wrong format";
}

std::span<const uint32_t> AclCommand::Keys() {
  if (!looked_) {
    looked_ = true;
    if (!FindKeys(row_, args_, keys_)) keys_->clear();
  }
  return *keys_;
}

// --- rules ---

AclSelector::AclSelector(const AclCatalog& catalog)
    : future_(static_cast<uint32_t>(catalog.commands().size())), bits_(future_ / 64 + 1) {}

void AclSelector::Set(uint32_t number, bool allowed) {
  const uint64_t bit = uint64_t{1} << (number % 64);
  if (allowed) {
    bits_[number / 64] |= bit;
  } else {
    bits_[number / 64] &= ~bit;
    all_commands_ = false;
  }
}

void AclSelector::SetAll(bool allowed) {
  std::fill(bits_.begin(), bits_.end(), allowed ? ~uint64_t{0} : 0);
  all_commands_ = allowed;
  first_args_.clear();
}

void AclSelector::Change(const AclCatalog& catalog, uint32_t number, bool allowed) {
  const uint32_t end = catalog.commands()[number].end;
  first_args_.erase(number);
  for (uint32_t each = number; each < end; ++each) Set(each, allowed);
}

void AclSelector::ChangeCategory(const AclCatalog& catalog, uint32_t bit, bool allowed) {
  for (uint32_t number = 0; number < future_; ++number) {
    if ((catalog.commands()[number].categories & bit) != 0) Change(catalog, number, allowed);
  }
}

AclMistake AclSelector::Apply(const AclCatalog& catalog, std::string_view rule) {
  if (EqualsLower(rule, "allkeys") || rule == "~*") {
    all_keys_ = true;
    keys_.clear();
  } else if (EqualsLower(rule, "resetkeys")) {
    all_keys_ = false;
    keys_.clear();
  } else if (EqualsLower(rule, "allchannels") || rule == "&*") {
    all_channels_ = true;
    channels_.clear();
  } else if (EqualsLower(rule, "resetchannels")) {
    all_channels_ = false;
    channels_.clear();
  } else if (EqualsLower(rule, "allcommands") || EqualsLower(rule, "+@all")) {
    SetAll(true);
  } else if (EqualsLower(rule, "nocommands") || EqualsLower(rule, "-@all")) {
    SetAll(false);
  } else if (rule.starts_with('~') || rule.starts_with('%')) {
    return AddKeys(rule);
  } else if (rule.starts_with('&')) {
    return AddChannels(rule);
  } else if (rule.starts_with('+') || rule.starts_with('-')) {
    return ApplyToCommands(catalog, rule);
  } else {
    return AclMistake::kSyntax;
  }
  return AclMistake::kNone;
}

AclMistake AclSelector::AddKeys(std::string_view rule) {
  if (all_keys_) return AclMistake::kKeysAfterAll;
  uint8_t rights = rule[0] == '~' ? kAclReadWrite : 0;
  size_t at = 1;
  while (rule[0] == '%' && at < rule.size()) {
    const char c = AsciiLower(rule[at++]);
    if (c == '~') break;
    const uint8_t right = c == 'r' ? kAclRead : c == 'w' ? kAclWrite : 0;
    if (right == 0 || (rights & right) != 0) return AclMistake::kSyntax;
    rights |= right;
  }
  // "%R" is taken for "%R~", which is no key's, as by Redis.
  if (rights == 0) return AclMistake::kSyntax;
  const std::string_view pattern = rule.substr(at);
  if (HasSpaces(pattern)) return AclMistake::kSyntax;
  for (KeyPattern& known : keys_) {
    if (known.pattern != pattern) continue;
    known.rights |= rights;
    return AclMistake::kNone;
  }
  keys_.push_back({std::string(pattern), rights});
  return AclMistake::kNone;
}

AclMistake AclSelector::AddChannels(std::string_view rule) {
  if (all_channels_) return AclMistake::kChannelsAfterAll;
  const std::string_view pattern = rule.substr(1);
  if (HasSpaces(pattern)) return AclMistake::kSyntax;
  if (std::find(channels_.begin(), channels_.end(), pattern) == channels_.end()) {
    channels_.emplace_back(pattern);
  }
  return AclMistake::kNone;
}

AclMistake AclSelector::ApplyToCommands(const AclCatalog& catalog, std::string_view rule) {
  const bool allowed = rule[0] == '+';
  const std::string_view name = rule.substr(1);
  if (name.starts_with('@')) {
    const std::optional<uint32_t> bit = AclCategoryBit(name.substr(1));
    if (!bit) return AclMistake::kUnknownName;
    ChangeCategory(catalog, *bit, allowed);
    return AclMistake::kNone;
  }
  if (allowed && name.find('|') != std::string_view::npos) return AllowFirstArg(catalog, name);
  const uint32_t number = catalog.Find(name);
  if (number == AclCatalog::kNone) return AclMistake::kUnknownName;
  Change(catalog, number, allowed);
  return AclMistake::kNone;
}

// A subcommand, or of a command without such its first argument.
AclMistake AclSelector::AllowFirstArg(const AclCatalog& catalog, std::string_view name) {
  const size_t bar = name.rfind('|');
  const uint32_t number = catalog.Find(name.substr(0, bar));
  const std::string_view arg = name.substr(bar + 1);
  if (number == AclCatalog::kNone) return AclMistake::kUnknownName;
  if (catalog.commands()[number].subcommand) return AclMistake::kArgumentOfSubcommand;
  if (arg.empty()) return AclMistake::kSyntax;
  if (catalog.commands()[number].end > number + 1) {
    const uint32_t subcommand = catalog.Find(name);
    if (subcommand == AclCatalog::kNone) return AclMistake::kUnknownName;
    Change(catalog, subcommand, true);
    return AclMistake::kNone;
  }
  std::vector<std::string>& args = first_args_[number];
  const std::string lower = InLowerCase(arg);
  if (std::none_of(args.begin(), args.end(),
                   [&](const std::string& known) { return EqualsLower(known, lower); })) {
    args.emplace_back(arg);
  }
  return AclMistake::kNone;
}

// --- checks ---

bool AclSelector::AllowsCommand(const AclCommand& command) const {
  if (all_commands_ || (command.row().flags & kCmdNoAuth) != 0 || Has(command.number())) {
    return true;
  }
  const auto args = first_args_.find(command.number());
  if (args == first_args_.end() || command.args().size() < 2) return false;
  const std::string first = InLowerCase(command.args()[1]);
  return std::any_of(args->second.begin(), args->second.end(),
                     [&](const std::string& allowed) { return EqualsLower(allowed, first); });
}

bool AclSelector::AllowsKey(std::string_view key, uint8_t rights) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& pattern) {
    return (pattern.rights & rights) == rights && GlobMatchesExactly(pattern.pattern, key);
  });
}

bool AclSelector::AllowsChannel(std::string_view channel, bool pattern) const {
  return all_channels_ ||
         std::any_of(channels_.begin(), channels_.end(), [&](const std::string& allowed) {
           return pattern ? allowed == channel : GlobMatchesExactly(allowed, channel);
         });
}

AclDenied AclSelector::CheckChannels(const AclCommand& command, uint32_t* at) const {
  const AclCatalog::Channels channels = command.catalog().commands()[command.number()].channels;
  if (all_channels_ || channels == AclCatalog::Channels::kNone) return AclDenied::kNothing;
  const size_t end = channels == AclCatalog::Channels::kFirst ? 2 : command.args().size();
  for (size_t i = 1; i < end; ++i) {
    const bool pattern = channels == AclCatalog::Channels::kPatterns;
    if (AllowsChannel(command.args()[i], pattern)) continue;
    *at = static_cast<uint32_t>(i);
    return AclDenied::kChannel;
  }
  return AclDenied::kNothing;
}

AclDenied AclSelector::Check(AclCommand* command, uint32_t* at) const {
  if (!AllowsCommand(*command)) return AclDenied::kCommand;
  const AclCatalog& catalog = command->catalog();
  if (!all_keys_ && catalog.commands()[command->number()].has_keys) {
    const std::span<const uint32_t> keys = command->Keys();
    for (size_t i = 0; i < keys.size(); ++i) {
      const uint8_t rights = i == 0 ? catalog.FirstKey(command->number(), command->args())
                                    : catalog.OtherKeys(command->number(), command->args());
      if (AllowsKey(command->args()[keys[i]], rights)) continue;
      *at = keys[i];
      return AclDenied::kKey;
    }
  }
  return CheckChannels(*command, at);
}

bool AclSelector::ReadsAllKeys() const {
  return all_keys_ || std::any_of(keys_.begin(), keys_.end(), [](const KeyPattern& pattern) {
           return (pattern.rights & kAclRead) != 0 && pattern.pattern == "*";
         });
}

bool AclSelector::AllowsScripts(const AclCatalog& catalog) const {
  if (!all_keys_ || !all_channels_) return false;
  for (uint32_t number = 0; number < future_; ++number) {
    const AclCatalog::Command& command = catalog.commands()[number];
    if (command.row->name.ends_with("|help")) continue;
    // A container alone is nothing that can be called.
    const bool container = command.end > number + 1 && command.row->split == Split::kNotSupported;
    const bool callable = command.redis && !container && (command.row->flags & kCmdNoScript) == 0;
    if (callable && !Has(number)) return false;
  }
  return true;
}

}  // namespace gemel

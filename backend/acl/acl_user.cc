#include "backend/acl/acl_user.h"

#include <algorithm>
#include <utility>

#include "backend/acl/password_hash.h"
#include "backend/command/ascii.h"

namespace gemel {

AclUser::AclUser(const AclCatalog& catalog, std::string name) : name_(std::move(name)) {
  selectors_.emplace_back(catalog);
}

AclMistake AclUser::Apply(const AclCatalog& catalog, std::string_view rule) {
  if (rule.empty()) return AclMistake::kNone;
  if (EqualsLower(rule, "on") || EqualsLower(rule, "off")) {
    on_ = EqualsLower(rule, "on");
  } else if (EqualsLower(rule, "skip-sanitize-payload")) {
    sanitize_ = Sanitize::kNo;
  } else if (EqualsLower(rule, "sanitize-payload")) {
    sanitize_ = Sanitize::kYes;
  } else if (EqualsLower(rule, "nopass") || EqualsLower(rule, "resetpass")) {
    nopass_ = EqualsLower(rule, "nopass");
    passwords_.clear();
  } else if (rule[0] == '>' || rule[0] == '#' || rule[0] == '<' || rule[0] == '!') {
    return ApplyPassword(rule);
  } else if (rule[0] == '(' && rule.back() == ')') {
    return AddSelector(catalog, rule);
  } else if (EqualsLower(rule, "clearselectors")) {
    selectors_.erase(selectors_.begin() + 1, selectors_.end());
  } else if (EqualsLower(rule, "reset")) {
    Reset(catalog);
  } else {
    return selectors_[0].Apply(catalog, rule);
  }
  return AclMistake::kNone;
}

AclMistake AclUser::ApplyPassword(std::string_view rule) {
  const bool adds = rule[0] == '>' || rule[0] == '#';
  const bool hashed = rule[0] == '#' || rule[0] == '!';
  const std::string_view given = rule.substr(1);
  if (hashed && !IsPasswordHash(given)) return AclMistake::kBadHash;
  std::string hash = hashed ? std::string(given) : PasswordHash(given);
  const auto known = std::find(passwords_.begin(), passwords_.end(), hash);
  if (adds) {
    if (known == passwords_.end()) passwords_.push_back(std::move(hash));
    nopass_ = false;
  } else if (known == passwords_.end()) {
    return AclMistake::kNoSuchPassword;
  } else {
    passwords_.erase(known);
  }
  return AclMistake::kNone;
}

AclMistake AclUser::AddSelector(const AclCatalog& catalog, std::string_view rule) {
  AclSelector selector(catalog);
  std::string_view rest = rule.substr(1, rule.size() - 2);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (word.empty()) continue;
    const AclMistake mistake = selector.Apply(catalog, word);
    if (mistake != AclMistake::kNone) return mistake;
  }
  selectors_.push_back(std::move(selector));
  return AclMistake::kNone;
}

void AclUser::Reset(const AclCatalog& catalog) {
  on_ = nopass_ = false;
  sanitize_ = Sanitize::kYes;
  passwords_.clear();
  selectors_.assign(1, AclSelector(catalog));
}

std::string AclUser::ApplyAll(const AclCatalog& catalog, std::span<const std::string> words) {
  std::vector<std::string> rules;
  size_t at = 0;
  if (!MergeAclSelectors(words, &rules, &at)) {
    return "Unmatched parenthesis in acl selector starting at '" + words[at] + "'.";
  }
  for (const std::string& rule : rules) {
    const AclMistake mistake = Apply(catalog, rule);
    if (mistake == AclMistake::kNone) continue;
    return "Error in ACL SETUSER modifier '" + rule + "': " + std::string(AclMistakeText(mistake));
  }
  return {};
}

bool AclUser::Takes(std::string_view hash) const {
  bool taken = false;
  for (const std::string& password : passwords_) taken |= SamePasswordHash(hash, password);
  return on_ && (taken || nopass_);
}

AclDenied AclUser::Check(const AclCatalog& catalog, const CommandRow& row,
                         std::span<const std::string_view> args, std::vector<uint32_t>* keys,
                         uint32_t* at) const {
  AclCommand command(catalog, row, args, keys);
  AclDenied told = AclDenied::kCommand;
  *at = 0;
  for (const AclSelector& selector : selectors_) {
    uint32_t place = 0;
    const AclDenied denied = selector.Check(&command, &place);
    if (denied == AclDenied::kNothing) return denied;
    if (denied < told || (denied == told && place <= *at)) continue;
    told = denied;
    *at = place;
  }
  return told;
}

bool AclUser::AllowsAll() const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [](const AclSelector& selector) { return selector.AllowsAll(); });
}

bool AclUser::AllowsUnnamedKeys(const AclCatalog& catalog, const CommandRow& row,
                                std::span<const std::string_view> args,
                                std::vector<uint32_t>* keys) const {
  AclCommand command(catalog, row, args, keys);
  uint32_t place = 0;
  return std::any_of(selectors_.begin(), selectors_.end(), [&](const AclSelector& selector) {
    return selector.ReadsAllKeys() && selector.Check(&command, &place) == AclDenied::kNothing;
  });
}

bool AclUser::AllowsScripts(const AclCatalog& catalog) const {
  return trusted_scripts ||
         std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const AclSelector& selector) { return selector.AllowsScripts(catalog); });
}

// --- channels ---

bool AclUser::AllowsChannel(std::string_view channel, bool pattern) const {
  return std::any_of(selectors_.begin(), selectors_.end(), [&](const AclSelector& selector) {
    return selector.AllowsChannel(channel, pattern);
  });
}

bool AclUser::LosesChannels(const AclUser& to) const {
  const auto all = [](const AclSelector& selector) { return selector.all_channels(); };
  if (std::any_of(to.selectors_.begin(), to.selectors_.end(), all)) return false;
  if (std::any_of(selectors_.begin(), selectors_.end(), all)) return true;
  const auto kept = [&to](const std::string& channel) {
    return std::any_of(to.selectors_.begin(), to.selectors_.end(), [&](const AclSelector& other) {
      return std::find(other.channels().begin(), other.channels().end(), channel) !=
             other.channels().end();
    });
  };
  return std::any_of(selectors_.begin(), selectors_.end(), [&](const AclSelector& selector) {
    return !std::all_of(selector.channels().begin(), selector.channels().end(), kept);
  });
}

// --- in words ---

std::vector<std::string_view> AclUser::Flags() const {
  std::vector<std::string_view> flags = {on_ ? "on" : "off"};
  if (nopass_) flags.push_back("nopass");
  if (sanitize_ == Sanitize::kNo) flags.push_back("skip-sanitize-payload");
  if (sanitize_ == Sanitize::kYes) flags.push_back("sanitize-payload");
  return flags;
}

std::string AclUser::Describe(const AclCatalog& catalog) const {
  std::string rules;
  for (const std::string_view flag : Flags()) rules.append(flag) += ' ';
  for (const std::string& password : passwords_) rules += "#" + password + " ";
  rules += selectors_[0].Describe(catalog);
  for (size_t i = 1; i < selectors_.size(); ++i) {
    rules += " (" + selectors_[i].Describe(catalog) + ")";
  }
  return rules;
}

bool MergeAclSelectors(std::span<const std::string> words, std::vector<std::string>* rules,
                       size_t* at) {
  std::string selector;
  bool open = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool closes = word.ends_with(')');
    if (word.starts_with('(') && !closes) {
      selector = word;
      open = true;
      *at = i;
    } else if (open) {
      selector += " " + word;
      if (closes) rules->push_back(selector);
      open = !closes;
    } else {
      rules->push_back(word);
    }
  }
  return !open;
}

}  // namespace gemel

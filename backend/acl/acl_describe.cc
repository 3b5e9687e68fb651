// A selector in the words of its rules. Source: ACLDescribeSelectorCommandRules of acl.c,
// Redis 7.0.

#include "backend/acl/acl_categories.h"
#include "backend/acl/acl_selector.h"

namespace gemel {

namespace {

void Append(std::string_view rule, std::string* rules) {
  if (!rules->empty()) *rules += ' ';
  *rules += rule;
}

}  // namespace

// Categories are chosen one by one, each time the one that fits best what is still to be said.
// Only Redis's commands count for that, so that the words are Redis's.
void AclSelector::DescribeCategories(const AclCatalog& catalog, AclSelector* fake,
                                     std::string* rules) const {
  const bool adds = !CanFuture();
  const std::span<const std::string_view> categories = AclCategories();
  std::vector<bool> applied(categories.size());
  AclSelector left = *this;
  while (true) {
    size_t best = categories.size();
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t i = 0; i < categories.size(); ++i) {
      if (applied[i]) continue;
      uint64_t same = 0;
      uint64_t different = 0;
      for (uint32_t number = 0; number < future_; ++number) {
        const AclCatalog::Command& command = catalog.commands()[number];
        if (!command.redis || (command.categories >> i & 1) == 0) continue;
        ++(left.Has(number) == adds ? same : different);
      }
      if (same <= different || different > least || (different == least && same <= most)) continue;
      best = i;
      least = different;
      most = same;
    }
    if (best == categories.size()) return;
    fake->ChangeCategory(catalog, uint32_t{1} << best, adds);
    left.ChangeCategory(catalog, uint32_t{1} << best, !adds);
    Append((adds ? "+@" : "-@") + std::string(categories[best]), rules);
    applied[best] = true;
  }
}

void AclSelector::DescribeRest(const AclCatalog& catalog, AclSelector* fake,
                               std::string* rules) const {
  for (uint32_t number = 0; number < future_; ++number) {
    const AclCatalog::Command& command = catalog.commands()[number];
    if (catalog.NumberOf(*command.row) != number) continue;
    const std::string name(command.row->name);
    const bool allowed = Has(number);
    if (allowed != fake->Has(number)) {
      Append((allowed ? "+" : "-") + name, rules);
      fake->Change(catalog, number, allowed);
    }
    const auto args = first_args_.find(number);
    if (allowed || args == first_args_.end()) continue;
    for (const std::string& arg : args->second) Append("+" + name + "|" + arg, rules);
  }
}

std::string AclSelector::DescribeCommands(const AclCatalog& catalog) const {
  AclSelector fake(catalog);
  fake.SetAll(CanFuture());
  std::string rules = CanFuture() ? "+@all" : "-@all";
  DescribeCategories(catalog, &fake, &rules);
  DescribeRest(catalog, &fake, &rules);
  return rules;
}

std::string AclSelector::DescribeKeys() const {
  if (all_keys_) return "~*";
  std::string rules;
  for (const KeyPattern& known : keys_) {
    const char* form = known.rights == kAclReadWrite ? "~"
                       : known.rights == kAclRead    ? "%R~"
                                                     : "%W~";
    Append(form + known.pattern, &rules);
  }
  return rules;
}

std::string AclSelector::DescribeChannels() const {
  if (all_channels_) return "&*";
  std::string rules;
  for (const std::string& channel : channels_) Append("&" + channel, &rules);
  return rules;
}

std::string AclSelector::Describe(const AclCatalog& catalog) const {
  std::string rules = DescribeKeys();
  if (!all_channels_) Append("resetchannels", &rules);
  if (const std::string channels = DescribeChannels(); !channels.empty()) Append(channels, &rules);
  Append(DescribeCommands(catalog), &rules);
  return rules;
}

}  // namespace gemel

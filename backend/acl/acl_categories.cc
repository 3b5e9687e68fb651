#include "backend/acl/acl_categories.h"

#include "backend/command/ascii.h"
#include "backend/command/command_facts.h"

namespace gemel {

namespace {

// Source: ACLCommandCategories of acl.c, Redis 7.0.
constexpr std::string_view kCategories[] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
};

uint32_t BitsOf(std::string_view words) {
  uint32_t bits = 0;
  while (!words.empty()) {
    const size_t end = words.find(' ');
    bits |= AclCategoryBit(words.substr(0, end)).value_or(0);
    if (end == std::string_view::npos) break;
    words.remove_prefix(end + 1);
  }
  return bits;
}

}  // namespace

std::span<const std::string_view> AclCategories() { return kCategories; }

std::optional<uint32_t> AclCategoryBit(std::string_view name) {
  for (size_t i = 0; i < std::size(kCategories); ++i) {
    if (EqualsLower(name, kCategories[i])) return uint32_t{1} << i;
  }
  return std::nullopt;
}

uint32_t AclCategoriesOf(const CommandRow& row) {
  if (const CommandFacts* facts = FindCommandFacts(row.name)) return BitsOf(facts->categories);
  if (row.name == "proxy" || row.name == "proxy|help") return BitsOf("slow");
  return row.name.starts_with("proxy|") ? BitsOf("admin slow dangerous") : 0;
}

}  // namespace gemel

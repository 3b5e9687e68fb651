#include "backend/settings/event_flags.h"

#include <algorithm>

namespace gemel {

namespace {

constexpr std::string_view kAll = "g$lshzxetd";  // A
constexpr std::string_view kOrder = "g$lshzxetdmnKE";
// Servers before 6.0 have no d, and their A is the rest.
constexpr char kModules = 'd';

bool Has(std::string_view flags, char flag) { return flags.find(flag) != std::string_view::npos; }

// Each letter for itself, once, in order.
std::string Spread(std::string_view flags) {
  std::string all;
  for (const char flag : flags) all += flag == 'A' ? kAll : std::string_view(&flag, 1);
  std::sort(all.begin(), all.end(), [](char a, char b) {
    const size_t at_a = kOrder.find(a);
    const size_t at_b = kOrder.find(b);
    return at_a != at_b ? at_a < at_b : a < b;
  });
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

bool HasAll(std::string_view spread, std::string_view wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](char flag) { return Has(spread, flag); });
}

}  // namespace

std::string CanonicalEvents(std::string_view flags) {
  std::string all = Spread(flags);
  if (!HasAll(all, kAll)) return all;
  std::erase_if(all, [](char flag) { return Has(kAll, flag); });
  return "A" + all;
}

bool SameEvents(std::string_view a, std::string_view b) {
  std::string first = Spread(a);
  std::string second = Spread(b);
  if (first == second) return true;
  const std::string_view older = kAll.substr(0, kAll.size() - 1);
  if (!HasAll(first, older) || !HasAll(second, older)) return false;
  std::erase(first, kModules);
  std::erase(second, kModules);
  return first == second;
}

bool TellsRemovals(std::string_view flags) { return HasAll(Spread(flags), "xeE"); }

std::string WithRemovals(std::string_view flags) {
  return CanonicalEvents(std::string(flags) + "xeE");
}

}  // namespace gemel

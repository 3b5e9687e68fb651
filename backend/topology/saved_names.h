// The names by which enums are saved: never changed, for older and newer proxies read them.

#ifndef GEMEL_BACKEND_TOPOLOGY_SAVED_NAMES_H_
#define GEMEL_BACKEND_TOPOLOGY_SAVED_NAMES_H_

#include <optional>
#include <string_view>

#include "backend/topology/topology.h"

namespace gemel {

template <typename Enum>
struct SavedName {
  Enum value;
  std::string_view name;
};

inline constexpr SavedName<StaleCause> kSavedCauses[] = {
    {StaleCause::kOther, "other"},
    {StaleCause::kNotClean, "not clean"},
    {StaleCause::kNotCleanBefore, "not clean before"},
};

inline constexpr SavedName<DrainedBy> kSavedDrainers[] = {
    {DrainedBy::kNobody, "nobody"},
    {DrainedBy::kOperator, "operator"},
    {DrainedBy::kConfig, "config"},
};

template <typename Enum, size_t kSize>
constexpr std::string_view NameOf(const SavedName<Enum> (&names)[kSize], Enum value) {
  for (const auto& saved : names) {
    if (saved.value == value) return saved.name;
  }
  return {};
}

template <typename Enum, size_t kSize>
constexpr std::optional<Enum> ValueOf(const SavedName<Enum> (&names)[kSize],
                                      std::string_view name) {
  for (const auto& saved : names) {
    if (saved.name == name) return saved.value;
  }
  return std::nullopt;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_SAVED_NAMES_H_

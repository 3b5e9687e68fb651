// What a key is called where keys of several databases stand side by side (journals, locks, audits,
// ...): one string that says which database and which key. The name of a key of database 0 is the
// key itself, so that nothing is copied or grows where no other database is used.

#ifndef GEMEL_BACKEND_KEYS_KEY_NAME_H_
#define GEMEL_BACKEND_KEYS_KEY_NAME_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/events/printable_key.h"

namespace gemel {

// Begins the names of keys of other databases, whose index is the byte behind it; and those of
// database 0 that begin with it themselves.
inline constexpr char kNameMark = '\0';

inline bool IsItsOwnName(uint8_t database, std::string_view key) {
  return database == 0 && (key.empty() || key[0] != kNameMark);
}

inline std::string MakeKeyName(uint8_t database, std::string_view key) {
  if (IsItsOwnName(database, key)) return std::string(key);
  std::string name;
  name.reserve(key.size() + 2);
  name.push_back(kNameMark);
  name.push_back(static_cast<char>(database));
  name.append(key);
  return name;
}

inline bool IsMarkedName(std::string_view name) { return name.size() >= 2 && name[0] == kNameMark; }
inline uint8_t DatabaseOf(std::string_view name) {
  return IsMarkedName(name) ? static_cast<uint8_t>(name[1]) : 0;
}
// A part of the name.
inline std::string_view KeyOf(std::string_view name) {
  return IsMarkedName(name) ? name.substr(2) : name;
}

// For people: "key" of database 2.
inline std::string PrintableName(std::string_view name) {
  const uint8_t database = DatabaseOf(name);
  return PrintableKey(KeyOf(name)) +
         (database == 0 ? "" : " of database " + std::to_string(database));
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_KEYS_KEY_NAME_H_

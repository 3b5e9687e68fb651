// What a process hands to the one that takes its place, and how that is written.

#ifndef GEMEL_PROXY_UPGRADE_HAND_OVER_H_
#define GEMEL_PROXY_UPGRADE_HAND_OVER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/upgrade/handed_session.h"

namespace gemel {

// The form that this binary writes, and the only one that it reads. It changes with any field.
inline constexpr uint64_t kHandOverForm = 1;

struct HandedListener {
  std::string address;  // as in the config
  uint64_t socket = 0;
  uint64_t worker = 0;
  uint64_t place = 0;  // among those of that worker
};

// What was set since the config file was read: what a reload of the same file would forget.
struct HandedConfig {
  std::string file_text;  // of the file then
  std::string text;       // in effect
  std::vector<std::pair<std::string, std::string>> sets;
  struct User {
    std::string name;
    bool gone = false;
    std::string rules;
  };
  std::vector<User> users;
};

struct HandOver {
  std::string version;  // of the binary that hands over
  std::string binary;   // the path that is carried out
  uint64_t next_session = 1;
  uint64_t pause_left_ms = 0;  // CLIENT PAUSE; 0: there is none
  bool pause_all = false;
  HandedConfig config;
  std::vector<HandedListener> listeners;
  std::vector<HandedSession> sessions;
};

// The whole text: a line that names the form, how long the rest is, its hash, and the rest.
std::string WriteHandOver(const HandOver& hand_over);

// Reads what WriteHandOver wrote. Nothing, and *error (a phrase), if it is not that, from the first
// byte to the last.
std::optional<HandOver> ReadHandOver(std::string_view text, std::string* error);

}  // namespace gemel

#endif  // GEMEL_PROXY_UPGRADE_HAND_OVER_H_

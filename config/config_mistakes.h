// Collects the mistakes of one config file and keeps the one to tell the user. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_MISTAKES_H_
#define GEMEL_CONFIG_CONFIG_MISTAKES_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "config/config_load.h"

namespace gemel {

// Where something is written, from 1; 0:0 is the whole file.
struct Place {
  uint32_t line = 0;
  uint32_t column = 0;
  auto operator<=>(const Place&) const = default;
};

// The user is told the first mistake in the order of the file, however the reader walks it. What is
// missing comes after everything that is written wrongly, because a misspelled key also leaves its
// right name missing.
class Mistakes {
 public:
  explicit Mistakes(std::string file) : file_(std::move(file)) {}

  // Something the file says is wrong.
  void Add(Place place, std::string message) { Keep({false, place}, std::move(message)); }
  // Something the file should say is not there; `place` is what lacks it.
  void AddMissing(Place place, std::string message) { Keep({true, place}, std::move(message)); }

  bool empty() const { return !first_; }
  // The mistake to tell. Not for empty().
  const ConfigError& first() const { return *first_; }

 private:
  using Rank = std::pair<bool, Place>;

  void Keep(Rank rank, std::string message) {
    if (first_ && rank_ <= rank) return;
    rank_ = rank;
    first_ = ConfigError{file_, rank.second.line, rank.second.column, std::move(message)};
  }

  std::string file_;
  Rank rank_;
  std::optional<ConfigError> first_;
};

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_MISTAKES_H_

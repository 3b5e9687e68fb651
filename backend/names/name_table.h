// What is known of host names, and when they may be looked up: one lookup a name at a time, its
// answer shared by all who wait for it and kept, with back-off while lookups fail.
//
// Logic only: uv_names.h does the lookups, and gives the time in milliseconds of any monotonic
// clock.

#ifndef GEMEL_BACKEND_NAMES_NAME_TABLE_H_
#define GEMEL_BACKEND_NAMES_NAME_TABLE_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace gemel {

// What a lookup said.
struct NameAnswer {
  std::vector<std::string> addresses;  // in numbers, the best first; empty: none
  std::string error;                   // why there is none, as a phrase
};

class NameTable {
 public:
  // The wait after a lookup that failed; it doubles with each further one.
  static constexpr uint64_t kBackOffMs = 250;
  static constexpr uint64_t kMaxBackOffMs = 4000;
  // Names that nobody asks for any more are forgotten after this time.
  static constexpr uint64_t kForgetMs = 60 * 60 * 1000;

  enum class Asked : uint8_t {
    kAnswered,  // *answer is what is known, or why the last lookup failed
    kWaits,     // a lookup is under way: End will name the asker
    kBegin,     // the same, and the caller is to begin that lookup
  };

  // Somebody, called `id`, wants to know a host. An answer serves if its lookup began at
  // `newer_than_ms` or later.
  Asked Ask(const std::string& host, uint64_t newer_than_ms, uint64_t now_ms, uint64_t id,
            NameAnswer* answer);
  // The asker waits no more. The lookup goes on.
  void Leave(const std::string& host, uint64_t id);
  // A lookup has ended. Returns who waited for it; `answer` has what they are told.
  std::vector<uint64_t> End(const std::string& host, uint64_t now_ms, const NameAnswer& answer);

  // For how long the lookup of a host has been under way; 0: none is.
  uint64_t LookingMs(const std::string& host, uint64_t now_ms) const;
  // How many lookups of it have failed in a row.
  uint32_t Failures(const std::string& host) const;
  size_t size() const { return names_.size(); }

 private:
  struct Name {
    NameAnswer last;
    bool looking = false;
    uint64_t began_ms = 0;  // the lookup under way, or the last one
    uint64_t not_before_ms = 0;
    uint64_t asked_ms = 0;
    uint32_t failures = 0;
    bool known = false;  // a lookup has ended
    std::vector<uint64_t> waiting;
  };
  void Forget(uint64_t now_ms);

  std::unordered_map<std::string, Name> names_;
  uint64_t next_forget_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_NAMES_NAME_TABLE_H_

// The errors that clients were told, by their prefix: INFO errorstats.

#ifndef GEMEL_PROXY_SEEN_ERROR_COUNTS_H_
#define GEMEL_PROXY_SEEN_ERROR_COUNTS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace gemel {

inline constexpr std::string_view kErrorOfNoKind = "ERR";
// What tells the kind of an error reply, as afterErrorReply of Redis: a word that ends within the
// first 32 bytes.
std::string_view ErrorPrefix(std::string_view error);

// Any thread.
class ErrorCounts {
 public:
  // So many prefixes are told apart: scripts make their own. What is beyond counts as ERR.
  static constexpr size_t kMost = 128;

  // A reply "-WRONGTYPE Operation ...".
  void Add(std::string_view error);
  void Reset();
  uint64_t total() const;
  // Adds them to *sums.
  void AddTo(std::map<std::string, uint64_t>* sums) const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, uint64_t, std::less<>> counts_;
  uint64_t total_ = 0;
};

// Does it say that a command was refused, and not begun? As far as it is known by its prefix.
bool IsRejection(std::string_view error);

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_ERROR_COUNTS_H_

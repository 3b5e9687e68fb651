// The keys that were suspect and are new now, or will be when their deletion is answered; and which
// deletions are not answered yet.

#ifndef GEMEL_BACKEND_FORGET_KEY_MARKS_H_
#define GEMEL_BACKEND_FORGET_KEY_MARKS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gemel {

// What is known of a key that was suspect and was deleted: since the time of that ring it is new.
struct KeyMark {
  uint64_t ring;
  uint64_t pending;  // the number of its deletion, until that is answered; then 0
};

class KeyMarks {
 public:
  // Null if it has none; good until the next change.
  const KeyMark* Find(std::string_view key) const;
  // At least so many keys, or so many bytes.
  bool Reaches(size_t keys, size_t bytes) const { return marks_.size() >= keys || bytes_ >= bytes; }
  size_t size() const { return marks_.size(); }
  // Deletions under way stay known.
  void Clear();

  // A deletion was sent. Its number: they grow in the order of sending.
  uint64_t Sent();
  // The key is new from that ring on, once the deletion is answered.
  void Set(std::string_view key, uint64_t ring, uint64_t number);
  // The deletion that `keys` wait for was answered: they are new, or, if not `ok`, as before.
  void Answered(uint64_t number, const std::vector<std::string>& keys, bool ok);
  // Of the next deletion.
  uint64_t next_number() const { return next_number_; }
  // A deletion with a smaller number is not answered.
  bool AwaitsBefore(uint64_t number) const {
    return !in_flight_.empty() && *in_flight_.begin() < number;
  }
  bool AwaitsNone() const { return in_flight_.empty(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };

  std::unordered_map<std::string, KeyMark, Hash, std::equal_to<>> marks_;
  size_t bytes_ = 0;
  uint64_t next_number_ = 1;
  std::set<uint64_t> in_flight_;  // numbers of deletions that are not answered
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FORGET_KEY_MARKS_H_

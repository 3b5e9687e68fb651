// Compares some keys on all copies of a shard that are in sync, each question at one point of the
// shard's order, so that a difference is none of timing. First it asks what and how large each key
// is; then how long it lives, and its value, so much at a time that clients do not wait long for
// it.

#ifndef GEMEL_BACKEND_AUDIT_KEY_COMPARISON_H_
#define GEMEL_BACKEND_AUDIT_KEY_COMPARISON_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/audit/value_digest.h"
#include "backend/shard/shard_ports.h"

namespace gemel {

struct KeyVerdict {
  enum class Kind : uint8_t {
    kEqual,    // or gone everywhere
    kDiffers,  // from the primary's
    kSkipped,  // as far as it was compared it is equal, but that is not all of it
    kUnknown,  // a copy did not say, or the key changed meanwhile: ask again
  };
  Kind kind = Kind::kUnknown;
  bool passing = false;  // of kUnknown: what is in the way may be over later
  CopyMask differ = 0;   // the copies that differ
  std::string why;       // for people
};

class KeyComparison : private CompareSink {
 public:
  // `known` is false if a copy was lost on the way, or is in doubt at the end.
  using Done = std::function<void(bool known)>;

  // Values that take more memory than `max_value` bytes are compared by their length only.
  KeyComparison(AuditPort shard, uint64_t max_value) : shard_(shard), max_value_(max_value) {}
  void set_max_value(uint64_t bytes) { max_value_ = bytes; }
  KeyComparison(const KeyComparison&) = delete;
  KeyComparison& operator=(const KeyComparison&) = delete;

  // `done` is called later, never inside this call. False if the shard cannot compare now. With
  // `thorough` the values themselves are compared, else their digests, if the servers tell those.
  bool Begin(std::span<const std::string> keys, bool thorough, Done done);
  // Of the i-th key, once done.
  const KeyVerdict& verdict(size_t i) const { return verdicts_[i]; }
  // What the values that were compared take in memory, all together.
  uint64_t bytes() const { return bytes_; }
  // Forgets what is under way, and what was learnt of the servers.
  void Reset();

 private:
  enum class Stage : uint8_t { kIdle, kLook, kValue };
  struct Key {
    std::string name;
    ValueKind kind = ValueKind::kNone;
    bool expires = false;
    bool size_known = true;
    uint64_t size = 0;  // the largest that a copy says
    bool partly = false;
    bool locked = false;  // when its value was asked for: the copies may have had it at two places
    std::string error;
    size_t first = 0;  // of its questions about its value
    size_t count = 0;
  };
  enum class Ask : uint8_t { kTtl, kExpireTime, kValue };
  struct Question {
    Ask ask;
    ValuePart part;
    bool digest;  // it is DEBUG DIGEST-VALUE
    size_t key;
  };
  struct Answer {
    enum class State : uint8_t { kNone, kOk, kWrongType, kError };
    State state = State::kNone;
    int64_t number = 0;
    ValueDigest digest;
  };

  void OnCompareReply(uint32_t index, uint32_t copy, std::string_view reply) override;
  void OnCompareEnd(bool known) override;
  void OnLook(uint32_t index, uint32_t copy, std::string_view reply);
  void AskValues();
  void AskValue(size_t index, Key* key);
  void Judge();
  void JudgeKey(const Key& key, KeyVerdict* verdict) const;
  // Of one key on a copy: is it otherwise than on the primary? Says how.
  enum class Outcome : uint8_t { kSame, kOther, kNotKnown };
  Outcome CompareWithPrimary(const Key& key, uint32_t copy, std::string* how) const;
  Outcome CompareValues(const Key& key, uint32_t copy) const;
  const Answer& At(size_t question, uint32_t copy) const {
    return answers_[question * kMaxCopies + copy];
  }
  void Finish(bool known);

  AuditPort shard_;
  uint64_t max_value_;
  bool digest_refused_ = false;
  Stage stage_ = Stage::kIdle;
  bool thorough_ = false;
  bool mixed_ = false;  // the copies are of different versions
  CopyMask copies_ = 0;
  uint32_t primary_ = 0;
  uint64_t bytes_ = 0;
  std::vector<Key> keys_;
  size_t begin_ = 0;  // the keys whose values are being asked for
  size_t end_ = 0;
  std::vector<Question> questions_;
  std::vector<Answer> answers_;
  std::vector<CompareRead> reads_;  // scratch
  std::vector<KeyVerdict> verdicts_;
  Done done_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_AUDIT_KEY_COMPARISON_H_

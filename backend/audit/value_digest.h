// What is asked to compare a key's value on two copies, and a digest of the answer that does not
// depend on how a server stores the value: neither on the encoding nor on the order of a hash
// table, which is another one in each process.

#ifndef GEMEL_BACKEND_AUDIT_VALUE_DIGEST_H_
#define GEMEL_BACKEND_AUDIT_VALUE_DIGEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

enum class ValueKind : uint8_t {
  kNone,  // no such key
  kString,
  kList,
  kHash,
  kSet,
  kZset,
  kStream,
  kModule,  // whatever else TYPE says
};
ValueKind ValueKindOf(std::string_view type);

enum class ValueLook : uint8_t {
  kDigest,   // DEBUG DIGEST-VALUE, where it says all (streams have groups, which it leaves out)
  kContent,  // the whole value; of a module's type DUMP, which may differ for equal values
  kLength,   // of a value that is too large only how much there is
};

// How a reply is made a digest.
enum class ValuePart : uint8_t {
  kBytes,
  kMembers,     // an array in any order
  kPairs,       // the same of a flat array of pairs
  kStreamInfo,  // of XINFO STREAM what belongs to the value
  kGroups,      // of XINFO GROUPS
  kScores,      // members and scores, which versions write in different ways
};

struct ValueQuestion {
  std::vector<std::string> args;
  ValuePart part;
};

// The commands that ask for the value of `key`. None if `kind` is kNone, or for the length of a
// module's value.
std::vector<ValueQuestion> ValueQuestions(ValueKind kind, ValueLook look, std::string_view key);

struct ValueDigest {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const ValueDigest&) const = default;
};

// Of a reply that is no error, or of any other kind than was expected: then of its bytes.
ValueDigest DigestOf(ValuePart part, std::string_view reply);

}  // namespace gemel

#endif  // GEMEL_BACKEND_AUDIT_VALUE_DIGEST_H_

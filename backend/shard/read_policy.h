// Which of the copies that can be read is asked: one policy a file, one row each. The read itself
// and PROXY EXPLAIN ask the same question; asking changes nothing.

#ifndef GEMEL_BACKEND_SHARD_READ_POLICY_H_
#define GEMEL_BACKEND_SHARD_READ_POLICY_H_

#include <cstdint>
#include <string_view>

#include "backend/shard/copies.h"
#include "config/config.h"

namespace gemel {

struct ReadCandidates {
  const Copies* copies = nullptr;
  CopyMask among = 0;  // not empty
  uint32_t turn = 0;   // grows with each read, so that equal ones take turns
};

struct ReadPolicy {
  ReadFrom read_from;
  // One of `among`.
  uint32_t (*pick)(const ReadCandidates& candidates);
  // Why that one, a phrase.
  std::string_view (*why)(bool is_primary);
};

const ReadPolicy& ReadPolicyOf(ReadFrom read_from);

// Of these the one with the fewest requests pending; equal ones take turns. `among` is not empty.
uint32_t FewestPending(const ReadCandidates& candidates, CopyMask among);

// The policies, each in a file of that name.
extern const ReadPolicy kReadPrimary;
extern const ReadPolicy kReadReplica;
extern const ReadPolicy kReadBalanced;

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_READ_POLICY_H_

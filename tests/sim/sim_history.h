// What the clients of a run asked and were told, and whether that can be true.

#ifndef GEMEL_TESTS_SIM_SIM_HISTORY_H_
#define GEMEL_TESTS_SIM_SIM_HISTORY_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/request.h"

namespace gemel::sim {

// Keys of one kind only see commands of that kind.
enum class KeyKind : uint8_t {
  kRegister,  // SET, DEL, GET of values that are never used twice
  kCounter,   // INCR, GET
  kList,  // APPEND of tokens that are never used twice, GET: the order of all writes can be read
};

struct SimOp : Request {
  enum class Outcome : uint8_t {
    kPending,
    kOk,
    kRefused,  // an error that says that nothing was done
    kUnknown,  // an error, or a lost client connection: done, not done, or still to be done
  };
  KeyKind key_kind = KeyKind::kList;
  bool is_read = false;
  bool is_delete = false;
  std::string key;
  std::string token;  // what it writes; for lists ends with ';'
  uint64_t client = 0;
  uint64_t place = 0;  // in its client's order
  uint64_t invoked_us = 0;
  uint64_t ended_us = 0;
  Outcome outcome = Outcome::kPending;
  std::string told;  // the reply
};

struct CheckOptions {
  bool data_lost = false;  // all copies in sync of some shard lost their memory at some time
  // From then on old values are what somebody has chosen: an operator's FORCE, or all copies in
  // sync restarted with what they had saved.
  uint64_t old_from_us = UINT64_MAX;
  bool all_acks = true;  // an acknowledged write is on all copies that are in sync
};

class History {
 public:
  // Stays where it is.
  SimOp* Add() { return &ops_.emplace_back(); }
  std::deque<SimOp>& ops() { return ops_; }

  // `content` is what the copies, which are equal, hold at the end. Reports what cannot be true.
  void Check(const std::map<std::string, std::string>& content, const CheckOptions& options,
             const std::function<void(std::string)>& report) const;

 private:
  using Ops = std::vector<const SimOp*>;
  using Report = std::function<void(std::string)>;
  static void CheckRegister(const Ops& ops, const std::string* last, const CheckOptions& options,
                            const Report& report);
  static void CheckCounter(const Ops& ops, const std::string* last, const CheckOptions& options,
                           const Report& report);
  static void CheckList(const Ops& ops, const std::string* last, const CheckOptions& options,
                        const Report& report);

  std::deque<SimOp> ops_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_HISTORY_H_

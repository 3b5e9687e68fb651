// What the clients of a run asked and were told, and whether that can be true.

#ifndef GEMEL_TESTS_SIM_SIM_HISTORY_H_
#define GEMEL_TESTS_SIM_SIM_HISTORY_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/shard/request.h"
#include "tests/sim/sim_blocks.h"
#include "tests/sim/sim_node.h"

namespace gemel::sim {

// Keys of one kind only see commands of that kind.
enum class KeyKind : uint8_t {
  kRegister,  // SET, DEL, GET of values that are never used twice
  kCounter,   // INCR, GET
  kList,  // APPEND of tokens that are never used twice, GET: the order of all writes can be read
  // Keys that may expire or be evicted at any time, in runs that have such.
  kFleeting,     // SET with and without times of expiry, DEL, ...
  kFleetingSet,  // SADD of tokens, of which the reply tells nothing of the others that are there
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
  bool is_touch = false;        // changes only when the key expires
  bool is_timed = false;        // and names a time of the clock
  bool is_stream = false;       // an XADD, which is told an ID
  bool is_conditional = false;  // writes only if nothing is there: the reply says whether it did
  bool may_wait = false;        // a read for a write that one copy executes first
  std::string key;
  std::string token;  // what it writes; for lists ends with ';'
  uint64_t client = 0;
  uint64_t place = 0;  // in its client's order
  uint64_t invoked_us = 0;
  uint64_t ended_us = 0;
  Outcome outcome = Outcome::kPending;
  std::string told;  // the reply
  std::string side;  // within a block: the key that is written beside
  BlockOf wrapped;
};

// When a key may have begun again from nothing because the ring changed.
struct KeyResets {
  std::vector<uint64_t> moved_us;  // another shard's from then on: surely
  // In each of these spans, whose ends belong to it, at some time or not at all.
  std::vector<std::pair<uint64_t, uint64_t>> maybe_us;

  bool empty() const { return maybe_us.empty(); }
  // May what was written by an op that began then be gone for one that ended then?
  bool Between(uint64_t invoked_us, uint64_t ended_us) const;
  // The last move that an op which began then can not have missed; 0: none.
  uint64_t LastMove(uint64_t invoked_us) const;
  // The end of the last reset that an op which ended then may have seen; 0: none.
  uint64_t LastMaybe(uint64_t ended_us) const;
};

struct CheckOptions {
  bool data_lost = false;  // all copies in sync of some shard lost their memory at some time
  // From then on old values are what somebody has chosen: an operator's FORCE, or all copies in
  // sync restarted with what they had saved.
  uint64_t old_from_us = UINT64_MAX;
  std::function<KeyResets(const std::string& key)> resets = {};
  bool all_acks = true;  // an acknowledged write is on all copies that are in sync
  // What copies removed by themselves of a key; and called for what came back with a right to it.
  std::function<std::vector<Removal>(const std::string& key)> removals = {};
  std::function<void()> excused = {};
  std::vector<uint64_t> promotions = {};  // when a copy took the place of a primary
  bool all_told = true;                   // every node says what it removes
};

// Without what nodes made up (see XADD of the node).
std::string Plain(std::string_view text);

class History {
 public:
  // Stays where it is.
  SimOp* Add() { return &ops_.emplace_back(); }
  std::deque<SimOp>& ops() { return ops_; }
  const std::deque<SimOp>& ops() const { return ops_; }

  // `content` is what the copies, which are equal, hold at the end. Reports what cannot be true.
  void Check(const std::map<std::string, std::string>& content, const CheckOptions& options,
             const std::function<void(std::string)>& report) const;

 private:
  using Ops = std::vector<const SimOp*>;
  using Report = std::function<void(std::string)>;
  static void CheckRegister(const Ops& ops, const std::string* last, const CheckOptions& options,
                            const KeyResets& resets, const Report& report);
  static void CheckCounter(const Ops& ops, const std::string* last, const CheckOptions& options,
                           const Report& report);
  // sim_lists.cc
  static void CheckList(const Ops& ops, const std::string* last, const CheckOptions& options,
                        const Report& report);
  // sim_fleeting_keys.cc
  static void CheckFleeting(const Ops& ops, const std::string* last, const CheckOptions& options,
                            const KeyResets& resets, const Report& report);
  // The same for keys that moved from shard to shard (sim_moved_keys.cc).
  static void CheckMovedCounter(const Ops& ops, const std::string* last,
                                const CheckOptions& options, const KeyResets& resets,
                                const Report& report);
  static void CheckMovedList(const Ops& ops, const std::string* last, const CheckOptions& options,
                             const KeyResets& resets, const Report& report);

  std::deque<SimOp> ops_;
};

std::string Describe(const SimOp& op);
// Did `first` surely take effect before `second` began?
bool Before(const SimOp& first, const SimOp& second);
// Does it come later in the order of the session that reads?
bool IsLaterOfItsOwn(const SimOp& read, const SimOp& write);
std::vector<std::string> Tokens(std::string_view text);

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_HISTORY_H_

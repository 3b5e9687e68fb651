// What a simulated node holds: values, when they expire, and what goes by itself.

#ifndef GEMEL_TESTS_SIM_SIM_KEYSPACE_H_
#define GEMEL_TESTS_SIM_SIM_KEYSPACE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tests/sim/sim_loop.h"

namespace gemel::sim {

// Why a key went though nobody deleted it.
enum class Gone : uint8_t {
  kExpired,
  kEvicted,
  kPast,    // a command gave it a time of expiry that was past: Redis calls that a deletion,
  kUnsaid,  // or says nothing, if it was a RESTORE of a key that was not there, or of a whole file
};

class Keyspace {
 public:
  // Of the world's clock, when its virtual time begins.
  static constexpr uint64_t kEpochMs = 1700000000000;

  // `removed` is called for each key that goes by itself, once it has gone.
  Keyspace(Loop* loop, std::function<void(Gone, const std::string& key)> removed)
      : loop_(loop), removed_(std::move(removed)) {}

  // Of a node whose clock is so much ahead of the world's.
  void set_clock_ahead_ms(int64_t ahead_ms) { ahead_ms_ = ahead_ms; }
  uint64_t UnixMs() const;
  // Which database a key is in, where that is not the first.
  void set_database_of(std::function<uint8_t(std::string_view key)> database_of) {
    database_of_ = std::move(database_of);
  }
  uint8_t DatabaseOf(std::string_view key) const { return database_of_ ? database_of_(key) : 0; }
  // A replica removes nothing by itself, however late it is.
  void set_is_replica(bool is_replica) { is_replica_ = is_replica; }
  bool is_replica() const { return is_replica_; }

  // Null if there is none: also if it has expired, and then it is deleted.
  std::string* Look(const std::string& key);
  // The value of a key that is there from now on.
  std::string& Make(const std::string& key);
  // `expiry_ms`: 0: none.
  void Put(const std::string& key, const std::string& value, uint64_t expiry_ms);
  bool Erase(const std::string& key);
  void EraseDatabase(int database);
  uint64_t ExpiryOf(const std::string& key) const;  // 0: none
  void SetExpiry(const std::string& key, uint64_t at_ms);
  bool Expires(const std::string& key) const { return ExpiryOf(key) != 0; }

  // It goes by itself.
  void Remove(Gone how, const std::string& key);
  // Deletes what has expired: that is the cycle which Redis has beside the look at each access.
  void RemoveExpired();
  // Deletes one of the keys that `may_go`; false: there is none.
  bool EvictOne(Loop* dice, const std::function<bool(const std::string&)>& may_go);

  // What is there, expired or not. A key that is taken out of it takes its expiry along.
  std::map<std::string, std::string>& values() { return values_; }
  const std::map<std::string, std::string>& values() const { return values_; }

  struct Snapshot {
    std::map<std::string, std::string> values;
    std::map<std::string, uint64_t> expiries;
  };
  Snapshot Save() const { return {values_, expiries_}; }
  // As a file that is loaded: what has expired is left out, without a word, unless `all`.
  void Load(Snapshot snapshot, bool all);
  void Clear() { Load({}, true); }

 private:
  bool IsPast(uint64_t at_ms) const { return at_ms != 0 && UnixMs() > at_ms; }

  Loop* loop_;
  std::function<void(Gone, const std::string& key)> removed_;
  std::map<std::string, std::string> values_;
  std::map<std::string, uint64_t> expiries_;  // by this node's clock
  int64_t ahead_ms_ = 0;
  bool is_replica_ = false;
  std::function<uint8_t(std::string_view key)> database_of_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_KEYSPACE_H_

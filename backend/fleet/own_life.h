// This member's life in its fleet: it joins, says again and again that it lives, and with that
// holds the lease of all that it owns.
//
// The lease rule: who lives counts from before it asked, and only 4/5 of the lease; who waits for
// its end counts the whole lease from when it saw the last beat (OthersLives). So clocks may differ
// by a fifth in their rate, and never need to agree on the time.

#ifndef GEMEL_BACKEND_FLEET_OWN_LIFE_H_
#define GEMEL_BACKEND_FLEET_OWN_LIFE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "backend/fleet/fleet_view.h"
#include "backend/fleet/registers.h"
#include "backend/life/alive.h"

namespace gemel {

// Logic only, one thread. Times are milliseconds of a clock that runs while the machine sleeps
// (CLOCK_BOOTTIME).
class OwnLife {
 public:
  struct Options {
    std::string name;     // of the member
    std::string address;  // where it takes requests of others; empty: nowhere
    uint32_t lease_ms = 500;
    bool witness = false;
  };
  struct Hooks {
    std::function<uint64_t()> clock;
    std::function<std::string()> random_id;
    std::function<void()> on_joined;
    std::function<void(const std::string& why)> on_lost;  // nothing is owned any more
    std::function<void(const std::string& text)> warn;
  };

  OwnLife(Registers* registers, FleetView* view, Options options, Hooks hooks);

  void Tick(uint64_t now_ms);
  // Wants to own nothing from now on, or wants again.
  void SetDraining(bool draining);
  // What this process serves by, and what it has agreed to (LifeRecord): said soon, and from now
  // on.
  void SetRoute(uint64_t route, uint64_t agreed);
  // The orderly end: `done` runs once the register says so, or it cannot be reached.
  void End(std::function<void()> done);

  bool alive() const { return state_ == State::kAlive; }
  // Of this life; what was written last.
  const LifeRecord& record() const { return record_; }
  bool draining() const { return draining_; }
  // When the last joining was answered.
  uint64_t joined_ms() const { return joined_ms_; }
  // Until when all that this life owns is surely its own; 0: nothing is.
  uint64_t until_ms() const { return until_ms_; }
  // This life owns what the record says.
  bool Owns(const ShardRecord& record) const {
    return state_ == State::kAlive && record.owner == options_.name &&
           record.owner_life == record_.number && record.owner_life_id == record_.id;
  }

 private:
  enum class State : uint8_t { kOut, kJoining, kAlive, kEnding, kEnded };

  void TryToJoin(uint64_t now_ms);
  void Write(LifeRecord record, uint64_t expected);
  void OnWritten(const LifeRecord& record, uint64_t asked_ms, RegisterOutcome outcome,
                 uint64_t version);
  void Look();
  void OnLooked(RegisterOutcome outcome, const RegisterValue& value);
  void Lose(const std::string& why);
  void EndNow();
  uint64_t Beat() const { return options_.lease_ms / 5; }

  Registers* registers_;
  FleetView* view_;
  const Options options_;
  const Hooks hooks_;
  State state_ = State::kOut;
  LifeRecord record_;       // the last that is known to be in the register, if alive
  std::string joining_id_;  // of the life that is to begin
  uint64_t version_ = 0;
  uint64_t until_ms_ = 0;
  uint64_t joined_ms_ = 0;
  uint64_t next_ms_ = 0;  // the next try or beat
  uint64_t first_seen_beat_ = 0;
  bool told_of_other_ = false;
  bool asking_ = false;
  bool draining_ = false;
  uint64_t route_ = 1;
  uint64_t agreed_ = 1;
  std::function<void()> ended_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_OWN_LIFE_H_

// How a shard goes to another process (a member of a fleet) while requests come for it: in order,
// when it is handed over, or at once, when the lease of it is lost. What was not sent to any node
// is given back (ShardEnv::NotHere), in the order in which it came, for whoever has the shard next.
//
// In order: from Begin on nothing new is sent and what comes is held. What is in flight ends as
// ever: on all copies, with its repairs, with the edits that it needs, and what was published has
// been handed on. That is waited for as
// long as any request may wait (wait_ms). What is in flight then is cut off, as it is when the
// lease is lost: no link sends another byte, reads are given back as if they had never been sent
// (but for those that are sent at most once), and writes are answered that they may have been
// applied.
//
// Who waits for a key is given back, with the time that is left; who waits for copies too, unless
// some were cut off. What was watched counts as touched from then on, for the ticket says so: its
// transactions are not carried out. Who tracks keys is told that any may have changed.

#ifndef GEMEL_BACKEND_SHARD_DEPARTURE_H_
#define GEMEL_BACKEND_SHARD_DEPARTURE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backend/shard/channels.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread; not to be called from within the shard. See Shard, which passes
// these on.
class Departure {
 public:
  explicit Departure(ShardParts* parts) : parts_(parts) {}
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

  // `drained` runs once, from a later Tick: nothing is in flight, or it took too long.
  void Begin(std::function<void()> drained);
  bool begun() const { return begun_; }
  // A request that came after that. False: it is for the shard as it still is.
  bool Take(Request* request);
  void Tick(uint64_t now_ms);
  // Gives everything back; the links are stopped. Nothing but Shard::Stop may follow. True: every
  // copy has all that was sent, and nothing was cut off.
  bool GiveBack();
  // The lease is lost: the same, now, whatever is in flight.
  void Cut();

 private:
  bool NothingInFlight() const;
  bool AllAreThere() const;
  void CutOff(const std::string& why);
  void HandAll(bool clean);
  // False: it is not to be given back, but to be answered when all else is.
  bool MayBeGiven(const Request& request) const;
  void Give(Request* request);
  void AnswerRest(Request* request);

  ShardParts* parts_;
  std::function<void()> drained_;
  Channels::Rest published_;  // since nothing else was in flight
  uint64_t until_ms_ = 0;
  bool begun_ = false;
  bool gone_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_DEPARTURE_H_

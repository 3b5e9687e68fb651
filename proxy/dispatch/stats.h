// A worker's counters. One worker writes, any thread may read.

#ifndef GEMEL_PROXY_DISPATCH_STATS_H_
#define GEMEL_PROXY_DISPATCH_STATS_H_

#include <atomic>
#include <cstdint>

namespace gemel {

// A number with one writer: no locked instruction is needed to add.
class Counter {
 public:
  void Add(uint64_t value) {
    value_.store(value_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  void Sub(uint64_t value) {
    value_.store(value_.load(std::memory_order_relaxed) - value, std::memory_order_relaxed);
  }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct alignas(64) WorkerStats {
  Counter commands;         // commands read from clients
  Counter connections;      // clients accepted
  Counter rejected;         // clients turned away at max_clients, or for want of files
  Counter clients;          // clients connected now
  Counter input_bytes;      // from clients
  Counter output_bytes;     // to clients
  Counter denied_auth;      // wrong users or passwords
  Counter denials;          // clients turned away by protected mode
  Counter cross_protocol;   // clients cut off for a browser's request
  Counter protocol_errors;  // clients closed for what they sent
  Counter output_overruns;  // clients closed for what they did not take
  Counter paused_clients;   // times a client was not read from, by back-pressure
  Counter memory_closed;    // clients closed because all together held too much
  Counter replies_dropped;  // of nodes, for the same reason
  Counter worst_holder;     // bytes that the client or reply holds that holds the most, while that
                            // matters
  Counter hedged;           // reads sent to a second copy too; this and the next ones once a second
  Counter hedge_wins;       // of these, answered by the second
  Counter side_reads;       // reads sent over connections of their own
  Counter blamed_reads;     // of these, refused: connections ended because of them
  Counter refused_large;    // requests with an argument longer than the nodes take
  Counter ended_scripts;    // on the nodes, for they took too long
  Counter longest_turn_ms;  // of the event loop, in the last 10 to 11 seconds
  Counter edits_failed;     // changes of roles that could not be made durable, or were refused
  Counter unsaved_shards;   // that cannot mark a copy stale just now
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_STATS_H_

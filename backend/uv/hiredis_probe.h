// Health probes of one node: a PING every interval, on a connection of its own.

#ifndef GEMEL_BACKEND_UV_HIREDIS_PROBE_H_
#define GEMEL_BACKEND_UV_HIREDIS_PROBE_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <string>

#include "backend/events/note.h"
#include "backend/health/probe_outcome.h"
#include "backend/uv/hiredis_connection.h"
#include "backend/uv/uv_timer.h"
#include "config/config.h"

namespace gemel {

// What it reports:
//   kSent       a PING goes out; its outcome follows. This report may not destroy the probe.
//   kAnswer     any reply, also an error. LOADING and MASTERDOWN count too: the process lives, and
//               whether it can serve is for the link to find out, whose handshake they refuse. Were
//               they failures, a copy that loads what a resync sends it would be called down and
//               lose its link again and again.
//   kBusy       one of them: it runs a script for longer than its busy-reply-threshold.
//   kTimeout    no reply within timeout_ms (the connection is made anew). It is repeated at once,
//               and more impatiently, until `failures` have failed: the repetitions take half an
//               interval together, also where each fails sooner (a full backlog).
//   kHardError  refused, unreachable; or closed twice in a row. A connection that is closed once is
//               made anew at once, so that a node that died is known at once.
//   kVoid       this process could not probe at all (no descriptors left), or the node's name could
//               not be resolved: no evidence, however often.
// and when the attempt began that it speaks of.
//
// One loop, one thread; see HiredisConnection for what the loop owes it at the end.
class HiredisProbe {
 public:
  using ReportFn = std::function<void(ProbeOutcome, uint64_t began_ms)>;
  using NoteFn = std::function<void(NoteLevel, const std::string&)>;

  // `report` gets each outcome and may destroy the probe; `note` gets lines for the log.
  HiredisProbe(uv_loop_t* loop, HiredisNode node, const HealthConfig& health, ReportFn report,
               NoteFn note);
  HiredisProbe(const HiredisProbe&) = delete;
  HiredisProbe& operator=(const HiredisProbe&) = delete;

  // The first probe goes out within one interval; `random` is any number, so that the probes of
  // many nodes do not go out all at once.
  void Start(uint32_t random);
  // In effect with the next probe, which goes out within the new interval; the connection stays.
  // `random` as for Start.
  void SetHealth(const HealthConfig& health, uint32_t random);
  // Probes out of turn, unless a probe is under way.
  void ProbeNow();
  // No report comes after this.
  void Stop();

 private:
  void TakeHealth(const HealthConfig& health);
  void Send();
  void Ping();
  void OnIdleClose();
  void OnReply(const HiredisReply& reply);
  void NoteTrouble(const HiredisReply& reply);

  uv_loop_t* loop_;
  uint32_t interval_ms_ = 0;
  uint32_t timeout_ms_ = 0;
  uint32_t failures_ = 1;
  uint32_t repeat_ms_ = 0;  // the patience with a probe that is repeated
  ReportFn report_;
  NoteFn note_;
  HiredisConnection connection_;
  UvTimer timer_;
  uint64_t sent_ms_ = 0;
  uint64_t attempt_ms_ = 0;
  uint32_t patience_ms_ = 0;  // with that attempt
  uint32_t timeouts_ = 0;     // in a row
  bool started_ = false;
  bool waiting_ = false;   // for a reply
  bool repeated_ = false;  // this probe is the second try
  bool noted_ = false;     // what is wrong was logged
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_HIREDIS_PROBE_H_

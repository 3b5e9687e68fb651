// How far a resync is: bytes, percent, rate and what is left of the time, measured from what the
// nodes say now and then.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_PROGRESS_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_PROGRESS_H_

#include <cstdint>
#include <string>

namespace gemel {

struct ResyncProgress {
  std::string phase;    // "copying", "loading", "catching up"
  bool keys = false;    // they are counted, and not bytes
  int64_t bytes = 0;    // of this phase
  int64_t total = -1;   // of them all; -1: not known
  int percent = -1;     // of this phase; -1: not known
  int64_t rate = 0;     // bytes a second; 0: not known yet
  int64_t left_s = -1;  // seconds until the phase ends; -1: not known
};

// "12.3 MB": for people.
std::string BytesText(int64_t bytes);
// "12.3 MB of 45.6 MB, 27 %, 10.1 MB/s, 3 s left", or "12 of 45 keys, 27 %, 10 keys/s, 3 s left";
// what is not known is left out.
std::string ProgressText(const ResyncProgress& progress);

class ProgressMeter {
 public:
  // Another phase begins. The one that it is in already goes on.
  void Enter(const std::string& phase, uint64_t now_ms, bool keys = false);
  // Seen now. `total` <= 0: not known. `fraction` (0 to 1) is how much of the work is done where
  // it is known otherwise than by `total`, else negative.
  void See(int64_t bytes, int64_t total, double fraction, uint64_t now_ms);
  const ResyncProgress& progress() const { return progress_; }
  // Whether a line for the log is due: ten percent more than in the last one (but not every
  // moment), or long after it. True once for each line.
  bool TakeLine(uint64_t now_ms);

 private:
  ResyncProgress progress_;
  uint64_t began_ms_ = 0;
  uint64_t sample_ms_ = 0;  // where the rate is measured from
  int64_t sample_bytes_ = 0;
  uint64_t line_ms_ = 0;
  int line_percent_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_PROGRESS_H_

// A worker's part in a trace (trace_desk.h): it looks at what its clients asked, so many a second
// at most.

#ifndef GEMEL_PROXY_SEEN_TRACER_H_
#define GEMEL_PROXY_SEEN_TRACER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/seen/trace_desk.h"

namespace gemel {

// The worker's thread.
class Tracer {
 public:
  // Between two ticks. At 20 ms between them, and two microseconds a look, that is 4% of a core.
  static constexpr uint32_t kLooksPerTick = 400;

  // `desk` outlives it; null: nothing is ever traced.
  explicit Tracer(TraceDesk* desk) : desk_(desk) {}

  // True from the tick after the trace began until it ends, or until the next tick once it has
  // looked at so many.
  bool looks() const { return looks_left_ > 0; }
  // To be called often. True if looks() has changed.
  bool Tick() {
    if (desk_ == nullptr) return false;
    const uint64_t under_way = desk_->under_way();
    if (under_way == 0 && id_ == 0) [[likely]]
      return false;
    return Change(under_way);
  }
  // A request that was answered, while looks(). False: looks() is over.
  bool Look(TracedRequest request);
  // The commands that were carried out in all.
  void set_commands(uint64_t commands) { commands_ = commands; }

 private:
  bool Change(uint64_t under_way);
  void Report();

  TraceDesk* desk_;
  uint64_t id_ = 0;
  std::shared_ptr<const TraceDesk::Trace> trace_;
  uint32_t looks_left_ = 0;
  uint32_t looked_ = 0;
  uint64_t commands_ = 0;
  uint64_t commands_before_ = 0;
};

// Whether an array of RESP has a word that matches, as Redis's glob has it.
bool AnyWordMatches(std::string_view pattern, std::string_view args);

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_TRACER_H_

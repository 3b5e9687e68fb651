// The value of notify-keyspace-events: a set of letters. K and E say over which channels a server
// tells, the others of what: x of keys that expired, e of those that were evicted; A stands for all
// classes that clients may ask for by it.

#ifndef GEMEL_BACKEND_SETTINGS_EVENT_FLAGS_H_
#define GEMEL_BACKEND_SETTINGS_EVENT_FLAGS_H_

#include <string>
#include <string_view>

namespace gemel {

// The same set, each letter once, in one order, A instead of all that it stands for. Letters that
// nobody knows yet stay.
std::string CanonicalEvents(std::string_view flags);

// Whether they stand for the same events, as a server of any version sees them.
bool SameEvents(std::string_view a, std::string_view b);

// Whether a server with these tells over __keyevent@*__ of keys that expired and were evicted.
bool TellsRemovals(std::string_view flags);

// `flags` with what lacks for that.
std::string WithRemovals(std::string_view flags);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_EVENT_FLAGS_H_

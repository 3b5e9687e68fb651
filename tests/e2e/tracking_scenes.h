// What clients say that track keys, or have others told, and what each hears then: of Redis, and of
// gemel the same.

#ifndef GEMEL_TESTS_E2E_TRACKING_SCENES_H_
#define GEMEL_TESTS_E2E_TRACKING_SCENES_H_

#include <cstddef>
#include <string>
#include <vector>

namespace gemel::e2e {

// Client 0, 1 or 2 says that line, in which "ID2" is the id of client 2, and then these read a
// reply or a push each, in this order. A line "close" ends the connection.
struct TrackingStep {
  size_t who;
  std::string line;
  std::vector<size_t> read;
};
using TrackingScene = std::vector<TrackingStep>;

inline constexpr size_t kTrackingClients = 3;

// All are of RESP3.
const std::vector<TrackingScene>& TrackingScenes();
// The third client is told in the place of the first, of both protocols in turn: of RESP2 with a
// subscription, or of RESP3.
const std::vector<TrackingScene>& RedirectScenes();

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_TRACKING_SCENES_H_

// A client that tracks keys, or is told in another's place, as its worker's registry sees it.

#ifndef GEMEL_PROXY_TRACKING_TRACKED_CLIENT_H_
#define GEMEL_PROXY_TRACKING_TRACKED_CLIENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace gemel {

// Keys that changed, in their order, and who wrote each; 0: nobody that is known.
using WrittenKeyMap = std::map<std::string, uint32_t, std::less<>>;

// Calls nobody back.
class TrackedClient {
 public:
  virtual ~TrackedClient() = default;
  // The keys changed: a whole array of RESP. Behind what has been answered.
  virtual void OnKeysChanged(std::string_view keys) = 0;
  // Any key may have changed. `later`: also by what has not been answered yet.
  virtual void OnAllChanged(bool later) = 0;
  // It is told in another's place: an array of keys, or a null.
  virtual void OnRedirected(std::string_view value) = 0;
  // Who was to be told in its place is gone.
  virtual void OnRedirectBroken() = 0;
  // It wants to know nothing of what it writes itself.
  virtual bool noloop() const = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_TRACKING_TRACKED_CLIENT_H_

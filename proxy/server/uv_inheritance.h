// What this process has of the binary that served before in it: listeners, clients, and what was
// set since its config file was read.

#ifndef GEMEL_PROXY_SERVER_UV_INHERITANCE_H_
#define GEMEL_PROXY_SERVER_UV_INHERITANCE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backend/files/unique_fd.h"
#include "config/address.h"
#include "proxy/upgrade/posix_hand_over_file.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

// On the main thread, before the workers run.
class UvInheritance {
 public:
  explicit UvInheritance(Inheritance from);
  UvInheritance(const UvInheritance&) = delete;
  UvInheritance& operator=(const UvInheritance&) = delete;

  // There are clients who wait to be served on.
  bool any() const { return from_.hand_over.has_value(); }
  // What the log is to be told of it, a sentence; empty: nothing. `bad`: something was lost.
  std::string Words(bool* bad) const;
  // The sockets that listened there already; none: nobody did.
  std::vector<UniqueFd> TakeListeners(const Address& address);
  // Those that are left were for addresses that the config has no more. `version` is this binary's.
  void GiveTo(UvWorker::Shared* shared, const std::string& version);
  // Only if there is any.
  const HandedConfig& config() const { return from_.hand_over->config; }
  // The path at which it was carried out; empty: as it was not.
  std::string binary() const;

 private:
  Inheritance from_;
  std::vector<std::pair<std::string, UniqueFd>> listeners_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_INHERITANCE_H_

// What clients ask of the process as a whole: PROXY RELOAD, CONFIG SET, CONFIG REWRITE.

#ifndef GEMEL_PROXY_SERVER_PROCESS_ORDERS_H_
#define GEMEL_PROXY_SERVER_PROCESS_ORDERS_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/server/uv_reloader.h"

namespace gemel {

// On the loop of worker 0.
class ProcessOrders {
 public:
  // `reloader` outlives it.
  explicit ProcessOrders(UvReloader* reloader) : reloader_(reloader) {}

  using Gone = std::shared_ptr<const std::atomic<bool>>;  // see ReloadOrder

  // Carries out a command, all of it in `words` and behind it who asks (kAskedLocally), and gives
  // the reply's frame to `done`, once.
  void Run(const std::vector<std::string>& words, Gone gone, std::function<void(std::string)> done);

 private:
  void Set(const std::vector<std::string>& order, bool local, Gone gone,
           std::function<void(std::string)> done);
  void Rewrite(Gone gone, std::function<void(std::string)> done);
  void Reload(const std::vector<std::string>& order, Gone gone,
              std::function<void(std::string)> done);

  UvReloader* reloader_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_PROCESS_ORDERS_H_

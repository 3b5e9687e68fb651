// The sockets on which the process begins to listen: made first, since they are what is most likely
// to be wrong, and given to the workers when these are there.

#ifndef GEMEL_PROXY_SERVER_UV_SOCKETS_H_
#define GEMEL_PROXY_SERVER_UV_SOCKETS_H_

#include <string>
#include <vector>

#include "backend/files/unique_fd.h"
#include "config/config.h"
#include "proxy/server/uv_inheritance.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

class UvSockets {
 public:
  // For each address of the config, on which the binary before may have listened. False and *error
  // (a sentence) if one cannot be.
  bool Bind(const Config& config, UvInheritance* inheritance, std::string* error);
  // Nobody is accepted before the workers run.
  void GiveTo(UvWorker::Shared* shared, const Config& config);

 private:
  // By address of the config: one a worker, or one for all.
  std::vector<std::vector<UniqueFd>> sockets_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_SOCKETS_H_

#include "proxy/server/uv_sockets.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/log/log.h"

namespace gemel {

bool UvSockets::Bind(const Config& config, UvInheritance* inheritance, std::string* error) {
  for (const Address& address : config.pool().listen) {
    std::vector<UniqueFd> sockets = inheritance->TakeListeners(address);
    if (sockets.empty()) {
      sockets = BindListeners(address, config.workers, {}, error);
    }
    if (sockets.empty()) {
      *error = ConfigError{config.file, address.line, address.column, *error}.ToString();
      return false;
    }
    // The binary before may have had fewer workers.
    for (size_t i = 0; sockets.size() < config.workers && !address.IsUnix(); ++i) {
      UniqueFd same(::fcntl(sockets[i].get(), F_DUPFD_CLOEXEC, 0));
      if (!same.valid()) break;
      sockets.push_back(std::move(same));
    }
    sockets_.push_back(std::move(sockets));
  }
  return true;
}

void UvSockets::GiveTo(UvWorker::Shared* shared, const Config& config) {
  for (size_t i = 0; i < sockets_.size(); ++i) {
    const Address& address = config.pool().listen[i];
    for (size_t j = 0; j < sockets_[i].size(); ++j) {
      shared->workers[j % config.workers]->AddListener(address, std::move(sockets_[i][j]));
    }
    Log(NoteLevel::kInfo, "listening on " + address.ToString());
  }
  sockets_.clear();
}

}  // namespace gemel

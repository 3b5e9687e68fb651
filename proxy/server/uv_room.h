// What the system has for the clients that a config allows; and what is logged of that, once for
// each way of it.

#ifndef GEMEL_PROXY_SERVER_UV_ROOM_H_
#define GEMEL_PROXY_SERVER_UV_ROOM_H_

#include <cstdint>
#include <string>

#include "config/config.h"

namespace gemel {

class UvRoom {
 public:
  // Makes room for the clients and for what is held for them (Budget). Returns for how many
  // clients there is.
  uint32_t Make(const Config& config);
  // Of clients on other machines that are let in.
  void WarnOfExposure(const PoolConfig& pool);

 private:
  static void Warn(std::string warning, std::string* last);

  // The last that were logged.
  std::string clients_warning_;
  std::string memory_warning_;
  std::string exposure_warning_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_ROOM_H_

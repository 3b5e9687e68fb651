#include "proxy/server/uv_room.h"

#include <utility>

#include "backend/bytes/budget.h"
#include "backend/bytes/posix_system_memory.h"
#include "proxy/log/log.h"
#include "proxy/server/exposure.h"
#include "proxy/server/memory_limit.h"
#include "proxy/server/posix_file_limit.h"

namespace gemel {

uint32_t UvRoom::Make(const Config& config) {
  std::string warning;
  const uint32_t clients = MakeRoomForClients(config, &warning);
  Warn(std::move(warning), &clients_warning_);
  const uint64_t buffered = config.pool().limits.buffered;
  warning.clear();
  Budget::set_limit(BufferedLimit(buffered, AddressSpaceLeft(), Budget::Held(), &warning));
  Warn(std::move(warning), &memory_warning_);
  return clients;
}

void UvRoom::WarnOfExposure(const PoolConfig& pool) {
  Warn(ExposureWarning(pool), &exposure_warning_);
}

void UvRoom::Warn(std::string warning, std::string* last) {
  if (!warning.empty() && warning != *last) Log(NoteLevel::kWarn, warning);
  *last = std::move(warning);
}

}  // namespace gemel

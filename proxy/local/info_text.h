// The text of INFO: fields that are made here, a line each, and the figures that workers and shards
// declare (proxy/dispatch/stats.h, backend/figures).

#ifndef GEMEL_PROXY_LOCAL_INFO_TEXT_H_
#define GEMEL_PROXY_LOCAL_INFO_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "proxy/local/local_commands.h"

namespace gemel {

struct InfoSources {
  const ProcessInfo& process;
  const Config& config;
  const PoolConfig& pool;
};

// `wanted`: names of sections in lower case, or none for all.
bool WantsInfo(const std::vector<std::string>& wanted, std::string_view section);

// The sections that are known here, in Redis's form; all but the key space, which is the nodes' to
// tell.
std::string InfoText(const InfoSources& sources, const std::vector<std::string>& wanted);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_INFO_TEXT_H_

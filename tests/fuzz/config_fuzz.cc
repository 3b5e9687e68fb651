// Any bytes as a config file: no crash, no exception, and a result that keeps its own promises.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "config/address.h"
#include "config/config_load.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckAddress(const gemel::Address& address) {
  std::string error;
  std::optional<gemel::Address> again = gemel::ParseAddress(address.ToString(), &error);
  Check(again && *again == address);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  gemel::ConfigError error;
  std::optional<gemel::Config> config = gemel::LoadConfigText(text, "fuzz/gemel.toml", &error);
  if (!config) {
    Check(!error.message.empty() && error.message.find('\n') == std::string::npos);
    Check(error.file == "fuzz/gemel.toml");
    Check((error.line == 0) == (error.column == 0));
  } else {
    Check(config->workers >= 1 && config->pools.size() == 1 && !config->state_dir.empty());
    const gemel::PoolConfig& pool = config->pool();
    Check(!pool.shards.empty() && !pool.listen.empty());
    for (const gemel::Address& address : pool.listen) CheckAddress(address);
    for (const gemel::ShardConfig& shard : pool.shards) {
      for (const gemel::Address& address : shard.Nodes()) CheckAddress(address);
    }
  }
  std::string phrase;
  if (std::optional<gemel::Address> address = gemel::ParseAddress(text, &phrase)) {
    CheckAddress(*address);
  } else {
    Check(!phrase.empty());
  }
  return 0;
}

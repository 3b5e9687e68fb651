#include "config/config_load.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <thread>
#include <utility>

#include "config/config_check.h"
#include "config/config_mistakes.h"
#include "config/config_registers.h"
#include "config/config_scan.h"
#include "config/config_sections.h"
#include "config/config_text.h"
#include "config/config_tls.h"

namespace gemel {

namespace {

constexpr uint32_t kMaxWorkers = 256;

// Relative paths of the file start from its folder, wherever the process was started.
std::string Resolve(const std::string& file, const std::string& path) {
  if (path.empty()) return path;
  return (std::filesystem::path(file).parent_path() / path).string();
}

// toml++ throws: everything that calls it is below this function, behind one catch.
std::optional<Config> ParseAndCheck(std::string_view text, const std::string& file,
                                    Mistakes* mistakes) {
  const toml::table table = toml::parse(text, std::string_view(file));
  Config config;
  config.file = file;
  PoolPlaces places;
  config.pools.emplace_back();
  ReadSections(table, &config, &places, mistakes);
  // The values go together only if each of them is good.
  if (mistakes->empty()) CheckPool(config.pool(), places, mistakes);
  if (mistakes->empty()) CheckRegisters(config, places, mistakes);
  if (mistakes->empty()) CheckTls(config, mistakes);
  if (!mistakes->empty()) return std::nullopt;
  PlaceRegisters(config.fleet, &config.pool());
  config.state_dir = Resolve(file, config.state_dir);
  config.log.file = Resolve(file, config.log.file);
  for (std::string* path : {&config.tls.cert, &config.tls.key, &config.tls.ca}) {
    *path = Resolve(file, *path);
  }
  for (NodeTlsConfig* tls : {&config.node_tls, &config.coordinator_tls}) {
    for (std::string* path : {&tls->cert, &tls->key, &tls->ca}) *path = Resolve(file, *path);
  }
  for (TlsCert& other : config.tls.others) {
    other.cert = Resolve(file, other.cert);
    other.key = Resolve(file, other.key);
  }
  if (config.workers == 0) {
    config.workers = std::clamp(std::thread::hardware_concurrency(), 1u, kMaxWorkers);
  }
  return config;
}

}  // namespace

std::string ConfigTooLarge() {
  return "is larger than " + FormatSize(kMaxConfigBytes) + ", expected a configuration file";
}

std::string ConfigError::ToString() const {
  if (line == 0) return file + ": " + message;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + message;
}

std::optional<Config> LoadConfigText(std::string_view text, const std::string& file,
                                     ConfigError* error) {
  Mistakes mistakes(file);
  if (text.size() > kMaxConfigBytes) {
    mistakes.Add({}, ConfigTooLarge());
  } else if (text.empty()) {
    mistakes.Add({}, "is empty, expected a configuration with at least one section [[shard]]");
  } else if (std::optional<Unsafe> unsafe = FindUnsafe(text)) {
    mistakes.Add(unsafe->place, std::move(unsafe->message));
  } else {
    try {
      std::optional<Config> config = ParseAndCheck(text, file, &mistakes);
      if (config) return config;
    } catch (const toml::parse_error& bad) {
      const toml::source_position at = bad.source().begin;
      mistakes.Add({at.line, at.column}, "not TOML: " + OneLine(bad.description()));
    } catch (const std::exception& bad) {  // out of memory
      mistakes.Add({}, std::string("cannot be read: ") + OneLine(bad.what()));
    }
  }
  *error = mistakes.first();
  return std::nullopt;
}

}  // namespace gemel

// The text of INFO: fields that are made here, a line each; the figures that workers and shards
// declare (proxy/dispatch/stats.h, backend/figures); and what the nodes say (node_info.h).

#ifndef GEMEL_PROXY_LOCAL_INFO_TEXT_H_
#define GEMEL_PROXY_LOCAL_INFO_TEXT_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"
#include "config/config.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/node_info.h"

namespace gemel {

struct InfoSources {
  const ProcessInfo& process;
  const Config& config;
  const PoolConfig& pool;
  const CommandTable& table;
};

// Which sections of INFO are wanted.
class InfoSections {
 public:
  // The words behind INFO, whatever their letters' case.
  explicit InfoSections(std::span<const std::string_view> words);

  // `section`: in lower case.
  bool Wants(std::string_view section) const;
  // One that only the nodes can tell.
  bool WantsNodes() const;

 private:
  std::vector<std::string> wanted_;
};

// The sections in Redis's form. `shards`: what the nodes say, if they were asked.
std::string InfoText(const InfoSources& sources, const InfoSections& sections,
                     const std::vector<ShardInfoText>& shards);

// A field of INFO that is a metric, too.
struct InfoMetric {
  std::string_view name;
  std::string_view help;
  FigureType type;
  std::string value;
};
// Calls visit for each; of the figures see ForEachFigure. Any thread.
void ForEachInfoMetric(const InfoSources& sources,
                       const std::function<void(const InfoMetric&)>& visit);

// Of the sections commandstats, errorstats and latencystats (info_of_commands.cc).
void AppendCommandStats(const InfoSources& sources, std::string* out);
void AppendErrorStats(const InfoSources& sources, std::string* out);
void AppendLatencyStats(const InfoSources& sources, std::string* out);
uint64_t TotalErrors(const InfoSources& sources);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_INFO_TEXT_H_

// What in a good config may cost the operator dear: `gemel -t` says it.

#ifndef GEMEL_CONFIG_CONFIG_RISKS_H_
#define GEMEL_CONFIG_CONFIG_RISKS_H_

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace gemel {

// The risks of a config that was read from `text`, in the order of the file, each a line
// "FILE:LINE:COLUMN: warning: [section] option: what it may cost; what to do". None for what has
// its default. Who is served beyond this machine is told elsewhere (ExposureWarning).
std::vector<std::string> ConfigRisks(const Config& config, std::string_view text);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_RISKS_H_

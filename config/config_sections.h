// One reader for each section of the file: which keys it has and what each may be. Private to
// config.

#ifndef GEMEL_CONFIG_CONFIG_SECTIONS_H_
#define GEMEL_CONFIG_CONFIG_SECTIONS_H_

#include "config/config.h"
#include "config/config_check.h"
#include "config/config_table.h"

namespace gemel {

// Reads every section of the file into config->pool() and the rest of *config, over their
// defaults, and the places into *places. Paths and workers are left as the file says them. What is
// read is good only if no mistake was added. If `options` is not null, all options of the sections
// that a file has once are added to it.
void ReadSections(const toml::table& file, Config* config, PoolPlaces* places, Mistakes* mistakes,
                  std::vector<OptionInfo>* options = nullptr);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_SECTIONS_H_

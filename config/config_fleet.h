// [fleet] of the config file. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_FLEET_H_
#define GEMEL_CONFIG_CONFIG_FLEET_H_

#include "config/config.h"
#include "config/config_table.h"

namespace gemel {

// Reads the section, and checks what its values must be together. *coordinator: where that is said.
void ReadFleet(TableReader table, FleetConfig* fleet, Place* coordinator);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_FLEET_H_

// What is to be said of listeners that other machines may reach.

#ifndef GEMEL_PROXY_SERVER_EXPOSURE_H_
#define GEMEL_PROXY_SERVER_EXPOSURE_H_

#include <string>

#include "config/config.h"

namespace gemel {

// A warning if there is a listener beyond loopback and no password: who is served there, and what
// to do. Else empty. Names are not resolved: but for "localhost", any may lead elsewhere.
std::string ExposureWarning(const PoolConfig& pool);

// The same of the listeners of metrics and their password.
std::string MetricsExposureWarning(const Config& config);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_EXPOSURE_H_

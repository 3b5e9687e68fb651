// Who else may read and write the config file.

#ifndef GEMEL_CONFIG_POSIX_FILE_RISKS_H_
#define GEMEL_CONFIG_POSIX_FILE_RISKS_H_

#include <string>
#include <vector>

#include "config/config.h"

namespace gemel {

// A warning, as a line "FILE: warning: ...", if everybody may read a file with passwords in it, and
// one if everybody may write it.
std::vector<std::string> FileRisks(const Config& config);

}  // namespace gemel

#endif  // GEMEL_CONFIG_POSIX_FILE_RISKS_H_

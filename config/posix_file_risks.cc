#include "config/posix_file_risks.h"

#include <sys/stat.h>

#include "config/config_load.h"

namespace gemel {

std::vector<std::string> FileRisks(const Config& config) {
  struct stat found {};
  std::vector<std::string> lines;
  if (::stat(config.file.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return lines;
  const auto warn = [&](const std::string& text) {
    lines.push_back(ConfigError{config.file, 0, 0, "warning: " + text}.ToString());
  };
  if ((found.st_mode & S_IROTH) != 0 && HasSecrets(config)) {
    warn("there are passwords in it, and everybody on this machine may read it: chmod o-r");
  }
  if ((found.st_mode & S_IWOTH) != 0) {
    warn("everybody on this machine may write it, and so decide what gemel does: chmod o-w");
  }
  return lines;
}

}  // namespace gemel

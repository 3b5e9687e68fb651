// The scripts on disk, in the state folder: a restart of gemel does not forget them.

#ifndef GEMEL_PROXY_SCRIPTS_POSIX_SCRIPT_FILE_H_
#define GEMEL_PROXY_SCRIPTS_POSIX_SCRIPT_FILE_H_

#include <string>
#include <vector>

#include "proxy/scripts/script_cache.h"

namespace gemel {

// Appends the scripts of the folder's file, oldest first. False and *error (a sentence) if there is
// one that cannot be read, or is damaged; then none are. Blocks.
bool ReadScripts(const std::string& folder, std::vector<std::string>* scripts, std::string* error);

// Replaces the file by these: a crash leaves the old one or the new one. Blocks; any one thread at
// a time.
bool WriteScripts(const std::string& folder, const std::vector<ScriptCache::Text>& scripts,
                  std::string* error);

}  // namespace gemel

#endif  // GEMEL_PROXY_SCRIPTS_POSIX_SCRIPT_FILE_H_

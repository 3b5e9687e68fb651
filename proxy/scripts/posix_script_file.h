// The scripts and libraries on disk, in the state folder: a restart of gemel does not forget them.

#ifndef GEMEL_PROXY_SCRIPTS_POSIX_SCRIPT_FILE_H_
#define GEMEL_PROXY_SCRIPTS_POSIX_SCRIPT_FILE_H_

#include <string>
#include <vector>

#include "proxy/scripts/text_store.h"

namespace gemel {

// One file of texts. A file that was written as another kind is damaged.
struct ScriptFile {
  std::string folder;
  std::string name;  // "scripts"; what they are called in its first line, and in errors, too
};

// Appends the file's texts in their order. False and *error (a sentence) if there is one that
// cannot be read, or is damaged; then none are. Blocks.
bool ReadScripts(const ScriptFile& file, std::vector<std::string>* scripts, std::string* error);

// Replaces the file by these: a crash leaves the old one or the new one. Blocks; any one thread at
// a time.
bool WriteScripts(const ScriptFile& file, const std::vector<TextStore::Text>& scripts,
                  std::string* error);

}  // namespace gemel

#endif  // GEMEL_PROXY_SCRIPTS_POSIX_SCRIPT_FILE_H_

// A file's text replaced whole.

#ifndef GEMEL_PROXY_SERVER_POSIX_REPLACE_FILE_H_
#define GEMEL_PROXY_SERVER_POSIX_REPLACE_FILE_H_

#include <string>
#include <string_view>

namespace gemel {

// Replaces the text of an existing regular file by write, fsync and rename in its folder, so that a
// crash leaves the old text or the new. A symbolic link stays, and the file behind it is replaced;
// its owner, group, access list and mode stay. False and *error (a phrase) if one of them cannot
// be kept, or the text not be written: the old file stands, and nothing is left beside it. Until it
// has its place nobody else can read the new one. Blocking.
bool ReplaceFile(const std::string& path, std::string_view text, std::string* error);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_POSIX_REPLACE_FILE_H_

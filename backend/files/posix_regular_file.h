// How gemel opens and makes files and folders of its own: without waiting for them, and not for
// everybody's eyes, because what is in them names keys.

#ifndef GEMEL_BACKEND_FILES_POSIX_REGULAR_FILE_H_
#define GEMEL_BACKEND_FILES_POSIX_REGULAR_FILE_H_

#include <sys/stat.h>

#include <string>
#include <system_error>

#include "backend/files/unique_fd.h"

namespace gemel {

// Read and written by the owner, read by the group, less what the umask takes.
inline constexpr mode_t kFileMode = 0640;
inline constexpr mode_t kFolderMode = 0750;

// Opens `name` in `folder` (a descriptor or AT_FDCWD), if it is a regular file; a pipe, a device or
// a folder is refused without waiting for anybody. With O_CREAT in `flags` it is made if there is
// none, and its owner can read and write it whatever the umask; one that exists keeps its mode. Not
// valid, and *why (a phrase) and errno, if it is not opened.
UniqueFd OpenRegular(int folder, const char* name, int flags, std::string* why);

// Makes the folder and those above it that are missing. Those that exist keep their mode.
std::error_code MakeFolders(const std::string& path);

// Gives the file `fd`, which is to take the place of `old`, its owner, group, access list and mode.
// False and *why (a phrase) if one of them cannot be kept; no more people can read it then than
// before.
bool KeepTraits(int fd, int old, std::string* why);

// All of it, or false and errno.
bool WriteAll(int fd, std::string_view bytes);

}  // namespace gemel

#endif  // GEMEL_BACKEND_FILES_POSIX_REGULAR_FILE_H_

// The files of Unix sockets that this process has made, so that it removes no other's.

#ifndef GEMEL_PROXY_WORKER_POSIX_SOCKET_FILE_H_
#define GEMEL_PROXY_WORKER_POSIX_SOCKET_FILE_H_

#include <string>

namespace gemel {

// Any thread, all of them.

// The file was just made by bind. It is remembered which one it is.
void KeepSocketFile(const std::string& path);

// Removes it, if it was kept and nobody has put another in its place. To be called before the
// socket is closed: afterwards another file may get the same number.
void RemoveSocketFile(const std::string& path);

// All that were kept.
void RemoveSocketFiles();

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_POSIX_SOCKET_FILE_H_

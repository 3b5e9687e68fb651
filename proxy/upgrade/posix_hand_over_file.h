// The way from one binary to the next in one process: what is handed over lies in memory without a
// name, whose descriptor the environment tells.

#ifndef GEMEL_PROXY_UPGRADE_POSIX_HAND_OVER_FILE_H_
#define GEMEL_PROXY_UPGRADE_POSIX_HAND_OVER_FILE_H_

#include <optional>
#include <string>

#include "backend/files/unique_fd.h"
#include "proxy/upgrade/hand_over.h"

namespace gemel {

// Memory for it; invalid and *error (a phrase) if there is none.
UniqueFd MakeHandOverFile(std::string* error);
// Writes it there, in place of what was there. False and *error (a phrase) if it does not fit.
bool FillHandOverFile(int file, const HandOver& hand_over, std::string* error);

// What this process was handed.
struct Inheritance {
  bool any = false;     // it follows another binary
  std::string failure;  // that could not be carried out, so this one goes on; empty: nothing failed
  // Nothing: it could not be read, for `error`; the clients are lost.
  std::optional<HandOver> hand_over;
  std::string error;
};
// Once, before any descriptor is opened and any thread begun. The environment says nothing of it
// afterwards, and the sockets are closed with the next binary unless that is handed them again; all
// of them are closed at once if it is not known what they are.
Inheritance TakeInheritance();

// Carries out `binary` in this process, with the arguments of now, and hands it what is in `file`,
// which `hand_over` is. Nothing else is left open but standard input and output. Returns only if
// that cannot be, with why; `failure` is then to be told to who is carried out in its place.
std::string CarryOut(const std::string& binary, int file, const HandOver& hand_over,
                     const std::string& failure);

// Where this process's binary lies, or lay when it began.
std::string OwnBinary();
// The same though its file is gone.
inline constexpr char kOwnImage[] = "/proc/self/exe";

}  // namespace gemel

#endif  // GEMEL_PROXY_UPGRADE_POSIX_HAND_OVER_FILE_H_

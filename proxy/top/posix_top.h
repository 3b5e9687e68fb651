// `gemel top`: a live view of a gemel that serves, in the terminal.

#ifndef GEMEL_PROXY_TOP_POSIX_TOP_H_
#define GEMEL_PROXY_TOP_POSIX_TOP_H_

#include <cstdint>
#include <string>

namespace gemel {

struct TopOptions {
  std::string host = "127.0.0.1";
  std::string port = "6380";
  std::string user;       // empty: the default user
  std::string password;   // empty: no AUTH
  double interval_s = 1;  // between two views
  uint64_t count = 0;     // so many views; 0: until it is told to end
};

// Until q or Ctrl-C is typed, a signal comes, or so many views were shown. Where standard output is
// no terminal they are printed one below the other. The exit code: 1 if the gemel cannot be asked,
// or not any more (the reason, one sentence, is on stderr).
int RunTop(const TopOptions& options);

}  // namespace gemel

#endif  // GEMEL_PROXY_TOP_POSIX_TOP_H_

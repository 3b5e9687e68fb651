// A connection of `gemel top` to a gemel that serves. It may wait: nobody else does.

#ifndef GEMEL_PROXY_TOP_POSIX_TOP_LINK_H_
#define GEMEL_PROXY_TOP_POSIX_TOP_LINK_H_

#include <initializer_list>
#include <string>
#include <string_view>

#include "backend/files/unique_fd.h"

namespace gemel {

class TopLink {
 public:
  // False and *error (a phrase) if it cannot be made within some seconds.
  bool Connect(const std::string& host, const std::string& port, std::string* error);
  // The whole reply to a command (RESP2) in *reply, an error of Redis's, too. False and *error if
  // none comes within some seconds; then the connection is of no use any more.
  bool Ask(std::initializer_list<std::string_view> words, std::string* reply, std::string* error);

 private:
  bool Send(std::string_view bytes, std::string* error);
  bool Receive(std::string* reply, std::string* error);

  UniqueFd socket_;
  std::string input_;  // that came behind the last reply
};

}  // namespace gemel

#endif  // GEMEL_PROXY_TOP_POSIX_TOP_LINK_H_

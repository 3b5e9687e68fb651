// Asks HTTP servers from a libuv loop, by libcurl.

#ifndef GEMEL_BACKEND_ENGINES_UV_HTTP_H_
#define GEMEL_BACKEND_ENGINES_UV_HTTP_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/tls/openssl_context.h"

namespace gemel {

struct HttpRequest {
  std::string url;
  std::string connect_to;  // host:port, in place of the url's; empty: the url's
  // Of an https:// url, what is shown and who the server has to be.
  std::shared_ptr<const OpensslContext> tls = nullptr;
  std::string body;           // it is a POST of JSON
  std::string authorization;  // of that header line; empty: none
  uint64_t connect_ms = 0;    // to be connected in
  uint64_t total_ms = 0;      // to be answered in; 0: it takes as long as it takes
  // Of an answer that has no end: gets its bytes as they come, and the answer has none then. It may
  // destroy everything, the UvHttp included.
  std::function<void(std::string_view bytes)> on_bytes = nullptr;
};

struct HttpAnswer {
  uint32_t status = 0;  // 0: there was no answer, or not all of it
  std::string body;
  bool sent = false;  // false: no byte of the request left this process
  std::string error;  // why there is no answer, a phrase
};

// One loop, one thread. It keeps connections for the next request. No environment variable has it
// go through a proxy; no redirection is followed; no request is sent twice. After it is destroyed
// the loop must turn until its handles are closed.
class UvHttp {
 public:
  using Done = std::function<void(const HttpAnswer&)>;

  // An answer that is longer fails.
  static constexpr size_t kMaxBody = 64 * 1024 * 1024;

  explicit UvHttp(uv_loop_t* loop);
  // What was asked is not answered.
  ~UvHttp();
  UvHttp(const UvHttp&) = delete;
  UvHttp& operator=(const UvHttp&) = delete;

  // `done` runs once, later, never inside this call, and may destroy the UvHttp. Returns a number
  // that Cancel takes, never 0.
  uint64_t Post(HttpRequest request, Done done);
  // It is not answered then. Of one that was answered it does nothing.
  void Cancel(uint64_t id);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_HTTP_H_

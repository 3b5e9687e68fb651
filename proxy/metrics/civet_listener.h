// An HTTP listener by civetweb, with a few threads of its own.

#ifndef GEMEL_PROXY_METRICS_CIVET_LISTENER_H_
#define GEMEL_PROXY_METRICS_CIVET_LISTENER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "config/address.h"
#include "proxy/metrics/http_exchange.h"

struct mg_connection;
struct mg_context;

namespace gemel {

class CivetListener {
 public:
  using Handler = std::function<PageAnswer(const PageRequest&)>;

  // Requests at a time; further ones wait, and beyond a few are refused.
  static constexpr int kThreads = 4;
  // Of a request's line and headers, and of what it brings.
  static constexpr int kMaxHead = 8192;
  static constexpr size_t kMaxBody = 4096;

  // Listens there, from now on; `handler` is called on threads of its own, several at a time. Null
  // and *error (a phrase) if it cannot. Any thread.
  static std::unique_ptr<CivetListener> Open(const Address& address, Handler handler,
                                             std::string* error);
  // Waits for its threads, and so for what the handler is at. Any thread.
  ~CivetListener();
  CivetListener(const CivetListener&) = delete;
  CivetListener& operator=(const CivetListener&) = delete;

 private:
  CivetListener(Address address, Handler handler)
      : address_(std::move(address)), handler_(std::move(handler)) {}
  static int OnRequest(mg_connection* connection);
  static int OnLog(const mg_connection* connection, const char* message);

  const Address address_;
  const Handler handler_;
  std::string begin_error_;  // what civetweb says while it begins
  std::atomic<bool> begun_{false};
  mg_context* context_ = nullptr;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_CIVET_LISTENER_H_

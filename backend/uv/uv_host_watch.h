// Does a node's host name still stand for the address that is connected to?

#ifndef GEMEL_BACKEND_UV_UV_HOST_WATCH_H_
#define GEMEL_BACKEND_UV_UV_HOST_WATCH_H_

#include <uv.h>

#include <functional>
#include <string>

#include "config/address.h"

namespace gemel {

// One loop, one thread; names are resolved on libuv's threads.
class UvHostWatch {
 public:
  // `peer` tells who is connected to, as "host:port" in numbers; empty: nobody, and then there is
  // nothing to compare, since each connection resolves the name anew. `moved` is called, never
  // inside Look, when the name stands for other addresses than the peer's, with one of them; it may
  // not destroy the watch.
  UvHostWatch(uv_loop_t* loop, Address address, std::function<std::string()> peer,
              std::function<void(const std::string& now)> moved);
  ~UvHostWatch();
  UvHostWatch(const UvHostWatch&) = delete;
  UvHostWatch& operator=(const UvHostWatch&) = delete;

  // Resolves the name, unless that is under way already, or it is none: a Unix path or a number.
  // A name that cannot be resolved changes nothing.
  void Look();

 private:
  struct Question;

  void OnAnswer(int status, const addrinfo* found);

  uv_loop_t* loop_;
  const Address address_;
  const bool is_name_;
  std::function<std::string()> peer_;
  std::function<void(const std::string&)> moved_;
  Question* question_ = nullptr;  // freed by its callback
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_HOST_WATCH_H_

// Does a node's host name still stand for the address that is connected to?

#ifndef GEMEL_BACKEND_UV_UV_HOST_WATCH_H_
#define GEMEL_BACKEND_UV_UV_HOST_WATCH_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "backend/uv/uv_names.h"
#include "config/address.h"

namespace gemel {

// One loop, one thread.
class UvHostWatch {
 public:
  // `peer` tells the host that is connected to, in numbers; empty: none, and then there is nothing
  // to compare, since each connection asks for the name. `moved` is called, never inside Look, when
  // the name stands for other addresses than the peer's, with one of them; it may not destroy the
  // watch.
  UvHostWatch(uv_loop_t* loop, Address address, std::function<std::string()> peer,
              std::function<void(const std::string& now)> moved,
              UvNames* names = &UvNames::Process());
  UvHostWatch(const UvHostWatch&) = delete;
  UvHostWatch& operator=(const UvHostWatch&) = delete;

  // Has the name looked up, unless that is under way already, or it is none: a Unix path or a
  // number. A name that cannot be resolved changes nothing.
  void Look();
  // The same, but what is known since a moment ago will do.
  void LookAtKnown();

 private:
  void Ask(uint64_t newer_than_ms);
  void OnAnswer(const NameAnswer& answer);

  uv_loop_t* loop_;
  const Address address_;
  const bool is_name_;
  std::function<std::string()> peer_;
  std::function<void(const std::string&)> moved_;
  UvNames* names_;
  std::unique_ptr<UvNames::Question> question_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_HOST_WATCH_H_

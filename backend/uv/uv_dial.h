// A way to a node: which address a connection is to be made to, one after the other, until one
// works. Whoever makes the connections is told each, in numbers.

#ifndef GEMEL_BACKEND_UV_UV_DIAL_H_
#define GEMEL_BACKEND_UV_UV_DIAL_H_

#include <uv.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "backend/names/node_addresses.h"
#include "backend/uv/uv_names.h"
#include "backend/uv/uv_timer.h"
#include "config/address.h"

namespace gemel {

// One loop, one thread. The loop must turn after it is destroyed.
class UvDial {
 public:
  // Connect there; an attempt that is under way is given up. It may not destroy the dial.
  using Try = std::function<void(const Address& number)>;
  // There is no address to connect to, for that reason.
  using Unresolved = std::function<void(const std::string& why)>;

  // `addresses` is shared by all who connect to this node; null: nobody else does.
  UvDial(uv_loop_t* loop, Address address, std::shared_ptr<NodeAddresses> addresses, Try on_try,
         Unresolved on_unresolved, UvNames* names = &UvNames::Process());
  ~UvDial();
  UvDial(const UvDial&) = delete;
  UvDial& operator=(const UvDial&) = delete;

  // Begins anew. `on_try` may be called inside it, `on_unresolved` never is.
  void Begin();
  // The connection that was to be tried could not be made; `refused`: nobody listens there. True
  // if another is tried (`on_try` was called); false: that was the last one.
  bool Failed(bool refused);
  // It is made.
  void Connected();
  // Given up.
  void Stop();

  // No address is known yet.
  bool resolving() const { return question_ != nullptr && tried_ == 0; }
  // After the last one failed: was each refused?
  bool all_refused() const { return all_refused_; }
  // The host that was tried last, in numbers; empty for a Unix socket.
  const std::string& number() const { return trying_.host; }
  NodeAddresses& addresses() const { return *addresses_; }

 private:
  void OnAnswer(const NameAnswer& answer);
  void UseKnown();
  bool TryNext();
  void OnTimer();
  uint64_t NowMs() const { return UvNames::NowMs(); }

  uv_loop_t* loop_;
  const Address address_;
  const bool is_name_;
  const std::shared_ptr<NodeAddresses> addresses_;
  const Try on_try_;
  const Unresolved on_unresolved_;
  UvNames* names_;
  UvTimer timer_;
  std::unique_ptr<UvNames::Question> question_;
  std::deque<std::string> to_try_;
  Address trying_;
  bool under_way_ = false;  // the attempt at `trying_`
  uint32_t tried_ = 0;
  bool all_refused_ = true;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_DIAL_H_

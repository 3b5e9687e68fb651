// Carries a Link's bytes over libuv.

#ifndef GEMEL_BACKEND_UV_UV_LINK_H_
#define GEMEL_BACKEND_UV_UV_LINK_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/link/batching.h"
#include "backend/link/link.h"
#include "backend/uv/uv_clock.h"
#include "backend/uv/uv_dial.h"
#include "backend/uv/uv_stream.h"
#include "config/address.h"

namespace gemel {

class UvLink;

// What the links of a worker share.
struct UvLinkContext {
  UvStreamGroup* streams = nullptr;
  AnswerBoard* board = nullptr;  // null: nobody wants to know how long answers took
  std::vector<UvLink*> dirty;    // links with output to flush at the end of the turn
  uint32_t keepalive_s = 60;
  bool times_answers = false;  // somebody wants to know how long the nodes take
};

class UvLink : public LinkTransport, private UvStreamEvents {
 public:
  // All outlive it. `addresses` is what all connections to the node share; null: there is no other.
  // `leads`: the others are to follow it to the address that it is connected to.
  UvLink(UvLinkContext* context, Link* link, Address address,
         std::shared_ptr<NodeAddresses> addresses = nullptr, bool leads = true);
  ~UvLink() override;

  // --- LinkTransport ---
  void Connect() override;
  void Close() override;
  void WantFlush() override { context_->dirty.push_back(this); }

  // Runs each time a connection is made, before the link hears of it. `moved`: the ones before led
  // to another address.
  void set_on_connected(std::function<void(bool moved)> on_connected) {
    on_connected_ = std::move(on_connected);
  }
  // The host that is connected to, in numbers; empty: none.
  const std::string& peer() const { return dial_.addresses().held(); }
  // The end of the loop turn. Has the group send what is queued, unless it is better collected (see
  // Batching).
  void Flush();

 private:
  void OnStreamConnected() override;
  char* OnStreamBuffer(size_t* size) override;
  void OnStreamData(char* data, size_t size) override;
  void OnStreamEnd(int code) override;
  void OnStreamSent(size_t bytes) override { link_->OnTaken(bytes, NowMs()); }
  void OnStreamWritable() override {
    batching_.OnRest();
    WantFlush();
  }
  void Heard();
  void Lost();
  uint64_t NowMs() const { return UvClock::NowMs(context_->streams->loop()); }

  UvLinkContext* context_;
  Link* link_;
  const bool leads_;
  UvStream stream_;
  UvDial dial_;
  std::function<void(bool)> on_connected_;
  bool connected_ = false;
  bool direct_ = false;  // the last buffer was the link's own
  Batching batching_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_LINK_H_

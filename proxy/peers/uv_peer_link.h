// A connection to another member, made when it is wanted and made again when it is lost: dials,
// shakes hands, and carries the bytes of a PeerLink.

#ifndef GEMEL_PROXY_PEERS_UV_PEER_LINK_H_
#define GEMEL_PROXY_PEERS_UV_PEER_LINK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/uv/uv_dial.h"
#include "backend/uv/uv_stream.h"
#include "proxy/peers/peer_link.h"
#include "proxy/peers/uv_peer_base.h"

namespace gemel {

// The worker's thread.
class UvPeerLink : private UvStreamEvents {
 public:
  struct Calls {
    PeerLinkHost* host = nullptr;
    const GoneSessions* gone = nullptr;
    std::function<void()> on_change;  // it is up, or not any more
    std::function<void()> on_room;    // it has room again
  };

  // `base` outlives it. Nothing of `calls` is called inside Want.
  UvPeerLink(const UvPeerBase* base, std::string member, std::string address, Calls calls);
  ~UvPeerLink() override;

  // Somebody wants it up: it is dialled, if it is time. From now on at that address.
  void Want(const std::string& address);
  // The link, while it is up; else null.
  PeerLink* link() { return link_.get(); }
  // Why it is not, a phrase.
  const std::string& trouble() const { return trouble_; }
  // Nobody has wanted it for long, and nothing is under way on it.
  bool Idle(uint64_t now_ms) const;

  void Tick(uint64_t now_ms);
  // The end of a turn: has the group send what is queued.
  void Flush();
  // Ends the connection: what is under way is given back or ended.
  void Close(std::string why);

 private:
  void Dial(uint64_t now_ms);
  void OnShaking(std::string_view bytes, uint64_t now_ms);
  void Say(const std::string& bytes);

  void OnStreamConnected() override;
  char* OnStreamBuffer(size_t*) override { return nullptr; }
  void OnStreamData(char* data, size_t size) override;
  void OnStreamEnd(int code) override;
  void OnStreamSent(size_t bytes) override;
  void OnStreamWritable() override { base_->want_flush(); }

  const UvPeerBase* base_;
  const std::string member_;
  std::string address_;
  std::string wanted_address_;
  Calls calls_;
  UvStream stream_;
  std::unique_ptr<UvDial> dial_;
  std::optional<PeerHandshake> shaking_;
  OutQueue hello_;
  bool sends_hello_ = false;
  std::unique_ptr<PeerLink> link_;
  std::string trouble_;
  bool dialling_ = false;
  uint64_t begun_ms_ = 0;
  uint64_t wanted_ms_ = 0;
  uint64_t retry_ms_ = 0;
  uint64_t backoff_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_UV_PEER_LINK_H_

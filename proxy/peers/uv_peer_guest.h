// A connection that another member made, or a stranger: shakes hands, and carries the bytes of a
// PeerGuest.

#ifndef GEMEL_PROXY_PEERS_UV_PEER_GUEST_H_
#define GEMEL_PROXY_PEERS_UV_PEER_GUEST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "backend/files/unique_fd.h"
#include "backend/uv/uv_stream.h"
#include "proxy/peers/peer_guest.h"
#include "proxy/peers/uv_peer_base.h"

namespace gemel {

// The worker's thread.
class UvPeerGuest : private UvStreamEvents {
 public:
  // `base` outlives it.
  UvPeerGuest(const UvPeerBase* base, PeerGuest::World world);
  ~UvPeerGuest() override;

  // Takes a connection that was accepted; false if that cannot be.
  // With `tls` it speaks that.
  bool Accept(UniqueFd socket, bool unix_socket, bool tls);

  // Nothing of it is left, and it may be destroyed.
  bool Finished() const { return ended_ && (guest_ == nullptr || guest_->Finished()); }
  // See PeerGuest::counted.
  size_t counted() const { return guest_ == nullptr ? 0 : guest_->counted(); }
  bool ended() const { return ended_; }
  // The other end has not said yet who it is.
  bool shaking() const { return shaking_.has_value() && !ended_; }
  // Who it is; empty: not known, or a stranger.
  std::string member() const { return guest_ != nullptr ? guest_->member() : std::string(); }
  // Where it comes from, and why it was refused or ended, a sentence without a full stop.
  const std::string& error() const { return error_; }

  void Tick(uint64_t now_ms);
  // The end of a turn: goes on reading if there is room, and has the group send what is queued.
  void Flush();
  // Ends the connection.
  void Close(std::string why);

 private:
  void OnShaking(std::string_view bytes, uint64_t now_ms);
  // Ends it once the refusal is sent.
  void Refuse(std::string why);
  void OnGuestBytes(std::string_view bytes, uint64_t now_ms);

  char* OnStreamBuffer(size_t*) override { return nullptr; }
  void OnStreamData(char* data, size_t size) override;
  void OnStreamHangUp() override { Close("it closed the connection"); }
  void OnStreamEnd(int code) override;
  void OnStreamSent(size_t bytes) override;
  void OnStreamWritable() override { base_->want_flush(); }

  const UvPeerBase* base_;
  PeerGuest::World world_;
  UvStream stream_;
  std::optional<PeerHandshake> shaking_;
  OutQueue hello_;
  std::unique_ptr<PeerGuest> guest_;
  std::string peer_;
  std::string error_;
  bool refused_ = false;
  uint64_t refused_ms_ = 0;
  bool paused_ = false;
  bool ended_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_UV_PEER_GUEST_H_

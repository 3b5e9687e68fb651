// A connection between two members for what raft needs: dialled or accepted, with the handshake of
// members (peer_handshake.h) in front. Then it carries frames, or its stream is handed on. With TLS
// all of that goes through it, by what the process shows to members and wants of them.

#ifndef GEMEL_BACKEND_RAFT_UV_RAFT_LINE_H_
#define GEMEL_BACKEND_RAFT_UV_RAFT_LINE_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/peer/peer_handshake.h"
#include "backend/uv/uv_dial.h"
#include "backend/uv/uv_timer.h"
#include "backend/uv/uv_tls_tunnel.h"
#include "config/address.h"

namespace gemel {

// One loop, one thread. It may be destroyed inside any of its calls; the loop must turn afterwards.
class UvRaftLine {
 public:
  static constexpr size_t kMostFrame = 64 * 1024 * 1024;
  // What the other one does not read may lie here so long.
  static constexpr size_t kMostQueued = 2 * kMostFrame;
  // For the connection and the handshake.
  static constexpr uint64_t kSetUpMs = 1000;

  struct Calls {
    // The other one is known; frames come from now on.
    std::function<void(const std::string& peer)> on_ready;
    std::function<void(std::string_view frame)> on_frame;
    // It could not be made, or is lost; a sentence without a full stop, in front of it the other's
    // address. Nothing comes after it.
    std::function<void(const std::string& why)> on_lost;
  };
  struct Closer {
    void operator()(uv_stream_t* stream) const;
  };
  // malloc's memory: libraft frees what it is given.
  using Stream = std::unique_ptr<uv_stream_t, Closer>;

  UvRaftLine(uv_loop_t* loop, PeerHandshake::Side side, const PeerHandshake::Names& names,
             const std::string& secret, bool tls, Calls calls);
  ~UvRaftLine();
  UvRaftLine(const UvRaftLine&) = delete;
  UvRaftLine& operator=(const UvRaftLine&) = delete;

  // Once. Calls come later.
  void Dial(const Address& address);
  // Once; false: there is nothing to be accepted. Calls come later.
  bool Accept(uv_stream_t* listener);

  bool ready() const { return ready_; }
  // Once it is ready. False: it is not, or too much lies here that the other does not read.
  bool Send(std::string_view frame);
  // In on_ready: the stream, of which nothing more is read here. Null: something came already. With
  // TLS *tunnel is what it goes through, and has to live as long.
  uv_stream_t* Release(std::unique_ptr<UvTlsTunnel>* tunnel);
  // In on_lost, or after it: it was not known, for it said what no member says.
  bool refused() const { return refused_; }

 private:
  void Connect(const Address& number);
  void Begin();
  // Puts TLS between the connection and what is read and written here. False if that cannot be.
  bool Cover();
  // Of a stream that ended with that code of libuv's.
  std::string WhyEnded(int code);
  // False: it was lost, or destroyed.
  bool OnBytes(std::string_view bytes);
  bool ShakeHands(std::string_view* bytes);
  bool Write(std::string bytes);
  void Lose(const std::string& why);
  // Later, outside of what is going on.
  void LoseSoon(std::string why);
  void OnTimer();

  uv_loop_t* const loop_;
  PeerHandshake handshake_;
  const bool tls_;
  const Calls calls_;
  std::unique_ptr<UvTlsTunnel> tunnel_;  // with TLS, once it is connected
  Stream stream_;
  std::unique_ptr<UvDial> dial_;
  UvTimer timer_;
  std::optional<std::string> lost_;
  std::string input_;
  std::string where_;
  bool ready_ = false;
  bool refused_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_LINE_H_

// A connection between two members for what raft needs: dialled or accepted, with the handshake of
// members (peer_handshake.h) in front. Then it carries frames, or its socket is handed on.

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
    // It could not be made, or is lost; a sentence without a full stop. Nothing comes after it.
    std::function<void(const std::string& why)> on_lost;
  };
  struct Closer {
    void operator()(uv_tcp_t* tcp) const;
  };
  // malloc's memory: libraft frees what it is given.
  using Tcp = std::unique_ptr<uv_tcp_t, Closer>;

  UvRaftLine(uv_loop_t* loop, PeerHandshake::Side side, const PeerHandshake::Names& names,
             const std::string& secret, Calls calls);
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
  // In on_ready: the socket, of which nothing more is read here. Null: something came already.
  uv_stream_t* Release();

 private:
  void Connect(const Address& number);
  void Begin();
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
  const Calls calls_;
  Tcp tcp_;
  std::unique_ptr<UvDial> dial_;
  UvTimer timer_;
  std::optional<std::string> lost_;
  std::string input_;
  std::string where_;
  bool ready_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_LINE_H_

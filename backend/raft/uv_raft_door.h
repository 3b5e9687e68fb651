// Where a voter is reached, and how it reaches the others: one port for the connections of raft
// itself and for members that ask. Both begin with the handshake of members.

#ifndef GEMEL_BACKEND_RAFT_UV_RAFT_DOOR_H_
#define GEMEL_BACKEND_RAFT_UV_RAFT_DOOR_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backend/raft/uv_raft_line.h"
#include "backend/uv/uv_timer.h"
#include "config/address.h"

namespace gemel {

// One loop, one thread. Calls come from the loop, never inside a call of its own.
class UvRaftDoor {
 public:
  // Connections that have not said yet who they are; further ones are turned away.
  static constexpr size_t kMostStrangers = 64;

  struct Options {
    std::string fleet;
    std::string secret;
    std::string voter;  // the address that others know this one by
    Address listen;
    bool tls = false;  // members show each other certificates, and read nothing else
  };
  struct Calls {
    // Of one who says that it is that voter: who votes changes, and this one may not know of it
    // yet, so it is for libraft to know whom it hears. The socket is the callee's (malloc's
    // memory).
    std::function<void(const std::string& voter, uv_stream_t* stream)> on_voter;
    // A member that asks.
    std::function<void(uint64_t guest)> on_guest;
    std::function<void(uint64_t guest, std::string_view frame)> on_frame;
    std::function<void(uint64_t guest)> on_gone;
    // One who is no member was turned away: a sentence without a full stop. The same is told once a
    // minute at most.
    std::function<void(const std::string& why)> on_stranger;
  };
  // Null: it could not be made. Else the socket is the callee's.
  using Connected = std::function<void(uv_stream_t* stream)>;

  UvRaftDoor(uv_loop_t* loop, Options options, Calls calls);
  UvRaftDoor(const UvRaftDoor&) = delete;
  UvRaftDoor& operator=(const UvRaftDoor&) = delete;

  // Listens, and turns everybody away until Open. False and *error, a sentence without a full stop.
  bool Listen(std::string* error);
  void Open() { open_ = true; }
  // To another voter.
  void Connect(const std::string& voter, Connected connected);
  // False: that guest has gone, or does not read what it asked for.
  bool Send(uint64_t guest, std::string_view frame);
  // Nobody comes in any more, guests have gone, and connections that are under way are not made;
  // then `closed` runs.
  void Close(std::function<void()> closed);

 private:
  struct ListenerClose {
    void operator()(uv_tcp_t* tcp) const;
  };
  struct Outgoing {
    std::unique_ptr<UvRaftLine> line;
    Connected connected;
  };

  void OnComer();
  void OnKnown(uint64_t id, const std::string& peer);
  void OnGone(uint64_t id, const std::string& why);
  void TellOfStranger(const std::string& why);
  // The stream that libraft takes; null: it has to do without.
  uv_stream_t* HandOn(UvRaftLine* line);
  void OnMade(std::list<Outgoing>::iterator outgoing);
  void OnNotMade(std::list<Outgoing>::iterator outgoing);
  void FinishClose();

  uv_loop_t* const loop_;
  const Options options_;
  const Calls calls_;
  std::unique_ptr<uv_tcp_t, ListenerClose> listener_;
  std::map<uint64_t, std::unique_ptr<UvRaftLine>> comers_;
  std::set<uint64_t> guests_;
  std::list<Outgoing> outgoing_;
  std::list<std::unique_ptr<UvTlsTunnel>> tunnels_;  // of streams that were handed on
  std::map<std::string, uint64_t> told_ms_;          // of strangers, by what was told
  std::function<void()> closed_;
  UvTimer closing_;
  uint64_t next_ = 1;
  bool open_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_DOOR_H_

// One hiredis connection to a node: made on demand, AUTH and SELECT first, with timeouts of its
// own. The probes and the control traffic are built on it.

#ifndef GEMEL_BACKEND_UV_HIREDIS_CONNECTION_H_
#define GEMEL_BACKEND_UV_HIREDIS_CONNECTION_H_

#include <uv.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/link/turn_fence.h"
#include "backend/uv/uv_dial.h"
#include "backend/uv/uv_timer.h"
#include "backend/uv/uv_tls_tunnel.h"
#include "config/address.h"

struct redisAsyncContext;
struct redisReply;

namespace gemel {

// How a node is reached.
struct HiredisNode {
  Address address;
  std::string user;
  std::string password;  // empty: no AUTH
  uint32_t database = 0;
  // Of its host, for all connections to it; null: there is no other.
  std::shared_ptr<NodeAddresses> addresses = nullptr;
  std::string client_name = {};  // CLIENT SETNAME, whether it is allowed or not; empty: none
  // Not null, and the name is a fleet's: no command is sent before the connections of earlier
  // owners of the shard are ended there (see TurnFence).
  OtherProxies* others = nullptr;
  // It is none of a shard, but keeps what a fleet agrees on: TLS is that of [coordinator_tls].
  bool of_coordinator = false;
};

struct HiredisReply {
  enum class Kind : uint8_t {
    kReply,
    kError,    // the node answered with an error, maybe to AUTH or SELECT
    kTimeout,  // not connected or not answered in time
    kLost,     // the connection was closed, reset or broken by what came over it
    kRefused,  // no connection could be made: refused, reset, unreachable
    // This process failed (no descriptors, no memory), or is not the shard's owner for certain:
    // says nothing of the node.
    kUnable,
    kUnresolved,  // its host name could not be resolved, or not in time: says nothing of it either
  };
  Kind kind = Kind::kReply;
  // kReply: its text (an array's elements, nested ones too, one a line; nil is empty); else what
  // went wrong, as a phrase.
  std::string text = {};
  std::string frame = {};  // of an array: as RESP2 has it
};

using HiredisDone = std::function<void(const HiredisReply&)>;

// Lives on one loop and its thread. After it is destroyed, the loop must turn until the handles
// that it used are closed (uv_run returns 0 once nothing else is open).
class HiredisConnection {
 public:
  // Does not connect yet. `loop` must outlive it and its handles.
  HiredisConnection(uv_loop_t* loop, HiredisNode node);
  // Drops the connection; commands not answered yet are never answered.
  ~HiredisConnection();
  HiredisConnection(const HiredisConnection&) = delete;
  HiredisConnection& operator=(const HiredisConnection&) = delete;

  // Sends a command, connecting first if need be. `done` runs once, later, never inside this call,
  // and may destroy the connection. A command that is not answered within `timeout_ms` (counted
  // from this call, connecting included) ends the connection, and with it every other command on
  // it.
  void Command(const std::vector<std::string>& args, uint32_t timeout_ms, HiredisDone done);

  // Drops the connection without a word to those who wait. The next command makes a new one.
  void Drop();

  // Runs when the node ends a connection on which nothing was asked. May destroy the connection.
  void set_on_idle_close(std::function<void()> on_idle_close) {
    on_idle_close_ = std::move(on_idle_close);
  }

  const HiredisNode& node() const { return node_; }
  // In effect when it next connects.
  void set_node(HiredisNode node) { node_ = std::move(node); }

 private:
  struct Callbacks;
  enum class Step : uint8_t {
    kCommand,  // what it is made for; all others are of the handshake
    kMustBeOk,
    kName,
    kMayEndOthers,
    kList,
    kEndEarlier,
  };
  struct Pending {
    uint64_t deadline_ms;
    uint32_t timeout_ms;
    std::vector<std::string> args;  // until it is sent over a connection that is made
    HiredisDone done;               // of a command
    Step step = Step::kCommand;
  };

  void Connect(const Address& number);
  void AddHandshake();
  // After the last that was sent, before all that waits.
  void AddStep(Step step, std::vector<std::string> args);
  // Returns why the connection is not to be used, or nothing.
  std::string OnFence(Step step, const HiredisReply& answer);
  bool OnHandshake(Step step, HiredisReply answer);
  void Send(const std::vector<std::string>& args);
  void OnConnected();
  // Puts TLS between hiredis and the node. False if that cannot be.
  bool BeginTls();
  void OnConnectFailure(HiredisReply failure);
  void OnReply(const redisReply* reply);
  void OnDisconnect();
  void Arm();
  void OnTimer();
  // The context is no longer ours: hiredis frees it.
  void Forget();
  // Frees the context, if there is one.
  void Release();
  void FailAll(HiredisReply reply);
  // At the next turn; Arm must follow.
  void FailLater(HiredisReply reply);

  uv_loop_t* loop_;
  HiredisNode node_;
  redisAsyncContext* context_ = nullptr;  // hiredis's own: freed by redisAsyncFree alone
  std::unique_ptr<UvTlsTunnel> tunnel_;   // with TLS, while it is connected
  bool dialing_ = false;  // there is no connection yet: a context for each address that is tried
  bool connected_ = false;
  UvDial dial_;
  UvTimer timer_;
  std::deque<Pending> pending_;  // in the order in which they are sent
  TurnFence fence_;
  bool fencing_ = false;  // what is no step of the handshake is not sent yet
  bool failing_ = false;  // what is pending fails at the next turn, as `failure_` says
  HiredisReply failure_;
  std::function<void()> on_idle_close_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_HIREDIS_CONNECTION_H_

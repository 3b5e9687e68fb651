// The way to the nodes for registers by CASPaxos: hiredis connections and a loop's timer.

#ifndef GEMEL_BACKEND_PAXOS_UV_PAXOS_PORT_H_
#define GEMEL_BACKEND_PAXOS_UV_PAXOS_PORT_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/paxos/paxos_messages.h"
#include "backend/uv/hiredis_connection.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

// One connection a node, made by the first question. Nodes are known by their address's text; what
// is asked of another one is not answered by anybody (kSilent). One loop, one thread.
class UvPaxosPort : public PaxosPort {
 public:
  UvPaxosPort(uv_loop_t* loop, std::string key, std::vector<HiredisNode> nodes,
              uint32_t ask_limit_ms, std::function<void(const std::string&)> on_warning);
  ~UvPaxosPort() override;
  UvPaxosPort(const UvPaxosPort&) = delete;
  UvPaxosPort& operator=(const UvPaxosPort&) = delete;

  void Ask(const std::string& node, const PaxosAsk& ask, Done done) override;
  void After(uint64_t ms, std::function<void()> call) override;
  bool Keeps(const std::string& node) const override;

  // Of each node: whether it answered what it was asked last; nullopt: it was not asked yet.
  std::map<std::string, std::optional<bool>> Answers() const;

 private:
  struct Node {
    Node(uv_loop_t* loop, HiredisNode at) : connection(loop, std::move(at)) {}

    HiredisConnection connection;
    bool greeted = false;  // on this connection
    std::string sha;       // of the script, once the node has it
    bool keeps = false;
    bool warned = false;
    std::optional<bool> answered;  // what it was asked last
  };

  // Before the first question on a connection: how the node keeps what it answers, and the script.
  void Greet(const std::string& name, Node* node);
  void OnAppendSettings(const std::string& name, Node* node, const HiredisReply& reply);
  // The connection is gone: the next may be to another process.
  static void Forget(Node* node);
  void Arm();
  void OnTimer();

  uv_loop_t* const loop_;
  const std::string key_;
  const uint32_t ask_limit_ms_;
  const std::function<void(const std::string&)> on_warning_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
  std::multimap<uint64_t, std::function<void()>> calls_;  // by when they are due
  UvTimer timer_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_UV_PAXOS_PORT_H_

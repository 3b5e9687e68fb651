// The way to the nodes for registers by CASPaxos: hiredis connections and a loop's timer.

#ifndef GEMEL_BACKEND_PAXOS_UV_PAXOS_PORT_H_
#define GEMEL_BACKEND_PAXOS_UV_PAXOS_PORT_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/paxos/paxos_messages.h"
#include "backend/uv/hiredis_connection.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

// How a node is reached, by its address's text; nothing: it is none. Any thread.
using PaxosNodeOf = std::function<std::optional<HiredisNode>(const std::string& node)>;

// One connection a node, made by the first question. What is asked of a node that there is not is
// not answered by anybody (kSilent). One loop, one thread.
class UvPaxosPort : public PaxosPort {
 public:
  UvPaxosPort(uv_loop_t* loop, std::string key, PaxosNodeOf node_of, uint32_t ask_limit_ms,
              std::function<void(const std::string&)> on_warning);
  ~UvPaxosPort() override;
  UvPaxosPort(const UvPaxosPort&) = delete;
  UvPaxosPort& operator=(const UvPaxosPort&) = delete;

  void Ask(const std::string& node, const PaxosAsk& ask, Done done) override;
  void After(uint64_t ms, std::function<void()> call) override;
  bool Keeps(const std::string& node) const override;

  // Whether the node answered what it was asked last; nullopt: it was not asked yet.
  std::optional<bool> Answers(const std::string& node) const;

 private:
  struct Node {
    Node(uv_loop_t* loop, HiredisNode at) : connection(loop, std::move(at)) {}

    HiredisConnection connection;
    bool greeted = false;  // on this connection
    std::string sha;       // of the script, once the node has it
    bool plain = false;    // it does not understand kAcceptorFlags
    bool keeps = false;
    std::set<std::string> warned;
    std::optional<bool> answered;  // what it was asked last
  };

  struct Question {
    std::string node;
    PaxosAsk ask;
    Done done;
    int tries = 0;
  };
  Node* Find(const std::string& name);
  void Send(const std::shared_ptr<Question>& question);
  // Whether it was not carried out for a reason that another try does not have.
  bool TryAgain(Node* node, const Question& question, const HiredisReply& reply);
  // Before the first question on a connection: how the node keeps what it answers, and the script.
  void Greet(const std::string& name, Node* node);
  void OnAppendSettings(const std::string& name, Node* node, const HiredisReply& reply);
  // Of a node that does not count by it; none: it does.
  void WarnOfPolicy(const std::string& name, Node* node, const std::string& policy);
  // Once for each node and sentence.
  void Warn(Node* node, const std::string& sentence);
  static std::string ScriptFor(const Node& node);
  // The connection is gone: the next may be to another process.
  static void Forget(Node* node);
  void Arm();
  void OnTimer();

  uv_loop_t* const loop_;
  const std::string key_;
  const PaxosNodeOf node_of_;
  const uint32_t ask_limit_ms_;
  const std::function<void(const std::string&)> on_warning_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
  std::multimap<uint64_t, std::function<void()>> calls_;  // by when they are due
  UvTimer timer_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_UV_PAXOS_PORT_H_

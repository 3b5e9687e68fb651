// Control connections of a shard of a fleet, as HiredisControl has them: each is named, and sends
// nothing before what earlier owners have at the node is ended.

#ifndef GEMEL_TESTS_SIM_SIM_CONTROL_H_
#define GEMEL_TESTS_SIM_SIM_CONTROL_H_

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/link/link_options.h"
#include "backend/link/turn_fence.h"
#include "backend/resync/control_port.h"
#include "tests/sim/sim_shard_world.h"

namespace gemel::sim {

// What a reply in RESP2 is for who asked; empty: none came.
ControlReply ToControlReply(const std::string& bytes);

class ControlConnection {
 public:
  ControlConnection(ShardWorld* world, Node* node, LinkOptions options)
      : world_(world), node_(node), options_(std::move(options)) {}
  ~ControlConnection() { Close(); }

  void Command(std::vector<std::string> args, ControlDone done);
  Node* node() const { return node_; }

 private:
  enum class Step : uint8_t { kCommand, kName, kMayEndOthers, kList, kEndEarlier };
  struct Pending {
    std::vector<std::string> args;
    ControlDone done;
    Step step = Step::kCommand;
    bool sent = false;
  };

  void Connect();
  void OnConnected();
  void OnBytes(std::string_view bytes);
  void OnReply(const std::string& bytes);
  // Why the connection is not to be used, or nothing.
  std::string OnFence(Step step, const ControlReply& reply);
  void AddStep(Step step, std::vector<std::string> args);
  void Send();
  void Close();
  void Fail(const std::string& why);

  ShardWorld* world_;
  Node* const node_;
  const LinkOptions options_;
  ConnectionPtr connection_;  // null: there is none, and none is being made
  bool connected_ = false;
  std::string in_;
  std::deque<Pending> pending_;
  TurnFence fence_;
  bool fencing_ = false;
  Alive alive_;
};

class FencedControl : public ControlPort {
 public:
  explicit FencedControl(ShardWorld* world) : world_(world) {}

  void SetNode(uint32_t copy, Node* node, const LinkOptions& options);
  void Remove(uint32_t copy, const std::vector<std::vector<std::string>>& last);
  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override;

 private:
  ShardWorld* world_;
  std::vector<std::unique_ptr<ControlConnection>> connections_;  // by copy
  std::list<std::unique_ptr<ControlConnection>> leaving_;        // with last commands under way
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_CONTROL_H_

// The connections to a simulated node, and all that is on its way on them.

#ifndef GEMEL_TESTS_SIM_SIM_WIRE_H_
#define GEMEL_TESTS_SIM_SIM_WIRE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/sim_condition.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_road.h"

namespace gemel::sim {

// One connection to a node. The proxy's end goes with `to_client` and `closed`.
struct Connection {
  bool node_open = true;
  uint64_t id = 0;               // the node's number for it
  std::string name;              // and what the client calls it
  bool resp3 = false;            // what it is answered in
  uint8_t database = 0;          // that it has selected
  bool select_refused = false;   // once: what came behind it may have come to another database
  uint64_t last_arrival_us = 0;  // at the node
  std::string in;                // at the node: a command that is not whole yet
  bool multi = false;            // between MULTI and EXEC,
  bool aborted = false;          // with an error among what is queued
  std::vector<std::vector<std::string>> queued;
  uint64_t last_to_client_us = 0;
  std::vector<std::string> patterns;  // that it subscribes to: then it takes little else
  std::shared_ptr<Loop> dice;         // of its own, for its delays; null: the node's
  std::shared_ptr<Road> road;         // which may be cut; null: it never is
  // Null once the client's end is closed.
  std::function<void()> connected;
  std::function<void(std::string_view)> to_client;
  std::function<void(bool refused)> closed;

  void CloseClientEnd() {
    connected = nullptr;
    to_client = nullptr;
    closed = nullptr;
  }
};
using ConnectionPtr = std::shared_ptr<Connection>;

class Wire {
 public:
  // `process`: something has come into `in` of a connection.
  Wire(Loop* loop, const Condition* condition, std::function<void(const ConnectionPtr&)> process)
      : loop_(loop), condition_(condition), process_(std::move(process)) {}

  // --- the client's side ---
  void Connect(const ConnectionPtr& connection);
  void Send(const ConnectionPtr& connection, std::string bytes);
  // The client ends it. What it sent before may still be read.
  void CloseByClient(const ConnectionPtr& connection);
  // A command over a control connection of its own, which `execute` executes: the reply comes later
  // through `done`, empty if the node cannot be reached. In order.
  void Control(std::function<std::string()> execute, std::function<void(const std::string&)> done);

  // --- the node's side ---
  // `arrived` is called when all of it has come to the client.
  void Reply(const ConnectionPtr& connection, std::string bytes,
             std::function<void()> arrived = {});
  const std::vector<ConnectionPtr>& connections() const { return connections_; }
  // Ends those of that number: how many.
  int64_t EndClient(const std::string& id);
  // What comes, or goes, while the node is stopped or cut off waits for that to end, in order.
  void Hold(std::function<void()> event) { held_.push_back(std::move(event)); }
  void LetGo();
  // The process is another one: nothing waits for it, and it counts its clients anew.
  void ForgetHeld() { held_.clear(); }
  void CountAnew() { next_client_id_ = 1; }
  // All connections end.
  void ResetAll();
  // They are gone, and nobody is told.
  void Vanish();

 private:
  uint64_t Delay(Loop* dice);
  Loop* DiceOf(const ConnectionPtr& connection) {
    return connection->dice != nullptr ? connection->dice.get() : loop_;
  }
  void Arrive(const ConnectionPtr& connection, const std::string& bytes);
  void End(const ConnectionPtr& connection);  // tells the client that it ended
  void Drop(const ConnectionPtr& connection, uint64_t after_us);
  static void Pass(const ConnectionPtr& connection, Road::Way way, std::function<void()> event);

  Loop* loop_;
  const Condition* condition_;
  std::function<void(const ConnectionPtr&)> process_;
  std::vector<ConnectionPtr> connections_;
  uint64_t next_client_id_ = 1;
  uint64_t last_control_us_ = 0;
  std::deque<std::function<void()>> held_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_WIRE_H_

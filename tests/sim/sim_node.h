// A mini-Redis that can die, hang, be cut off, answer slowly and replicate, and the connections to
// it.

#ifndef GEMEL_TESTS_SIM_SIM_NODE_H_
#define GEMEL_TESTS_SIM_SIM_NODE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim_keyspace.h"
#include "tests/sim/sim_loop.h"

namespace gemel::sim {

class Node;

// One connection to a node. The proxy's end goes with `to_client` and `closed`.
struct Connection {
  Node* node = nullptr;
  bool node_open = true;
  uint64_t id = 0;               // the node's number for it
  std::string name;              // and what the client calls it
  bool resp3 = false;            // what it is answered in
  uint8_t database = 0;          // that it has selected
  uint64_t last_arrival_us = 0;  // at the node
  std::string in;                // at the node: a command that is not whole yet
  bool multi = false;            // between MULTI and EXEC,
  bool aborted = false;          // with an error among what is queued
  std::vector<std::vector<std::string>> queued;
  uint64_t last_to_client_us = 0;
  std::vector<std::string> patterns;  // that it subscribes to: then it takes little else
  std::shared_ptr<Loop> dice;         // of its own, for its delays; null: the node's
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

// A key that went from a node by itself.
struct Removal {
  const Node* node = nullptr;
  std::string key;
  Gone how = Gone::kExpired;
  uint64_t at_us = 0;
  uint64_t told_us = UINT64_MAX;  // when a subscriber heard of it
  // When it was clear that nobody would hear of it: the node was lost with the word under way.
  uint64_t lost_us = UINT64_MAX;
};

// What a node removes by itself, and whether it may be told of it.
struct RemovalHabits {
  int64_t clock_ahead_ms = 0;
  bool config_refused = false;
  std::string notifies;                 // what the operator has set
  std::function<uint64_t()> evictions;  // of a thousand writes, so many evict
  std::function<bool(const std::string&)> may_evict;
};

class Node {
 public:
  Node(Loop* loop, std::string address);

  // --- the client's side ---
  void Connect(const ConnectionPtr& connection);
  void Send(const ConnectionPtr& connection, std::string bytes);
  // The client ends it. What it sent before may still be read.
  void CloseByClient(const ConnectionPtr& connection);

  // --- faults ---
  void Kill(bool silently);  // the memory is lost; silently: nobody is told (the power went)
  // Another process: a new run_id, with what was saved last, or empty.
  void Start();
  void Save();    // from now on there is something to come back with
  void Forget();  // and now there is not
  // Every write is on its disk before it is answered.
  void KeepWrites() { keeps_writes_ = true; }
  void Hang();
  void Resume();
  void CutOff();  // nothing comes through, in both ways, and nothing is lost
  void Heal();
  void ResetAll();  // all connections end; the process lives
  void Refuse(bool refuse) { refusing_ = refuse; }
  // It answers writes with that error and applies none of them; "" ends it. OOM spares what frees
  // memory, BUSY refuses everything.
  void RefuseWrites(std::string error) { refusal_ = std::move(error); }
  // A command that takes so long: nobody is heard or answered before its end. Another one that is
  // read meanwhile comes after it.
  void BeBusy(uint64_t for_us);
  void Slow(uint64_t extra_us) { extra_us_ = extra_us; }
  void Load(uint64_t for_us);  // answers LOADING for a while
  void AllowDebug(bool allow) { debug_allowed_ = allow; }
  // Who wants to be told of what it removes has time again to listen.
  void ListenedJustNow() { listened_us_ = loop_->now_us(); }
  // So many; `database_of` says where a key is, and `wrong` is told of commands that look for it
  // elsewhere.
  void SetDatabases(uint32_t databases, std::function<uint8_t(std::string_view key)> database_of,
                    std::function<void(const std::string&)> wrong) {
    databases_ = databases;
    keys_.set_database_of(std::move(database_of));
    wrong_ = std::move(wrong);
  }
  void KnowHello(bool know) { knows_hello_ = know; }
  void AllowReplicaOf(bool allow) { replicaof_allowed_ = allow; }

  bool alive() const { return alive_; }
  bool healthy() const { return Answers() && refusal_.empty(); }
  const std::string& refusal() const { return refusal_; }
  bool hung() const { return hung_; }
  bool cut_off() const { return cut_off_; }
  uint64_t extra_us() const { return extra_us_; }
  bool Loading() const { return loop_->now_us() < loading_until_us_; }
  const std::string& address() const { return address_; }
  const std::string& run_id() const { return run_id_; }
  std::map<std::string, std::string>& data() { return keys_.values(); }
  bool Expires(const std::string& key) const { return keys_.Expires(key); }
  uint64_t starts() const { return starts_; }

  // --- what goes by itself (sim_node_removals.cc) ---
  // From now on, by dice of its own.
  void BeginRemovals(RemovalHabits habits, uint64_t seed);
  void EndRemovals() { removes_ = false; }
  std::deque<Removal>& removals() { return removals_; }

  // Who is reachable by which address, for REPLICAOF.
  void set_find(std::function<Node*(const std::string&)> find) { find_ = std::move(find); }
  bool is_replica() const { return master_ != nullptr; }
  // An operator's REPLICAOF NO ONE.
  void Detach() {
    if (master_ != nullptr) ReplicaOf(nullptr);
  }
  // A command over a control connection of its own: the reply comes later through `done`, empty if
  // the node cannot be reached. In order.
  void Control(const std::vector<std::string>& args, std::function<void(const std::string&)> done);

 private:
  bool Answers() const { return alive_ && !hung_ && !cut_off_ && !refusing_ && !Loading(); }
  bool Refuses(const std::string& name) const;
  void Arrive(const ConnectionPtr& connection, const std::string& bytes);
  void Process(const ConnectionPtr& connection);
  // `arrived` is called when all of it has come to the client.
  void Reply(const ConnectionPtr& connection, std::string bytes,
             std::function<void()> arrived = {});
  void End(const ConnectionPtr& connection);  // tells the client that it ended
  void Drop(const ConnectionPtr& connection, uint64_t after_us);
  std::string Execute(const std::vector<std::string>& args, uint8_t database = 0);
  // A command about a key must come to the database that the key is in.
  void CheckDatabase(const std::vector<std::string>& args, uint8_t database);
  // `connection`: that it comes on; null: one that nobody else sees.
  std::string ClientCommand(const ConnectionPtr& connection, const std::vector<std::string>& args);
  std::string InMulti(const ConnectionPtr& connection, const std::vector<std::string>& args);
  std::string Config(const std::vector<std::string>& args);
  std::string Info() const;
  void Replicate(std::vector<std::vector<std::string>> effect);
  void ReplicaOf(Node* master);
  void Sync();
  void LoseReplicas();
  void NewReplid() { replid_ = address_ + "/" + std::to_string(++replids_); }
  uint64_t Delay(Loop* dice = nullptr);
  Loop* DiceOf(const ConnectionPtr& connection) {
    return connection->dice != nullptr ? connection->dice.get() : loop_;
  }
  // What it does with the key that SIM_KEY names.
  void TraceKey(const std::vector<std::string>& args, const std::string& reply) const;
  void MayEvict(bool write);
  void ReadConfigFile();
  void RemovalTurn();
  void OnRemoved(Gone how, const std::string& key);
  void Publish(const std::string& event, const std::string& key, Removal* removal);
  std::string AsSubscriber(const ConnectionPtr& connection, const std::vector<std::string>& args);

  Loop* loop_;
  std::string address_;
  std::function<Node*(const std::string&)> find_;
  bool alive_ = true;
  bool hung_ = false;
  bool cut_off_ = false;
  bool keeps_writes_ = false;
  bool refusing_ = false;  // connections
  std::string refusal_;    // of writes
  bool debug_allowed_ = true;
  bool knows_hello_ = true;
  uint32_t databases_ = 1;
  std::function<void(const std::string&)> wrong_;
  bool replicaof_allowed_ = true;
  uint64_t extra_us_ = 0;
  uint64_t loading_until_us_ = 0;
  std::string run_id_;
  uint64_t starts_ = 0;
  Keyspace keys_;
  Keyspace::Snapshot saved_;
  std::vector<ConnectionPtr> connections_;
  uint64_t next_client_id_ = 1;
  std::deque<std::function<void()>> stopped_;  // what waits for Resume or Heal, in order
  uint64_t busy_us_ = 0;                       // by the commands that it read just now

  // What goes by itself.
  RemovalHabits habits_;
  bool removes_ = false;
  bool in_exec_ = false;
  std::unique_ptr<Loop> dice_;  // only for chance
  std::map<std::string, std::string> config_;
  uint64_t expired_ = 0;
  uint64_t evicted_ = 0;
  uint64_t listened_us_ = 0;  // when somebody was told last, or when it began
  std::deque<Removal> removals_;

  // Replication.
  Node* master_ = nullptr;
  bool synced_ = false;
  std::string replid_;
  uint64_t replids_ = 0;
  uint64_t last_control_us_ = 0;
  uint64_t sync_number_ = 0;  // to tell an old stream from the present one
  uint64_t offset_ = 0;
  struct Replica {
    Node* node;
    uint64_t sync_number;
    uint64_t last_us;
  };
  std::vector<Replica> replicas_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_NODE_H_

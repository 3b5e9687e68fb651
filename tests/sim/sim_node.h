// A mini-Redis that can die, hang, be cut off, answer slowly and replicate.

#ifndef GEMEL_TESTS_SIM_SIM_NODE_H_
#define GEMEL_TESTS_SIM_SIM_NODE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim_condition.h"
#include "tests/sim/sim_key_commands.h"
#include "tests/sim/sim_node_removals.h"
#include "tests/sim/sim_replication.h"
#include "tests/sim/sim_wire.h"

namespace gemel::sim {

// What kind of Redis a node is, as its operator has set it up.
struct NodeKind {
  bool knows_debug = true;
  bool knows_hello = true;
  bool knows_replicaof = true;
  // Every write is on its disk before it is answered.
  bool keeps_writes = false;
  // In CLIENT LIST; else who asks sees itself alone.
  bool shows_clients = true;
  uint32_t databases = 1;
  // Where a key is, and who is told of commands that look for it elsewhere.
  std::function<uint8_t(std::string_view key)> database_of;
  std::function<void(const std::string&)> wrong;
};

class Node {
 public:
  Node(Loop* loop, std::string address);

  void SetUp(NodeKind kind);
  // Who is reachable by which address, for REPLICAOF.
  void set_find(std::function<Node*(const std::string&)> find) { find_ = std::move(find); }
  const std::string& address() const { return address_; }

  // What others have to do with: its connections, what is wrong with it, what it removes by itself.
  Wire& wire() { return wire_; }
  const Condition& condition() const { return condition_; }
  NodeRemovals& removals() { return removals_; }
  const std::string& run_id() const { return run_id_; }
  uint64_t starts() const { return starts_; }
  std::map<std::string, std::string>& data() { return keys_.values(); }
  bool Expires(const std::string& key) const { return keys_.Expires(key); }

  // --- faults ---
  void Kill(bool silently);  // the memory is lost; silently: nobody is told (the power went)
  // Another process: a new run_id, with what was saved last, or empty.
  void Start();
  void Save();    // from now on there is something to come back with
  void Forget();  // and now there is not
  void Hang() { condition_.Hang(); }
  void Resume();
  void CutOff() { condition_.set_cut_off(true); }  // and nothing is lost
  void Heal();
  void ResetAll() { wire_.ResetAll(); }  // all connections end; the process lives
  void Refuse(bool refuse) { condition_.set_refusing(refuse); }
  // It answers writes with that error and applies none of them; "" ends it. OOM spares what frees
  // memory, BUSY refuses everything.
  void RefuseWrites(std::string error) { condition_.set_refusal(std::move(error)); }
  void Slow(uint64_t extra_us) { condition_.set_extra_us(extra_us); }

  // An operator's REPLICAOF NO ONE.
  void Detach() { replication_.Follow(nullptr); }
  // See Wire::Control.
  void Control(const std::vector<std::string>& args, std::function<void(const std::string&)> done);

 private:
  void Process(const ConnectionPtr& connection);
  std::string Answer(const ConnectionPtr& connection, const std::vector<std::string>& args);
  std::string Execute(const std::vector<std::string>& args, uint8_t database = 0);
  std::string ExecuteOnKeys(const std::vector<std::string>& args, uint8_t database);
  // A command about a key must come to the database that the key is in.
  void CheckDatabase(const std::vector<std::string>& args, uint8_t database);
  // `connection`: that it comes on; null: one that nobody else sees.
  std::string ClientCommand(const ConnectionPtr& connection, const std::vector<std::string>& args);
  std::string InMulti(const ConnectionPtr& connection, const std::vector<std::string>& args);
  std::string AsSubscriber(const ConnectionPtr& connection, const std::vector<std::string>& args);
  std::string ReplicaOf(const std::vector<std::string>& args);
  std::string Info() const;
  void MayEvict(bool write);
  // A command that takes so long: nobody is heard or answered before its end. Another one that is
  // read meanwhile comes after it.
  void BeBusy(uint64_t for_us);

  Loop* loop_;
  const std::string address_;
  NodeKind kind_;
  std::function<Node*(const std::string&)> find_;
  std::string run_id_;
  uint64_t starts_ = 0;
  Keyspace::Snapshot saved_;
  bool in_exec_ = false;
  bool lenient_ = false;          // a read may come to another database than its key's
  std::set<uint8_t> refused_in_;  // databases in which some connection was refused another
  uint64_t busy_us_ = 0;          // by the commands that it read just now
  Condition condition_;
  Keyspace keys_;
  KeyCommands commands_;
  Wire wire_;
  Replication replication_;
  NodeRemovals removals_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_NODE_H_

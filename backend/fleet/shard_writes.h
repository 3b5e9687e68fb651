// Changes of the shards' records: one after the other for a shard, several in one write, each
// followed until it is known what became of it.

#ifndef GEMEL_BACKEND_FLEET_SHARD_WRITES_H_
#define GEMEL_BACKEND_FLEET_SHARD_WRITES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/fleet/fleet_view.h"
#include "backend/fleet/registers.h"
#include "backend/life/alive.h"

namespace gemel {

// Logic only, one thread.
class ShardWrites {
 public:
  // Changes the record, or returns false and says why not in *error. It may be asked several times,
  // if the record has changed meanwhile.
  using Change = std::function<bool(ShardRecord* record, std::string* error)>;
  // `error`: empty if the change is in the register.
  using Done = std::function<void(const std::string& error)>;

  // All of it outlives this. `stamp` gives a text that no write had before.
  ShardWrites(Registers* registers, FleetView* view, std::function<std::string()> stamp,
              std::function<uint64_t()> clock);

  // `done` comes later, never inside this call, when the view has what came of it.
  void Add(const std::string& shard, Change change, Done done);
  // Answers in the next Tick, without any change.
  void Later(Done done, std::string error) {
    ++waiting_;
    ended_.emplace_back(std::move(done), std::move(error));
  }
  // Time passes: what could not be written is tried again.
  void Tick(uint64_t now_ms);
  // All that waits is answered with `error`, in the next Tick; what is under way may come to be.
  void DropAll(const std::string& error);
  // Nothing waits and nothing is under way.
  bool idle() const { return waiting_ == 0; }
  size_t waiting() const { return waiting_; }
  // A change of that shard waits or is under way.
  bool Busy(const std::string& shard) const { return queues_.contains(shard); }

 private:
  struct Waiting {
    Change change;
    Done done;
    std::string error;
  };
  struct Queue {
    std::vector<Waiting> waiting;
    std::vector<Waiting> batch;  // of the write under way
    ShardRecord written;
    std::string text;
    uint64_t expected = 0;
    bool asking = false;
    uint64_t retry_ms = 0;  // 0: nothing is to be tried again
  };

  void Begin(const std::string& shard);
  void Write(const std::string& shard);
  void OnWritten(const std::string& shard, RegisterOutcome outcome, uint64_t version);
  // It is not known who has written last, or what.
  void Look(const std::string& shard);
  void OnLooked(const std::string& shard, RegisterOutcome outcome, const RegisterValue& value);
  void RetryLater(Queue* queue) const;
  void End(const std::string& shard);

  Registers* registers_;
  FleetView* view_;
  const std::function<std::string()> stamp_;
  const std::function<uint64_t()> clock_;
  std::map<std::string, Queue> queues_;              // of shards with changes
  std::vector<std::pair<Done, std::string>> ended_;  // to be told in the next Tick
  size_t waiting_ = 0;
  uint64_t generation_ = 1;  // answers to what was dropped are not heard
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_SHARD_WRITES_H_

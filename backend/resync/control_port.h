// Commands to the nodes of a shard beside the data path: for a resync.
//
// Logic sees only this interface; hiredis_control.h carries it out.

#ifndef GEMEL_BACKEND_RESYNC_CONTROL_PORT_H_
#define GEMEL_BACKEND_RESYNC_CONTROL_PORT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gemel {

struct ControlReply {
  bool ok = false;       // false: no connection, no answer in time, or an error reply
  bool refused = false;  // then: the node answered, with an error
  std::string error;     // and why, as a phrase ("LOADING ...", "no answer within 2000 ms")
  std::string text;  // the reply; an array's elements, nested ones too, one a line; nil is empty
  std::string frame = {};  // of an array: the reply as RESP2 has it
};

using ControlDone = std::function<void(const ControlReply&)>;

class ControlPort {
 public:
  virtual ~ControlPort() = default;
  // Sends a command to a node (`copy`: as in ShardInfo::copies). `done` runs once, later, never
  // inside this call, on the caller's thread, and always within a few seconds; not at all if the
  // port is destroyed first. Commands to one node go out in order. A command that failed may have
  // been carried out all the same. Two commands in a row may reach different processes if the node
  // restarts in between.
  virtual void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) = 0;
  // The host that the node is connected to at, in numbers; empty: not known, or a Unix socket.
  virtual std::string NumberOf(uint32_t copy) const {
    (void)copy;
    return {};
  }
};

// Whether a node says that it will never carry the command out.
bool RefusedForGood(const ControlReply& reply);
// Whether the node refuses the command for the moment alone.
bool PassesByItself(const ControlReply& reply);

// Makes a node a master of its own (REPLICAOF NO ONE), if it is not one. `done` runs later, as a
// command's does: with why that failed, or with nothing. `port` must live until then.
void MakeMaster(ControlPort* port, uint32_t copy, std::function<void(const std::string&)> done);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_CONTROL_PORT_H_

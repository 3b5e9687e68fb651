// The ControlPort of a shard, over hiredis.

#ifndef GEMEL_BACKEND_UV_HIREDIS_CONTROL_H_
#define GEMEL_BACKEND_UV_HIREDIS_CONTROL_H_

#include <uv.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "backend/resync/control_port.h"
#include "backend/uv/hiredis_connection.h"

namespace gemel {

// One connection a node, made by the first command. One loop, one thread; see HiredisConnection for
// what the loop owes it at the end.
class HiredisControl : public ControlPort {
 public:
  // `nodes` by copy. A command waits `timeout_ms` for its reply, the time to connect included.
  explicit HiredisControl(uv_loop_t* loop, std::vector<HiredisNode> nodes = {},
                          uint32_t timeout_ms = 2000);
  ~HiredisControl() override;

  // How a copy's node is reached: a connection to another address is dropped, and with it what was
  // asked there; another password is used when a connection is next made.
  void SetNode(uint32_t copy, HiredisNode node);
  // There is no such copy any more. What was asked of its node may not be answered; the commands
  // `last` are still sent to it, in their order.
  void Remove(uint32_t copy, const std::vector<std::vector<std::string>>& last = {});

  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override;
  std::string NumberOf(uint32_t copy) const override;

 private:
  HiredisConnection* ConnectionFor(uint32_t copy, const std::vector<std::string>& args);

  uv_loop_t* loop_;
  const uint32_t timeout_ms_;
  std::vector<std::unique_ptr<HiredisConnection>> connections_;
  // In a fleet, by copy: for what ends a script. A node that runs one says nothing about its
  // clients, so that nothing could be ended over the others; and it changes nothing there.
  std::vector<std::unique_ptr<HiredisConnection>> for_kills_;
  std::list<std::unique_ptr<HiredisConnection>> leaving_;  // until the last commands have ended
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_HIREDIS_CONTROL_H_

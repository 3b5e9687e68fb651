#include "backend/resync/control_port.h"

#include <string_view>
#include <utility>

#include "backend/link/node_identity.h"

namespace gemel {

bool RefusedForGood(const ControlReply& reply) {
  if (reply.ok || !reply.refused) return false;
  const std::string_view error = reply.error;
  return error.starts_with("NOPERM") || error.starts_with("ERR unknown command") ||
         error.starts_with("ERR REPLICAOF not allowed");
}

bool PassesByItself(const ControlReply& reply) {
  for (const char* kind : {"LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "OOM", "ERR max number"}) {
    if (reply.error.starts_with(kind)) return true;
  }
  return false;
}

void MakeMaster(ControlPort* port, uint32_t copy, std::function<void(const std::string&)> done) {
  port->Command(copy, {"REPLICAOF", "NO", "ONE"},
                [port, copy, done = std::move(done)](const ControlReply& reply) {
                  if (!RefusedForGood(reply)) {
                    done(reply.ok ? "" : reply.error);
                    return;
                  }
                  port->Command(copy, {"INFO"}, [done, error = reply.error](const auto& info) {
                    done(info.ok && InfoField(info.text, "role") == "master" ? "" : error);
                  });
                });
}

}  // namespace gemel

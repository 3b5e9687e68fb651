// MONITOR.

#include "proxy/local/local_commands.h"
#include "proxy/seen/monitor_feed.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

void Monitor(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  SessionState& state = session.state();
  if (session.replies().stops().awaits_order()) {  // within EXEC
    session.ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client");
    return;
  }
  if (state.monitoring.on()) return;  // as Redis, which says nothing then
  state.monitoring.Begin(session.context().monitor, &session.replies());
  session.ReplyNow("+OK\r\n");
}

}  // namespace

LocalHandler MonitorHandler(LocalCommand command) {
  return command == LocalCommand::kMonitor ? Monitor : nullptr;
}

}  // namespace gemel

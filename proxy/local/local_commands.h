// The commands that the proxy answers itself. The command table's row says which handler runs.

#ifndef GEMEL_PROXY_LOCAL_LOCAL_COMMANDS_H_
#define GEMEL_PROXY_LOCAL_LOCAL_COMMANDS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/resync/resync_board.h"
#include "backend/shard/node_abilities.h"
#include "config/config.h"
#include "proxy/dispatch/stats.h"
#include "proxy/reload/reload_order.h"
#include "proxy/session/deadlines.h"
#include "proxy/session/session.h"

namespace gemel {

// The Redis whose commands are spoken: what clients that ask for a version are told.
inline constexpr std::string_view kRedisVersion = "7.0.15";

class ChannelCounts;
class ClientFilter;
class ClientsSeen;
class EventLog;
class FleetDesk;
class FunctionStore;
class KeptOptions;
class LatencyEvents;
class NodeBaseline;
struct ListClientsOrder;
struct PauseClientsOrder;
class ReloadStatus;
class ScriptCache;
class SlowLog;
class TraceDesk;
class TrackingTotals;
class WatcherCounts;
class WorkerSeen;

// Processor time, in seconds.
struct CpuTimes {
  double system = 0;
  double user = 0;
  double children_system = 0;
  double children_user = 0;
  double main_system = 0;  // of the thread that asks
  double main_user = 0;
};

// What the process can be asked at any time, by any thread.
struct ProcessClocks {
  std::function<int64_t()> unix_time_us;     // wall clock
  std::function<uint64_t()> clock_us;        // that only grows
  std::function<uint64_t()> uptime_s;        // since the start, pauses of the process included
  std::function<uint64_t()> resident_bytes;  // of the process
  std::function<CpuTimes()> cpu_times;       // may be empty
  // Of the log; may be empty.
  std::function<uint64_t()> lost_log_lines;
  std::function<std::string()> log_error;
};

// What the handlers need to know of the process. Shared read-only by all workers.
struct ProcessInfo : ProcessClocks {
  std::string version;
  std::string executable;
  std::string os;
  uint64_t pid = 0;
  std::string run_id;                        // 40 hex digits, new at each start
  std::vector<const WorkerStats*> stats;     // one a worker
  EventLog* events = nullptr;                // of all workers
  AccessGuard* access = nullptr;             // of all workers; may be null
  const ReloadStatus* reloads = nullptr;     // may be null
  const ResyncBoard* resyncs = nullptr;      // may be null
  const NodeAbilities* abilities = nullptr;  // may be null
  ScriptCache* scripts = nullptr;            // of all workers
  FunctionStore* functions = nullptr;        // of all workers
  ChannelCounts* channels = nullptr;         // of all workers
  KeptOptions* options = nullptr;            // of all workers; may be null
  TrackingTotals* tracking = nullptr;        // of all workers; may be null
  std::vector<const ClientsSeen*> seen;      // one a worker
  SlowLog* slow_log = nullptr;               // of all workers
  LatencyEvents* latency = nullptr;          // of all workers
  TraceDesk* traces = nullptr;               // of all workers; may be null
  WatcherCounts* watchers = nullptr;         // of all workers
  NodeBaseline* baseline = nullptr;          // of the nodes' counters, since CONFIG RESETSTAT
  FleetDesk* fleet = nullptr;                // null: the process is alone
};

// A worker's sessions, for CLIENT LIST and CLIENT KILL.
class SessionDirectory {
 public:
  virtual ~SessionDirectory() = default;
  virtual void ForEachSession(const std::function<void(Session&)>& visit) = 0;
  // Ends a session's connection without waiting for its replies.
  virtual void KillSession(Session& session) = 0;
  // What they share.
  virtual SessionContext& session_context() = 0;
  // What they saw.
  virtual WorkerSeen& seen() = 0;
};

using LocalArgs = std::span<const std::string_view>;

class LocalCommands : public LocalRunner {
 public:
  // Both outlive it.
  LocalCommands(const ProcessInfo* process, SessionDirectory* directory);

  // Answers a command whose row says kLocal, in its turn (maybe later, if others must be asked).
  void Run(Session& session, const CommandRow& row, LocalArgs args) override;

  std::string Describe(Session& session) override;

  // Carries out a kWorker request, whose cargo is a WorkerOrder, and answers it: at once, or later
  // if it is an order to the process.
  void RunWorkerOrder(Request* request);
  // Who takes orders to the process, on worker 0's thread; `done` runs once.
  using OnProcessOrder = std::function<void(ReloadOrder order, ReloadDone done)>;
  void set_on_process_order(OnProcessOrder on_order) { on_process_order_ = std::move(on_order); }

  const ProcessInfo& process() const { return *process_; }
  SessionDirectory& directory() const { return *directory_; }
  // Of the one trace that a client of this worker waits for: it is kept until the next.
  void KeepTrace(std::unique_ptr<Deadline> wait) { trace_wait_ = std::move(wait); }

 private:
  const ProcessInfo* process_;
  SessionDirectory* directory_;
  OnProcessOrder on_process_order_;
  std::unique_ptr<Deadline> trace_wait_;
};

// One handler a command; `row` is what was asked.
using LocalHandler = void (*)(LocalCommands&, Session&, const CommandRow&, LocalArgs);

// By group, in the files of the same names. Null for commands of other groups.
LocalHandler AclHandler(LocalCommand command);
LocalHandler AclChangeHandler(LocalCommand command);
LocalHandler ConnectionHandler(LocalCommand command);
LocalHandler ClientHandler(LocalCommand command);
LocalHandler ServerHandler(LocalCommand command);
LocalHandler ProxyHandler(LocalCommand command);
LocalHandler KeyHandler(LocalCommand command);
LocalHandler ControlHandler(LocalCommand command);
LocalHandler FleetHandler(LocalCommand command);
LocalHandler AuditHandler(LocalCommand command);
LocalHandler ReloadHandler(LocalCommand command);
LocalHandler ConfigHandler(LocalCommand command);
LocalHandler SaveHandler(LocalCommand command);
LocalHandler DebugHandler(LocalCommand command);
LocalHandler TransactionHandler(LocalCommand command);
LocalHandler ScriptHandler(LocalCommand command);
LocalHandler FunctionHandler(LocalCommand command);
LocalHandler WaitHandler(LocalCommand command);
LocalHandler ClusterHandler(LocalCommand command);
LocalHandler ChannelHandler(LocalCommand command);
LocalHandler TrackingHandler(LocalCommand command);
LocalHandler InfoHandler(LocalCommand command);
LocalHandler SlowlogHandler(LocalCommand command);
LocalHandler LatencyHandler(LocalCommand command);
LocalHandler MonitorHandler(LocalCommand command);
LocalHandler TraceHandler(LocalCommand command);

// Why SELECT of that index is refused ("ERR ..."); or empty, and that is *database.
std::string WhyNotSelect(LocalCommands& local, Session& session, std::string_view index,
                         int64_t* database);

// SCRIPT FLUSH and FUNCTION FLUSH: the argument behind these, if any, is SYNC or ASYNC. Either way
// it is done at once.
bool SaysHowToFlush(LocalArgs args);

// What HELLO and INFO say that it is.
inline std::string_view ModeName(const PoolConfig& config) {
  return config.cluster ? "cluster" : "standalone";
}

// Fit for CLIENT SETNAME; else the client has been answered.
bool CheckClientName(Session& session, std::string_view name);

// CLIENT LIST (its lines) and CLIENT KILL (how many) on this worker's own sessions.
std::string ListClients(LocalCommands& local, const ListClientsOrder& order);
uint64_t KillClients(LocalCommands& local, const ClientFilter& filter, uint64_t own_id);
// CLIENT UNBLOCK. False: it is none of this worker's, or does not wait.
bool UnblockClient(LocalCommands& local, uint64_t id, bool error);
// CLIENT TRACKING REDIRECT to that client. False: it is none of this worker's.
bool BecomeRedirect(LocalCommands& local, uint64_t id);
// CLIENT PAUSE, or UNPAUSE.
void PauseClients(LocalCommands& local, const PauseClientsOrder& order);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_LOCAL_COMMANDS_H_

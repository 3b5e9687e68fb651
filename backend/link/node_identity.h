// Who a node is, and whether the data that it holds is still what it held when it was last seen.
//
// An id is what INFO says of the process and of the lineage of its data:
//
//   "<run_id>"                    nothing is told about replication
//   "<run_id>+0"                  a master that was nobody's replica, as far as it remembers
//   "<run_id>+<replid2>@<offset>" a master that was a replica until that offset
//   "<run_id>+replica"            a replica: its data is another server's
//
// See README.md for what changes an id and what does not.

#ifndef GEMEL_BACKEND_LINK_NODE_IDENTITY_H_
#define GEMEL_BACKEND_LINK_NODE_IDENTITY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "backend/link/node_limits.h"

namespace gemel {

// The id of a node that does not tell its run_id (by ACL, or because it is no Redis). It cannot be
// told from its successor.
inline constexpr std::string_view kHiddenRunId = "unknown";

// What a node says of itself when a connection is made.
struct NodeIdentity {
  std::string run_id;  // an id as above
  bool is_replica = false;
  uint64_t keys = 0;  // of the link's database, or of all
  // The last connection to this process could not be ended for sure: what was sent on it may still
  // be applied, at any time.
  bool unsettled = false;
  // Every write is on its disk before it is answered (appendonly yes, appendfsync always): what it
  // comes back with is all of it.
  bool keeps_writes = false;
  uint64_t evicted = 0;  // keys, since the process began; before any request of the connection
  // It may select any of LinkOptions::databases.
  bool has_databases = false;
  // It takes transactions (MULTI and EXEC).
  bool takes_blocks = false;
  // This connection speaks RESP3, else RESP2.
  bool speaks_resp3 = false;
  NodeLimits limits;
  std::string version;   // "Redis 7.0.15", "Valkey 8.0.1"; empty: it does not tell
  int dump_version = 0;  // of what DUMP and replication give; 0: not known of that version
};

// The value of "name:" in the text of an INFO reply; empty if there is none.
std::string_view InfoField(std::string_view info, std::string_view name);

// What INFO's section keyspace says of a database.
struct KeyspaceCount {
  uint64_t keys = 0;
  uint64_t expires = 0;
  uint64_t avg_ttl = 0;  // milliseconds
};
// Calls visit(index, count) for each database that is named there.
void ForEachDatabase(std::string_view info,
                     const std::function<void(uint32_t index, const KeyspaceCount&)>& visit);

// What INFO says of the program: "Redis 7.0.15"; empty if nothing.
std::string VersionFrom(std::string_view info);
// The version of the format (RDB) in which that program writes snapshots and DUMPs; 0 if that is
// not known. No program reads a later one than its own.
int DumpVersionFrom(std::string_view info);
// The copy cannot read what the source writes: neither its replication nor its DUMPs. False also
// where it is not known.
bool CannotRead(const NodeIdentity& copy, const NodeIdentity& source);

// The id that INFO's text gives (its sections server and replication).
std::string IdFromInfo(std::string_view info);
// The same, of a process that is known, from INFO's section replication alone.
std::string IdOfProcess(std::string_view run_id, std::string_view replication);

// An error after which the node closes the connection and has carried out nothing of what follows.
bool IsProtocolError(std::string_view reply);

// The run_id in an id.
std::string_view ProcessOf(std::string_view id);

// Whether the process of this id was nobody's replica, as far as it tells.
bool WasNeverReplica(std::string_view id);

// Whether a node that is `seen` holds the data of the one that was `known`: the same process, and
// it was made nobody's replica since. False if that cannot be told from the process's run_id.
bool HoldsSameData(std::string_view known, std::string_view seen);

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_NODE_IDENTITY_H_

// What INFO says of a node's replication, and of how far a copy of a whole server is.

#ifndef GEMEL_BACKEND_RESYNC_REPLICATION_INFO_H_
#define GEMEL_BACKEND_RESYNC_REPLICATION_INFO_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

// Numbers that INFO did not tell are -1.
struct ReplicationInfo {
  bool is_replica = false;
  bool link_up = false;
  bool syncing = false;
  bool read_only = true;  // as a replica
  bool loading = false;
  std::string host;  // of its master
  std::string port;
  std::string replid;
  std::string replid2;  // whose stream it followed before, empty if it does not say
  int64_t master_offset = -1;
  int64_t copy_offset = -1;
  // While a replica takes a snapshot over, and while it loads it. The size of one that is sent as
  // it is made is not known.
  int64_t sync_read = -1;
  int64_t sync_total = -1;
  int64_t loaded = -1;
  int64_t load_total = -1;
  // While a snapshot is made.
  int64_t saved_keys = -1;
  int64_t save_total_keys = -1;
  int64_t replication_input = -1;  // bytes that ever came from a master
  // Of a master: copies that were ever begun, and whether some replica is being given one or waits
  // for it.
  int64_t full_syncs = -1;
  bool gives_copy = false;
};

// A number as Redis writes one; -1 if `text` is none.
int64_t InfoNumber(std::string_view text);

// `info`: the reply to INFO, or to INFO replication.
ReplicationInfo ParseReplicationInfo(std::string_view info);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_REPLICATION_INFO_H_

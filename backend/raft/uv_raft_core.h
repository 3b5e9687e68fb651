// libraft for C++, whose compilers do not take its header: what gemel uses of it, in plain types.
// uv_raft_core.c is the one C file.
//
// One thread, that of the loop. What is called back is called from the loop, or from inside
// RaftCoreStart (Apply and Restore: what is on the disk).

#ifndef GEMEL_BACKEND_RAFT_UV_RAFT_CORE_H_
#define GEMEL_BACKEND_RAFT_UV_RAFT_CORE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RaftCore RaftCore;
// A connection that libraft waits for.
typedef struct raft_uv_connect RaftConnect;

// What became of a command or a barrier.
enum RaftCoreOutcome {
  kRaftCoreDone = 0,
  kRaftCoreUnknown,  // the leadership was lost: it may be done still
  kRaftCoreNot,      // it was not done, and will not be
};

// How the servers are changed, one at a time.
enum RaftCoreChangeKind {
  kRaftCoreAdd,      // it gets no log yet, and has no vote
  kRaftCorePromote,  // it votes once it has caught up with the log
  kRaftCoreRemove,
};

struct RaftCoreCalls {
  void* owner;
  // The next command of the log; what it returns is given to `applied` at the leader.
  uint64_t (*apply)(void* owner, const void* bytes, size_t size);
  // malloc's memory, which libraft frees; null: there is none.
  void* (*snapshot)(void* owner, size_t* size);
  bool (*restore)(void* owner, const void* bytes, size_t size);
  // Of RaftCoreApply, or RaftCoreBarrier (result 0).
  void (*answered)(void* owner, uint64_t ticket, enum RaftCoreOutcome outcome, uint64_t result);
  // Of RaftCoreChange; `why` is set if it was not done.
  void (*changed)(void* owner, enum RaftCoreOutcome outcome, const char* why);
  // To be answered with RaftCoreConnected, later.
  void (*connect)(void* owner, RaftConnect* request, const char* address);
  // No more connections: those under way are to be answered with null, then RaftCoreCutOff called,
  // all later.
  void (*cut_off)(void* owner);
  void (*closed)(void* owner);
};

// How fast it is, and when it takes snapshots.
struct RaftCoreLimits {
  unsigned election_ms;
  unsigned heartbeat_ms;
  unsigned snapshot_after;  // entries
  unsigned keep_entries;    // behind a snapshot
  size_t segment_bytes;
  unsigned seed;
};

// Null, and a text of at most `size` bytes: it cannot be. Owner, and `calls` itself, outlive it.
RaftCore* RaftCoreNew(uv_loop_t* loop, const char* folder, const char* address,
                      const struct RaftCoreCalls* calls, const struct RaftCoreLimits* limits,
                      char* error, size_t size);
// Reads the disk, on the first start after writing who the voters are, and begins. `count` 0: that
// is for others to say, once it is added. False: as above, and it is to be closed.
bool RaftCoreStart(RaftCore* core, const char* const* voters, size_t count, char* error,
                   size_t size);
// Ends with `closed`, later; in it RaftCoreFree.
void RaftCoreClose(RaftCore* core);
void RaftCoreFree(RaftCore* core);

// A connection by another voter. libraft closes and frees it (malloc's memory).
void RaftCoreAccepted(RaftCore* core, const char* address, uv_stream_t* stream);
// `stream` null: it could not be made.
void RaftCoreConnected(RaftConnect* request, uv_stream_t* stream, bool cancelled);
void RaftCoreCutOff(RaftCore* core);

// Answered later by `answered`. False: nothing is done, it does not lead or has failed.
bool RaftCoreApply(RaftCore* core, uint64_t ticket, const void* bytes, size_t size);
bool RaftCoreBarrier(RaftCore* core, uint64_t ticket);

bool RaftCoreLeads(RaftCore* core);
// It stopped by itself, for its disk failed: RaftCoreError says how.
bool RaftCoreFailed(RaftCore* core);
const char* RaftCoreError(RaftCore* core);
// What its disk said last, maybe long ago.
const char* RaftCoreDiskError(RaftCore* core);
// Answered later by `changed`. False: nothing is done, and *error has a text of at most `size`
// bytes.
bool RaftCoreChange(RaftCore* core, enum RaftCoreChangeKind kind, const char* address, char* error,
                    size_t size);
// The servers that there are, as this one knows: by what is agreed, or with what may be agreed
// next.
size_t RaftCoreServers(RaftCore* core, bool agreed);
const char* RaftCoreServer(RaftCore* core, bool agreed, size_t i, bool* votes);
// Where in the log it is that they were agreed.
uint64_t RaftCoreServersIndex(RaftCore* core);
uint64_t RaftCoreLastIndex(RaftCore* core);
// Of a leader: that server has the log up to there.
bool RaftCoreHas(RaftCore* core, const char* address, uint64_t index);

// Entries of its log that are not on its disk yet, and the last that is.
bool RaftCoreHasUnstored(RaftCore* core);
uint64_t RaftCoreStored(RaftCore* core);
// Another voter is to lead, if it leads and any can.
void RaftCoreHandOver(RaftCore* core);
// "": it is not known.
const char* RaftCoreLeader(RaftCore* core);
uint64_t RaftCoreLastApplied(RaftCore* core);
// The last entry of the log that it knows to be agreed.
uint64_t RaftCoreCommitted(RaftCore* core);
uint64_t RaftCoreTerm(RaftCore* core);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_CORE_H_

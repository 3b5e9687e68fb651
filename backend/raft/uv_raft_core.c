#include "backend/raft/uv_raft_core.h"

#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  kConnectRetryMs = 100,
  kDiskRetryMs = 250,
  kCapacity = 64,
};

struct RaftCore {
  struct raft raft;
  struct raft_io io;
  struct raft_uv_transport transport;
  struct raft_fsm fsm;
  const struct RaftCoreCalls* calls;
  raft_uv_accept_cb accept;
  raft_uv_transport_close_cb transport_closed;
  struct raft_transfer transfer;
  bool handing_over;
  struct raft_change change;
};

// A command or a barrier under way.
struct Request {
  union {
    struct raft_apply apply;
    struct raft_barrier barrier;
  };
  RaftCore* core;
  uint64_t ticket;
};

// The same at every voter, whatever the order in their files.
static raft_id IdOf(const char* address) {
  const raft_id id = raft_digest(address, 0);
  return id == 0 ? 1 : id;
}

static void Say(char* error, size_t size, const char* what) { snprintf(error, size, "%s", what); }

static int FsmApply(struct raft_fsm* fsm, const struct raft_buffer* buf, void** result) {
  RaftCore* core = fsm->data;
  *result = (void*)(uintptr_t)core->calls->apply(core->calls->owner, buf->base, buf->len);
  return 0;
}

static int FsmSnapshot(struct raft_fsm* fsm, struct raft_buffer* bufs[], unsigned* n_bufs) {
  RaftCore* core = fsm->data;
  size_t size = 0;
  struct raft_buffer* one = raft_malloc(sizeof(*one));
  if (one == NULL) return RAFT_NOMEM;
  one->base = core->calls->snapshot(core->calls->owner, &size);
  one->len = size;
  if (one->base == NULL) {
    raft_free(one);
    return RAFT_NOMEM;
  }
  *bufs = one;
  *n_bufs = 1;
  return 0;
}

static int FsmRestore(struct raft_fsm* fsm, struct raft_buffer* buf) {
  RaftCore* core = fsm->data;
  if (!core->calls->restore(core->calls->owner, buf->base, buf->len)) return RAFT_MALFORMED;
  raft_free(buf->base);
  return 0;
}

static int TransportInit(struct raft_uv_transport* transport, raft_id id, const char* address) {
  (void)transport;
  (void)id;
  (void)address;
  return 0;
}

static int TransportListen(struct raft_uv_transport* transport, raft_uv_accept_cb cb) {
  RaftCore* core = transport->impl;
  core->accept = cb;
  return 0;
}

static int TransportConnect(struct raft_uv_transport* transport, struct raft_uv_connect* req,
                            raft_id id, const char* address, raft_uv_connect_cb cb) {
  RaftCore* core = transport->impl;
  (void)id;
  req->cb = cb;
  core->calls->connect(core->calls->owner, req, address);
  return 0;
}

static void TransportClose(struct raft_uv_transport* transport, raft_uv_transport_close_cb cb) {
  RaftCore* core = transport->impl;
  core->accept = NULL;
  core->transport_closed = cb;
  core->calls->cut_off(core->calls->owner);
}

RaftCore* RaftCoreNew(uv_loop_t* loop, const char* folder, const char* address,
                      const struct RaftCoreCalls* calls, const struct RaftCoreLimits* limits,
                      char* error, size_t size) {
  RaftCore* core = calloc(1, sizeof(*core));
  if (core == NULL) {
    Say(error, size, "out of memory");
    return NULL;
  }
  core->calls = calls;
  core->transport.version = 1;
  core->transport.impl = core;
  core->transport.init = TransportInit;
  core->transport.listen = TransportListen;
  core->transport.connect = TransportConnect;
  core->transport.close = TransportClose;
  core->fsm.version = 2;
  core->fsm.data = core;
  core->fsm.apply = FsmApply;
  core->fsm.snapshot = FsmSnapshot;
  core->fsm.restore = FsmRestore;
  int status = raft_uv_init(&core->io, loop, folder, &core->transport);
  if (status != 0) {
    Say(error, size, core->io.errmsg[0] != '\0' ? core->io.errmsg : raft_strerror(status));
    free(core);
    return NULL;
  }
  raft_uv_set_connect_retry_delay(&core->io, kConnectRetryMs);
  raft_uv_set_disk_retry(&core->io, kDiskRetryMs);
  raft_uv_set_segment_size(&core->io, limits->segment_bytes);
  // It would put what is corrupt aside, and with it what this voter has promised to keep.
  raft_uv_set_auto_recovery(&core->io, false);
  status = raft_init(&core->raft, &core->io, &core->fsm, IdOf(address), address);
  if (status != 0) {
    Say(error, size, core->io.errmsg[0] != '\0' ? core->io.errmsg : raft_strerror(status));
    raft_uv_close(&core->io);
    free(core);
    return NULL;
  }
  raft_seed(&core->raft, limits->seed);
  raft_set_election_timeout(&core->raft, limits->election_ms);
  raft_set_heartbeat_timeout(&core->raft, limits->heartbeat_ms);
  raft_set_pre_vote(&core->raft, true);
  raft_set_capacity_threshold(&core->raft, kCapacity);
  raft_set_snapshot_threshold(&core->raft, limits->snapshot_after);
  raft_set_snapshot_trailing(&core->raft, limits->keep_entries);
  return core;
}

static int Bootstrap(RaftCore* core, const char* const* voters, size_t count) {
  struct raft_configuration configuration;
  raft_configuration_init(&configuration);
  int status = 0;
  for (size_t i = 0; i < count && status == 0; ++i) {
    status = raft_configuration_add(&configuration, IdOf(voters[i]), voters[i], RAFT_VOTER);
  }
  if (status == 0) status = raft_bootstrap(&core->raft, &configuration);
  raft_configuration_close(&configuration);
  return status == RAFT_CANTBOOTSTRAP ? 0 : status;
}

bool RaftCoreStart(RaftCore* core, const char* const* voters, size_t count, char* error,
                   size_t size) {
  int status = count == 0 ? 0 : Bootstrap(core, voters, count);
  if (status == 0) status = raft_start(&core->raft);
  if (status == 0) return true;
  const char* what = raft_errmsg(&core->raft);
  if (what[0] == '\0') what = core->io.errmsg;
  Say(error, size, what[0] != '\0' ? what : raft_strerror(status));
  return false;
}

static void OnClosed(struct raft* raft) {
  RaftCore* core = raft->data;
  core->calls->closed(core->calls->owner);
}

void RaftCoreClose(RaftCore* core) {
  core->raft.data = core;
  raft_close(&core->raft, OnClosed);
}

void RaftCoreFree(RaftCore* core) {
  raft_uv_close(&core->io);
  free(core);
}

void RaftCoreAccepted(RaftCore* core, const char* address, uv_stream_t* stream) {
  core->accept(&core->transport, IdOf(address), address, stream);
}

void RaftCoreConnected(RaftConnect* request, uv_stream_t* stream, bool cancelled) {
  request->cb(request, stream, stream != NULL ? 0 : cancelled ? RAFT_CANCELED : RAFT_NOCONNECTION);
}

void RaftCoreCutOff(RaftCore* core) { core->transport_closed(&core->transport); }

static enum RaftCoreOutcome OutcomeOf(int status) {
  if (status == 0) return kRaftCoreDone;
  return status == RAFT_NOTLEADER ? kRaftCoreNot : kRaftCoreUnknown;
}

static void Answer(struct Request* request, int status, uint64_t result) {
  RaftCore* core = request->core;
  const uint64_t ticket = request->ticket;
  free(request);
  core->calls->answered(core->calls->owner, ticket, OutcomeOf(status), result);
}

static void OnApplied(struct raft_apply* req, int status, void* result) {
  Answer(req->data, status, (uint64_t)(uintptr_t)result);
}

static void OnBarrier(struct raft_barrier* req, int status) { Answer(req->data, status, 0); }

static struct Request* NewRequest(RaftCore* core, uint64_t ticket) {
  struct Request* request = calloc(1, sizeof(*request));
  if (request == NULL) return NULL;
  request->core = core;
  request->ticket = ticket;
  return request;
}

bool RaftCoreApply(RaftCore* core, uint64_t ticket, const void* bytes, size_t size) {
  if (!RaftCoreLeads(core)) return false;
  struct Request* request = NewRequest(core, ticket);
  struct raft_buffer buffer = {raft_malloc(size), size};
  if (request == NULL || buffer.base == NULL) {
    free(request);
    raft_free(buffer.base);
    return false;
  }
  memcpy(buffer.base, bytes, size);
  request->apply.data = request;
  if (raft_apply(&core->raft, &request->apply, &buffer, 1, OnApplied) == 0) return true;
  // The buffer may be freed by now, or not: a lost one is the lesser evil.
  free(request);
  return false;
}

bool RaftCoreBarrier(RaftCore* core, uint64_t ticket) {
  if (!RaftCoreLeads(core)) return false;
  struct Request* request = NewRequest(core, ticket);
  if (request == NULL) return false;
  request->barrier.data = request;
  if (raft_barrier(&core->raft, &request->barrier, OnBarrier) == 0) return true;
  free(request);
  return false;
}

static void OnChanged(struct raft_change* req, int status) {
  RaftCore* core = req->data;
  core->calls->changed(core->calls->owner, OutcomeOf(status), raft_strerror(status));
}

bool RaftCoreChange(RaftCore* core, enum RaftCoreChangeKind kind, const char* address, char* error,
                    size_t size) {
  const raft_id id = IdOf(address);
  core->change.data = core;
  int status = 0;
  switch (kind) {
    case kRaftCoreAdd:
      status = raft_add(&core->raft, &core->change, id, address, OnChanged);
      break;
    case kRaftCorePromote:
      status = raft_assign(&core->raft, &core->change, id, RAFT_VOTER, OnChanged);
      break;
    case kRaftCoreRemove:
      status = raft_remove(&core->raft, &core->change, id, OnChanged);
      break;
  }
  if (status == 0) return true;
  Say(error, size, raft_strerror(status));
  return false;
}

static const struct raft_configuration* ServersOf(const RaftCore* core, bool agreed) {
  return agreed ? &core->raft.configuration_committed : &core->raft.configuration;
}

size_t RaftCoreServers(RaftCore* core, bool agreed) { return ServersOf(core, agreed)->n; }

const char* RaftCoreServer(RaftCore* core, bool agreed, size_t i, bool* votes) {
  const struct raft_server* server = &ServersOf(core, agreed)->servers[i];
  *votes = server->role == RAFT_VOTER;
  return server->address;
}

uint64_t RaftCoreServersIndex(RaftCore* core) { return core->raft.configuration_committed_index; }

uint64_t RaftCoreLastIndex(RaftCore* core) { return raft_last_index(&core->raft); }

bool RaftCoreHas(RaftCore* core, const char* address, uint64_t index) {
  const raft_id id = IdOf(address);
  raft_index match = 0;
  if (!RaftCoreLeads(core)) return false;
  if (id == core->raft.id) return true;
  return raft_match_index(&core->raft, id, &match) == 0 && match >= index;
}

bool RaftCoreLeads(RaftCore* core) {
  return raft_state(&core->raft) == RAFT_LEADER && raft_transferee(&core->raft) == 0;
}

bool RaftCoreFailed(RaftCore* core) { return raft_state(&core->raft) == RAFT_UNAVAILABLE; }

const char* RaftCoreError(RaftCore* core) {
  const char* what = raft_errmsg(&core->raft);
  return what[0] != '\0' ? what : core->io.errmsg;
}

const char* RaftCoreDiskError(RaftCore* core) { return core->io.errmsg; }

bool RaftCoreHasUnstored(RaftCore* core) {
  return core->raft.last_stored < raft_last_index(&core->raft);
}

uint64_t RaftCoreStored(RaftCore* core) { return core->raft.last_stored; }

static void OnHandedOver(struct raft_transfer* req) {
  RaftCore* core = req->data;
  core->handing_over = false;
}

void RaftCoreHandOver(RaftCore* core) {
  if (core->handing_over || !RaftCoreLeads(core)) return;
  core->transfer.data = core;
  core->handing_over = raft_transfer(&core->raft, &core->transfer, 0, OnHandedOver) == 0;
}

const char* RaftCoreLeader(RaftCore* core) {
  raft_id id = 0;
  const char* address = NULL;
  raft_leader(&core->raft, &id, &address);
  return address != NULL ? address : "";
}

uint64_t RaftCoreLastApplied(RaftCore* core) { return raft_last_applied(&core->raft); }

uint64_t RaftCoreCommitted(RaftCore* core) { return raft_commit_index(&core->raft); }

uint64_t RaftCoreTerm(RaftCore* core) { return raft_current_term(&core->raft); }

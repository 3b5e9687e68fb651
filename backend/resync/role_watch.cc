#include "backend/resync/role_watch.h"

namespace gemel {

namespace {

constexpr uint64_t kWatchIntervalMs = 1000;

}  // namespace

RoleWatch::RoleWatch(ResyncPort shard, ControlPort* port, ShardEnv* env)
    : shard_(shard), port_(port), env_(env), asked_(kMaxCopies) {}

void RoleWatch::Tick(uint64_t now_ms) {
  if (now_ms < next_ms_) return;
  next_ms_ = now_ms + kWatchIntervalMs;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    if ((shard_.in_sync() & Bit(i)) != 0 && shard_.link(i)->up() && !asked_[i]) Ask(i);
  }
}

void RoleWatch::Ask(uint32_t copy) {
  asked_[copy] = true;
  port_->Command(copy, {"INFO", "replication"},
                 alive_.Guard([this, copy, known = shard_.link(copy)->identity().run_id](
                                  const ControlReply& reply) { OnReply(copy, known, reply); }));
}

void RoleWatch::OnReply(uint32_t copy, const std::string& known, const ControlReply& reply) {
  asked_[copy] = false;
  Link* link = shard_.link(copy);
  if (!reply.ok || !link->up() || (shard_.in_sync() & Bit(copy)) == 0 ||
      link->identity().run_id != known || ProcessOf(known) == kHiddenRunId) {
    return;
  }
  const std::string seen = IdOfProcess(ProcessOf(known), reply.text);
  if (HoldsSameData(known, seen)) return;
  const std::string master(InfoField(reply.text, "master_host"));
  const std::string what = master.empty()
                               ? "somebody made it a replica of another server for a while"
                               : "somebody made it a replica of " + master + ":" +
                                     std::string(InfoField(reply.text, "master_port"));
  env_->Note(NoteLevel::kError,
             "shard '" + shard_.info().name + "': " + link->name() + ": " + what);
  link->Fail(what);
}

}  // namespace gemel

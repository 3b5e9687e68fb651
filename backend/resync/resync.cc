#include "backend/resync/resync.h"

namespace gemel {

Resync::Resync(ResyncPort shard, ControlPort* port, ShardEnv* env, ResyncConfig config,
               ResyncBoard* board)
    : core_(shard, port, env, config, board) {
  core_.prepare = &prepare_;
  core_.copying = &copying_;
  core_.handover = &handover_;
  core_.by_keys = &by_keys_;
  for (uint32_t i = 0; i < shard.copy_count(); ++i) core_.copies.from_start[i] = true;
}

Resync::~Resync() {
  // Also safe while the edit is under way: the shard sends no writes before it is in effect.
  if (core_.at.state >= ResyncState::kDraining) core_.shard.Resume();
  core_.delay.PutBack();
}

void Resync::ForgetCopy(uint32_t copy) {
  if (active() && (core_.at.copy == copy || core_.at.primary == copy)) core_.End();
  core_.copies.Forget(copy);
}

void Resync::LookAtCopies(uint64_t now_ms) {
  const ShardInfo& info = core_.shard.info();
  for (uint32_t i = 0; i < core_.shard.copy_count(); ++i) {
    if (core_.copies.connected[i].connection == core_.shard.ConnectionOf(i)) continue;
    core_.copies.connected[i] = {core_.shard.ConnectionOf(i), now_ms};
  }
  const Link* primary = core_.shard.link(info.primary);
  if (info.adopted && primary->up() && primary->identity().keys == 0) {
    core_.copies.seen_empty[info.primary] = true;
  }
  if (active()) return;
  for (uint32_t i = 0; i < core_.shard.copy_count(); ++i) {
    // Somebody else has made it equal.
    if (info.copies[i].state == CopyState::kInSync) core_.copies.notes[i].clear();
  }
}

void Resync::Tick(uint64_t now_ms) {
  LookAtCopies(now_ms);
  const ResyncState state = core_.at.state;
  if (state == ResyncState::kIdle) {
    const int copy = now_ms < core_.retry_at_ms ? -1 : PickCopy();
    if (copy >= 0) prepare_.Begin(static_cast<uint32_t>(copy));
    return;
  }
  if (state == ResyncState::kEditing) return;  // its end is the coordinator's
  if (state == ResyncState::kScanning) {
    by_keys_.Watch(now_ms);
    return;
  }
  if (const std::string why = core_.Obstacle(); !why.empty()) {
    core_.Fail(why);
    return;
  }
  if (state >= ResyncState::kDraining) {
    handover_.Tick(now_ms);
    return;
  }
  if (now_ms >= core_.at.began_ms + uint64_t{core_.config.timeout_s} * 1000) {
    // Without this REPLICAOF would find the copying under way and go on with it.
    core_.port->Command(core_.at.copy, {"REPLICAOF", "NO", "ONE"}, [](const ControlReply&) {});
    core_.Fail("it took longer than " + std::to_string(core_.config.timeout_s) + " s (timeout_s)");
    return;
  }
  if (state == ResyncState::kCopying) copying_.Tick(now_ms);
}

// The next stale copy after the one that was tried last, so that one that cannot be copied does not
// keep others waiting. -1: none.
int Resync::PickCopy() const {
  if (core_.shard.CopyToResync() < 0) return -1;
  const uint32_t count = core_.shard.copy_count();
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t copy = (core_.next_copy + i) % count;
    if (core_.shard.WantsResync(copy)) return static_cast<int>(copy);
  }
  return -1;
}

}  // namespace gemel

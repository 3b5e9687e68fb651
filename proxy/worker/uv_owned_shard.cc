#include "proxy/worker/uv_owned_shard.h"

#include <algorithm>
#include <utility>

#include "backend/shard/shard_control.h"
#include "proxy/worker/shard_setup.h"

namespace gemel {

namespace {

// The copies as the topology has them; options of nodes that the config has no more are made up
// from those that it has.
ShardOptions OptionsFor(const PoolConfig& pool, const ShardConfig& config, const ShardInfo& info,
                        const UvOwnedShard::World& world) {
  ShardOptions options = ShardOptionsOf(pool, config, world.others);
  std::vector<LinkOptions> nodes;
  for (const CopyInfo& copy : info.copies) {
    const auto known =
        std::find_if(options.nodes.begin(), options.nodes.end(),
                     [&](const LinkOptions& node) { return node.name == copy.node; });
    nodes.push_back(known != options.nodes.end() ? *known : options.nodes[0]);
    nodes.back().name = copy.node;
    nodes.back().after_crash = world.after_crash;
    nodes.back().newcomer = world.newcomer;
  }
  options.nodes = std::move(nodes);
  return options;
}

}  // namespace

UvOwnedShard::UvOwnedShard(const World& world, const CommandTable* table, uint32_t slot,
                           const PoolConfig& pool, const ShardConfig& config, const ShardInfo& info,
                           std::shared_ptr<const RingHistory> rings)
    : world_(world), slot_(slot), health_(pool.health), config_(config) {
  shard_ = std::make_unique<Shard>(OptionsFor(pool, config, info, world), info, table, world.chunks,
                                   world.env);
  control_ = std::make_unique<HiredisControl>(world.loop);
  for (uint32_t i = 0; i < info.copies.size(); ++i) MakeCopy(i, info.copies[i].node);
  resync_ =
      std::make_unique<Resync>(shard_.get(), control_.get(), world.env, pool.resync, world.resyncs);
  shard_->control().set_detach(
      [control = control_.get()](uint32_t copy, std::function<void(const std::string&)> done) {
        MakeMaster(control, copy, std::move(done));
      });
  audit_ = std::make_unique<Audit>(shard_.get(), world.env, pool.audit);
  watch_ = std::make_unique<RoleWatch>(shard_.get(), control_.get(), world.env);
  check_ = std::make_unique<NodeCheck>(shard_.get(), control_.get(), world.env);
  membership_ = std::make_unique<Membership>(shard_.get(), world.env, this);
  membership_->SetNodes(ShardOptionsOf(pool, config, world.others).nodes, /*force=*/false);
  ForgetOptions forget;
  forget.keys_per_s = pool.ring.forget_keys_per_s;
  forget_ = std::make_unique<Forget>(shard_.get(), world.env, forget);
  SetHistory(std::move(rings));
  AllowSweep();
}

UvOwnedShard::~UvOwnedShard() {
  membership_.reset();
  audit_.reset();
  resync_.reset();
  watch_.reset();
  check_.reset();
  hosts_.clear();
  probes_.clear();
  control_.reset();
  links_.clear();
  sides_.clear();
}

HiredisNode UvOwnedShard::NodeOf(uint32_t copy, const std::string& name) const {
  std::string error;
  return {*ParseAddress(name, &error),
          config_.user,
          config_.password,
          config_.database,
          addresses_[copy],
          ClientNameOf(config_.name, world_.others)};
}

void UvOwnedShard::MakeCopy(uint32_t copy, const std::string& node) {
  if (links_.size() <= copy) {
    links_.resize(copy + 1);
    sides_.resize(copy + 1);
    probes_.resize(copy + 1);
    hosts_.resize(copy + 1);
    addresses_.resize(copy + 1);
    ending_.resize(copy + 1);
  }
  ending_[copy] = false;
  addresses_[copy] = std::make_shared<NodeAddresses>();
  const HiredisNode reached = NodeOf(copy, node);
  links_[copy] =
      std::make_unique<UvLink>(world_.links, shard_->link(copy), reached.address, addresses_[copy]);
  shard_->link(copy)->set_transport(links_[copy].get());
  sides_[copy] = std::make_unique<UvLink>(world_.links, shard_->side_link(copy), reached.address,
                                          addresses_[copy], /*leads=*/false);
  shard_->side_link(copy)->set_transport(sides_[copy].get());
  control_->SetNode(copy, reached);
  hosts_[copy] = std::make_unique<UvHostWatch>(
      world_.loop, reached.address, [link = links_[copy].get()] { return link->peer(); },
      [this, copy](const std::string& now) { OnMoved(copy, now); });
  links_[copy]->set_on_connected([this, copy](bool moved) {
    if (moved) ConnectAnew(copy);
    // It may have been made while the name was still looked up.
    hosts_[copy]->LookAtKnown();
  });
  MakeProbe(copy);
}

// All but the link: that leads to another address than they do.
void UvOwnedShard::ConnectAnew(uint32_t copy) {
  const HiredisNode node = NodeOf(copy, shard_->link(copy)->name());
  if (resync_ != nullptr) resync_->ForgetCopy(copy);
  if (watch_ != nullptr) watch_->ForgetCopy(copy);
  if (check_ != nullptr) check_->ForgetCopy(copy);
  control_->Remove(copy);
  control_->SetNode(copy, node);
  ending_[copy] = false;
  shard_->side_link(copy)->Fail("its node has another address now");
  probes_[copy]->Stop();
  shard_->OnProbe(copy, ProbeOutcome::kVoid);
  MakeProbe(copy);
}

// What is in flight is treated as with any lost connection.
void UvOwnedShard::OnMoved(uint32_t copy, const std::string& now) {
  const std::string& node = shard_->link(copy)->name();
  world_.env->Note(NoteLevel::kWarn, "shard '" + name() + "': the host of node " + node +
                                         " has another address now, " + now +
                                         ": it is connected to anew");
  ConnectAnew(copy);
  shard_->link(copy)->Fail("its host name stands for another address now");
}

void UvOwnedShard::MakeProbe(uint32_t copy) {
  probes_[copy] = std::make_unique<HiredisProbe>(
      world_.loop, NodeOf(copy, shard_->link(copy)->name()), health_,
      [shard = shard_.get(), copy](ProbeOutcome probe, uint64_t began_ms) {
        shard->OnProbe(copy, probe, began_ms);
      },
      [env = world_.env](NoteLevel level, const std::string& text) { env->Note(level, text); });
  if (started_) probes_[copy]->Start(random_ = random_ * 1664525u + 1013904223u);
}

void UvOwnedShard::OnCopyAdded(uint32_t copy, const LinkOptions& node) {
  MakeCopy(copy, node.name);
}

void UvOwnedShard::OnCopyRemoved(uint32_t copy) {
  std::vector<std::string> last;
  if (resync_->MayReplicate(copy)) last = {"REPLICAOF", "NO", "ONE"};
  resync_->ForgetCopy(copy);
  watch_->ForgetCopy(copy);
  check_->ForgetCopy(copy);
  probes_[copy]->Stop();
  probes_[copy].reset();
  control_->Remove(copy, last);
  hosts_[copy].reset();
  links_[copy].reset();
  sides_[copy].reset();
}

void UvOwnedShard::Start(uint32_t random) {
  started_ = true;
  random_ = random;
  shard_->Start();
  for (auto& probe : probes_) {
    if (probe != nullptr) probe->Start(random_ = random_ * 1664525u + 1013904223u);
  }
}

void UvOwnedShard::Tick(uint64_t now_ms, uint32_t random) {
  shard_->Tick(now_ms, random);
  if (!retiring_) {
    membership_->Tick(now_ms);
    forget_->Tick(now_ms);
    resync_->Tick(now_ms);
    audit_->Tick(now_ms);
    watch_->Tick(now_ms);
    check_->Tick(now_ms);
    if (now_ms >= next_look_ms_) {
      const uint64_t after_ms = uint64_t{health_.resolve_s} * 1000;
      next_look_ms_ = after_ms > 0 ? now_ms + after_ms : ~uint64_t{0};
      for (auto& host : hosts_) {
        if (host != nullptr) host->Look();
      }
    }
  }
  for (uint32_t i = 0; i < probes_.size(); ++i) {
    if (probes_[i] == nullptr) continue;
    if (shard_->TakeProbeWish(i)) probes_[i]->ProbeNow();
    if (shard_->TakeEndScriptWish(i) && !ending_[i]) EndScript(i);
  }
}

// Of a script of gemel's own clients, as far as can be told: one is in line there, or was.
void UvOwnedShard::EndScript(uint32_t copy, const char* kind) {
  ending_[copy] = true;
  control_->Command(copy, {kind, "KILL"}, [this, copy, kind](const ControlReply& reply) {
    ending_[copy] = false;
    if (reply.error.starts_with("BUSY") && *kind == 'S') {
      EndScript(copy, "FUNCTION");
      return;
    }
    if (!reply.ok && (!reply.refused || reply.error.starts_with("NOTBUSY"))) return;
    if (reply.ok) shard_->OnScriptEnded(copy);
    std::string note = "shard '" + name() + "': node " + shard_->link(copy)->name();
    note += reply.ok
                ? " was told to end a script that took longer than [timeouts] request_ms"
                : " runs a script for longer than [timeouts] request_ms and does not end it: " +
                      reply.error;
    if (!reply.ok && note == ending_note_) return;
    ending_note_ = note;
    world_.env->Note(NoteLevel::kWarn, note);
  });
}

void UvOwnedShard::Change(const PoolConfig& pool, const ShardConfig& config, bool force) {
  const bool health = pool.health != health_;
  const bool identity = config.user != config_.user || config.password != config_.password;
  health_ = pool.health;
  config_ = config;
  ShardOptions options = ShardOptionsOf(pool, config, world_.others);
  shard_->SetOptions(options);
  resync_->set_config(pool.resync);
  audit_->set_config(pool.audit);
  forget_->set_rate(pool.ring.forget_keys_per_s);
  for (uint32_t i = 0; i < probes_.size(); ++i) {
    if (probes_[i] == nullptr) continue;
    if (!identity) {
      if (health) probes_[i]->SetHealth(health_, random_ = random_ * 1664525u + 1013904223u);
      continue;
    }
    control_->SetNode(i, NodeOf(i, shard_->link(i)->name()));
    probes_[i]->Stop();
    shard_->OnProbe(i, ProbeOutcome::kVoid);
    MakeProbe(i);
  }
  membership_->SetNodes(std::move(options.nodes), force);
  next_look_ms_ = 0;
}

void UvOwnedShard::SetHistory(std::shared_ptr<const RingHistory> rings) {
  forget_->SetHistory(std::move(rings), world_.env->NowMs());
}

void UvOwnedShard::AllowSweep() { forget_->AllowSweep(world_.env->NowMs()); }

void UvOwnedShard::Retire(uint64_t now_ms) {
  retiring_ = true;
  retired_ms_ = now_ms;
  membership_->Stop();
  forget_->Stop();
  audit_->Stop();
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (!shard_->IsMember(i) || !resync_->MayReplicate(i)) continue;
    ++detaching_;
    control_->Command(i, {"REPLICAOF", "NO", "ONE"}, [this](const auto&) { --detaching_; });
  }
  resync_.reset();
  watch_.reset();
  check_.reset();
}

bool UvOwnedShard::Retired(uint64_t now_ms) const {
  return (shard_->Idle() && detaching_ == 0) ||
         now_ms >= retired_ms_ + 2 * uint64_t{shard_->options().wait_ms};
}

void UvOwnedShard::Stop() {
  membership_->Stop();
  forget_->Stop();
  for (auto& probe : probes_) {
    if (probe != nullptr) probe->Stop();
  }
  resync_.reset();
  audit_->Stop();
  watch_.reset();
  check_.reset();
  shard_->Stop();
}

}  // namespace gemel

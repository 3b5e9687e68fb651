#include "backend/served/served_shard.h"

#include <algorithm>
#include <utility>

#include "backend/served/random_step.h"
#include "backend/served/shard_setup.h"
#include "backend/shard/shard_control.h"

namespace gemel {

ServedShard::ServedShard(const World& world, const CommandTable* table, const PoolConfig& pool,
                         const ShardConfig& config, const ShardInfo& info,
                         std::shared_ptr<const RingHistory> rings)
    : world_(world), health_(pool.health), wanted_(OptionsOf(pool, config)) {
  // The copies as the topology has them.
  ShardOptions options = wanted_;
  options.nodes.clear();
  for (const CopyInfo& copy : info.copies) {
    options.nodes.push_back(NodeOf(copy.node));
    options.nodes.back().after_crash = world.after_crash;
    options.nodes.back().newcomer = world.newcomer;
  }
  shard_ = std::make_unique<Shard>(std::move(options), info, table, world.chunks, world.env);
  scripts_ = std::make_unique<ScriptEnd>(shard_.get(), world.control, world.env);
  orders_ = std::make_unique<NodeOrders>(shard_.get(), world.control, world.env);
  for (uint32_t i = 0; i < info.copies.size(); ++i) Open(i, info.copies[i].node);
  resync_ = std::make_unique<Resync>(shard_->ports().resync, world.control, world.env, pool.resync,
                                     world.resyncs);
  shard_->control().set_detach(
      [control = world.control](uint32_t copy, std::function<void(const std::string&)> done) {
        MakeMaster(control, copy, std::move(done));
      });
  audit_ = std::make_unique<Audit>(shard_->ports().audit, world.env, pool.audit);
  shard_->removals().set_audit([this](const std::string&) { audit_->Want(); },
                               [this] { return audit_->wanted(); });
  watch_ = std::make_unique<RoleWatch>(shard_->ports().resync, world.control, world.env);
  check_ = std::make_unique<NodeCheck>(shard_->ports().resync, world.control, world.env);
  settings_ = std::make_unique<NodeSettings>(shard_->ports().settings, world.control, world.env,
                                             pool.removals);
  orders_->set_settings(settings_.get());
  options_ = std::make_unique<NodeOptions>(shard_->ports().settings, world.control, world.env,
                                           settings_.get(), world.env->options(),
                                           pool.command_rules.node_options);
  membership_ =
      std::make_unique<Membership>(shard_.get(), world.env, static_cast<Membership::Host*>(this));
  membership_->SetNodes(wanted_.nodes, /*force=*/false);
  ForgetOptions forget = world.forget;
  forget.keys_per_s = pool.ring.forget_keys_per_s;
  forget_ = std::make_unique<Forget>(shard_->ports().forget, world.env, forget);
  shard_->set_notes(
      {[this] { return membership_ != nullptr ? membership_->Outstanding() : std::string(); },
       [this] { return forget_->note(); }, [this](uint32_t copy) { return ResyncNote(copy); },
       [this](uint32_t copy) { return check_ != nullptr ? check_->warning(copy) : std::string(); },
       [this](uint32_t copy) {
         return settings_ != nullptr ? settings_->Report(copy)
                                     : std::vector<std::pair<std::string, std::string>>();
       },
       world.turn.member, world.turn.owner_epoch});
  if (rings == nullptr) return;
  SetHistory(std::move(rings));
  AllowSweep();
}

// Whoever asks nodes for something goes before the connections, and they before the shard.
ServedShard::~ServedShard() {
  alive_.End();
  if (closed_) return;
  membership_.reset();
  audit_.reset();
  DropWatches();
  orders_.reset();
  scripts_.reset();
  world_.host->CloseAll();
}

ShardOptions ServedShard::OptionsOf(const PoolConfig& pool, const ShardConfig& config) const {
  ShardOptions options = ShardOptionsOf(pool, config, world_.others, world_.turn);
  world_.host->Adjust(&options);
  return options;
}

// Options of nodes that the config has no more are made up from those that it has.
LinkOptions ServedShard::NodeOf(const std::string& name) const {
  const auto known = std::find_if(wanted_.nodes.begin(), wanted_.nodes.end(),
                                  [&](const LinkOptions& node) { return node.name == name; });
  LinkOptions node = known != wanted_.nodes.end() ? *known : wanted_.nodes[0];
  node.name = name;
  return node;
}

void ServedShard::Open(uint32_t copy, const std::string& node) {
  scripts_->ForgetCopy(copy);
  orders_->ForgetCopy(copy);
  const LinkOptions reached = NodeOf(node);
  world_.host->Open(copy, reached,
                    {shard_->link(copy), shard_->side_link(copy), shard_->feed_link(copy),
                     shard_->channels_link(copy)});
  if (started_) world_.host->StartProbe(copy, reached, health_, NextRandom(&random_));
}

void ServedShard::OnCopyAdded(uint32_t copy, const LinkOptions& node) { Open(copy, node.name); }

// What a node is still told when it serves this shard no more.
std::vector<std::vector<std::string>> ServedShard::LastCommands(uint32_t copy, bool for_good) {
  std::vector<std::vector<std::string>> last;
  if (for_good) last = settings_->TakeBack(copy);
  // Else it would go on replicating for whoever has it next.
  if (resync_->MayReplicate(copy)) last.push_back({"REPLICAOF", "NO", "ONE"});
  return last;
}

void ServedShard::OnCopyRemoved(uint32_t copy) {
  const std::vector<std::vector<std::string>> last = LastCommands(copy, /*for_good=*/true);
  ForgetCopy(copy);
  world_.host->StopProbe(copy);
  world_.host->Close(copy, last);
}

void ServedShard::ForgetCopy(uint32_t copy) {
  if (resync_ != nullptr) resync_->ForgetCopy(copy);
  if (watch_ != nullptr) watch_->ForgetCopy(copy);
  if (check_ != nullptr) check_->ForgetCopy(copy);
  if (settings_ != nullptr) settings_->ForgetCopy(copy);
  if (options_ != nullptr) options_->ForgetCopy(copy);
  orders_->ForgetCopy(copy);
  scripts_->ForgetCopy(copy);
}

// All but the link: that leads to another address than they do.
void ServedShard::ConnectAnew(uint32_t copy) {
  ForgetCopy(copy);
  world_.host->SetControl(copy, NodeAt(copy), /*anew=*/true);
  for (Link* link :
       {shard_->side_link(copy), shard_->feed_link(copy), shard_->channels_link(copy)}) {
    if (link->has_transport()) link->Fail("its node has another address now");
  }
  ProbeAnew(copy);
}

void ServedShard::ProbeAnew(uint32_t copy) {
  world_.host->StopProbe(copy);
  shard_->nodes().OnProbe(copy, ProbeOutcome::kVoid);
  world_.host->StartProbe(copy, NodeAt(copy), health_, NextRandom(&random_));
}

void ServedShard::OnMoved(uint32_t copy, const std::string& now) {
  const std::string& node = shard_->link(copy)->name();
  world_.env->Note(NoteLevel::kWarn, "shard '" + name() + "': the host of node " + node +
                                         " has another address now, " + now +
                                         ": it is connected to anew");
  ConnectAnew(copy);
  shard_->link(copy)->Fail("its host name stands for another address now");
}

void ServedShard::Start(uint32_t random) {
  started_ = true;
  random_ = random;
  shard_->Start();
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (!shard_->copies().IsMember(i)) continue;
    world_.host->StartProbe(i, NodeAt(i), health_, NextRandom(&random_));
  }
}

void ServedShard::Tick(uint64_t now_ms, uint32_t random) {
  shard_->Tick(now_ms, random);
  orders_->Tick(now_ms);
  if (!retiring_ && !leaving_) {
    membership_->Tick(now_ms);
    forget_->Tick(now_ms);
    resync_->Tick(now_ms);
    audit_->Tick(now_ms);
    watch_->Tick(now_ms);
    settings_->Tick(now_ms);
    options_->Tick(now_ms);
    // Its questions cost a node memory that it may be short of.
    if (!settings_->working()) check_->Tick(now_ms);
    for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
      shard_->removals().feeds().SetNotifying(i, settings_->NotifyingSince(i));
    }
    if (now_ms >= next_look_ms_) {
      const uint64_t after_ms = uint64_t{health_.resolve_s} * 1000;
      next_look_ms_ = after_ms > 0 ? now_ms + after_ms : ~uint64_t{0};
      world_.host->LookAtHosts();
    }
  }
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (!shard_->copies().IsMember(i)) continue;
    if (shard_->nodes().TakeProbeWish(i)) world_.host->ProbeNow(i);
    scripts_->Tick(i);
  }
}

void ServedShard::Change(const PoolConfig& pool, const ShardConfig& config, bool force) {
  const bool health = pool.health != health_;
  const std::string user = wanted_.nodes[0].user;
  const std::string password = wanted_.nodes[0].password;
  health_ = pool.health;
  wanted_ = OptionsOf(pool, config);
  const bool identity = config.user != user || config.password != password;
  shard_->SetOptions(wanted_);
  resync_->set_config(pool.resync);
  audit_->set_config(pool.audit);
  settings_->set_config(pool.removals);
  forget_->set_rate(pool.ring.forget_keys_per_s);
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (!shard_->copies().IsMember(i)) continue;
    if (identity) {
      world_.host->SetControl(i, NodeAt(i), /*anew=*/false);
      ProbeAnew(i);
    } else if (health) {
      world_.host->SetProbe(i, health_, NextRandom(&random_));
    }
  }
  membership_->SetNodes(wanted_.nodes, force);
  next_look_ms_ = 0;
}

void ServedShard::SetHistory(std::shared_ptr<const RingHistory> rings) {
  forget_->SetHistory(std::move(rings), world_.env->NowMs());
}

void ServedShard::AllowSweep() { forget_->AllowSweep(world_.env->NowMs()); }

void ServedShard::EndUpkeep(const std::string& why, bool for_good) {
  membership_->Stop();
  forget_->Stop();
  audit_->Stop(why);
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (!shard_->copies().IsMember(i)) continue;
    for (std::vector<std::string>& command : LastCommands(i, for_good)) {
      ++detaching_;
      world_.control->Command(i, std::move(command),
                              alive_.Guard([this](const ControlReply&) { --detaching_; }));
    }
  }
  DropWatches();
}

void ServedShard::Retire(uint64_t now_ms) {
  retiring_ = true;
  retired_ms_ = now_ms;
  EndUpkeep("gemel is being stopped", /*for_good=*/true);
}

bool ServedShard::Retired(uint64_t now_ms) const {
  return (shard_->Idle() && detaching_ == 0) ||
         now_ms >= retired_ms_ + 2 * uint64_t{shard_->options().wait_ms};
}

void ServedShard::Leave(uint64_t now_ms) {
  if (leaving_) return;
  leaving_ = true;
  retired_ms_ = now_ms;
  EndUpkeep("shard '" + name() + "' goes to another member of the fleet", /*for_good=*/false);
  shard_->BeginMove([this] { drained_ = true; });
}

bool ServedShard::Left(uint64_t now_ms) const {
  return drained_ &&
         (detaching_ == 0 || now_ms >= retired_ms_ + 2 * uint64_t{shard_->options().wait_ms});
}

// Whoever asks nodes for something goes before the shard answers all: nothing that this lets go on
// is to reach them.
void ServedShard::Cut() {
  alive_.End();
  if (!leaving_) shard_->BeginMove(nullptr);  // what an answer lets go on is held
  leaving_ = true;
  membership_->Stop();
  forget_->Stop();
  audit_->Stop("this member of the fleet lost its lease of shard '" + name() + "'");
  DropWatches();
  scripts_->Stop();
  orders_->Stop();
  shard_->Cut();
  membership_.reset();
  audit_.reset();
  orders_.reset();
  scripts_.reset();
  world_.host->CloseAll();
  closed_ = true;
}

void ServedShard::Stop() {
  membership_->Stop();
  forget_->Stop();
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (shard_->copies().IsMember(i)) world_.host->StopProbe(i);
  }
  DropWatches();
  audit_->Stop();
  scripts_->Stop();
  orders_->Stop();
  shard_->Stop();
}

void ServedShard::DropWatches() {
  resync_.reset();
  watch_.reset();
  check_.reset();
  options_.reset();
  orders_->set_settings(nullptr);
  settings_.reset();
}

}  // namespace gemel

#include "tests/sim/sim_plan.h"

#include <algorithm>

#include "tests/sim/sim_removals.h"

namespace gemel::sim {

namespace {

// By dice of their own, so that runs without such a thing stay what they are.
void DrawKinds(uint64_t seed, RunPlan* plan) {
  plan->reloads = Loop(seed ^ 0x5eed0f7e10ad5ull).Chance(33);
  plan->refuses = Loop(seed ^ 0x5eed0f5ef05a15ull).Chance(25);
  plan->pauses = Loop(seed ^ 0x5eed0fba05e5ull).Chance(25);
  plan->options.databases = Loop(seed ^ 0xdb).Chance(25) ? 4 : 1;
  plan->clients.blocks = Loop(seed ^ 0xb10c).Chance(35);
  plan->clients.streams = Loop(seed ^ 0x57ea6).Chance(50);
  plan->watches = !plan->reloads && Loop(seed ^ 0x3a7c4).Chance(35);
  plan->removals = Removals::IsOn(seed);
}

void DrawShards(Loop* loop, RunPlan* plan) {
  const uint64_t shards = loop->Chance(plan->reloads ? 60 : 30) ? 2 : 1;
  plan->copies = loop->Chance(75) ? 2 : 3;
  if (plan->mode != Mode::kOneFault && loop->Chance(5)) plan->copies = 1;
  for (uint64_t shard = 0; shard < shards; ++shard) {
    plan->options.shards.push_back({ShardName(shard), {}, 1});
  }
  plan->prefixes = shards;
}

void DrawReloads(Loop* loop, RunPlan* plan) {
  ProxyOptions& options = plan->options;
  plan->spares = loop->Between(2, 5);
  plan->prefixes = loop->Between(plan->prefixes, 3);
  options.routed = loop->Chance(85);
  if (!options.routed) plan->prefixes = options.shards.size();
  options.points = static_cast<uint32_t>(loop->Between(1, 6));
  if (loop->Chance(15)) options.hash_tag = "s:";
  for (ShardSetup& shard : options.shards) {
    shard.weight = static_cast<uint32_t>(loop->Between(1, 3));
  }
  if (!loop->Chance(20)) {
    options.forget_keys_per_s =
        static_cast<uint32_t>(loop->Between(1, loop->Chance(50) ? 10 : 200));
  }
  if (plan->mode == Mode::kManyFaults && loop->Chance(15)) options.mark_keys = loop->Between(1, 5);
}

void DrawOptions(Loop* loop, RunPlan* plan) {
  ProxyOptions& options = plan->options;
  options.read_from = static_cast<ReadFrom>(loop->Random(3));
  options.failback = loop->Chance(20);
  options.hang.least_ms = static_cast<uint32_t>(loop->Between(30, 150));
  options.hang.most_ms = static_cast<uint32_t>(loop->Between(100, 300));
  if (loop->Chance(80)) options.hedge_ms = static_cast<uint32_t>(loop->Between(1, 60));
  if (loop->Chance(30)) options.ack = loop->Chance(50) ? Ack::kPrimary : Ack::kAny;
}

void DrawFaults(Loop* loop, RunPlan* plan) {
  plan->crashes =
      plan->mode == Mode::kRestarts || (plan->mode == Mode::kManyFaults && loop->Chance(30));
  if (plan->mode == Mode::kManyFaults && loop->Chance(20)) plan->failing_percent = 30;
  plan->max_write_us = loop->Chance(20) ? 60000 : 5000;
  if (loop->Chance(30)) plan->options.on_data_loss = OnDataLoss::kMiss;
  plan->saves = plan->copies > 1 && loop->Chance(30);
  plan->keeps = plan->copies > 1 && Loop(plan->seed ^ 0xd15c5).Chance(10);
  if (plan->keeps) plan->saves = false;
}

void DrawClients(Loop* loop, ClientsPlan* clients) {
  clients->quota = loop->Between(200, 700);
  clients->keys = loop->Between(1, 4);
  clients->think_us = loop->Between(500, 8000);
  clients->windows.resize(loop->Between(1, 6));
  for (uint32_t& window : clients->windows) window = static_cast<uint32_t>(loop->Between(1, 12));
  clients->end_us = loop->Between(kSecondUs, 3 * kSecondUs);
}

void DrawNodes(Loop* loop, RunPlan* plan) {
  plan->nodes.resize(plan->options.shards.size() * plan->copies + plan->spares);
  for (NodePlan& node : plan->nodes) node.knows_debug = loop->Chance(70);
  Loop hello(plan->seed ^ 0x4e110);
  for (NodePlan& node : plan->nodes) node.knows_hello = hello.Chance(70);
  if (!loop->Chance(25)) return;
  for (NodePlan& node : plan->nodes) node.knows_replicaof = loop->Chance(30);
  // Slowly, so that much goes on meanwhile.
  if (loop->Chance(80)) {
    plan->first_repair_keys_per_s = static_cast<uint32_t>(loop->Between(5, 200));
  }
}

}  // namespace

RunPlan PlanOf(uint64_t seed, Loop* loop) {
  RunPlan plan;
  plan.seed = seed;
  const uint64_t kind = loop->Random(100);
  plan.mode = kind < 45 ? Mode::kOneFault : kind < 80 ? Mode::kManyFaults : Mode::kRestarts;
  DrawKinds(seed, &plan);
  DrawShards(loop, &plan);
  if (plan.reloads) DrawReloads(loop, &plan);
  DrawOptions(loop, &plan);
  DrawFaults(loop, &plan);
  DrawClients(loop, &plan.clients);
  plan.faults = loop->Between(1, plan.mode == Mode::kOneFault ? 4 : 8);
  plan.audit_pause_us = loop->Between(2000, 500000);
  DrawNodes(loop, &plan);
  return plan;
}

size_t RunPlan::refusing() const {
  return static_cast<size_t>(std::count_if(
      nodes.begin(), nodes.end(), [](const NodePlan& node) { return !node.knows_replicaof; }));
}

std::string RunPlan::Describe() const {
  std::string text = "seed " + std::to_string(seed) + ": ";
  text += mode == Mode::kOneFault     ? "one fault at a time"
          : mode == Mode::kManyFaults ? "many faults"
                                      : "restarts of the proxy";
  text += ", " + std::to_string(prefixes) + " shard(s) of " + std::to_string(copies) + ", ack ";
  text += options.ack == Ack::kAll ? "all" : options.ack == Ack::kPrimary ? "primary" : "any";
  text += ", reads from ";
  text += options.read_from == ReadFrom::kPrimary   ? "primary"
          : options.read_from == ReadFrom::kReplica ? "replica"
                                                    : "balanced";
  if (options.failback) text += ", failback";
  text += ", hedged after " + std::to_string(options.hedge_ms) + " ms";
  if (options.databases > 1) text += ", several databases";
  if (failing_percent > 0) text += ", a failing disk";
  if (options.on_data_loss == OnDataLoss::kMiss) text += ", on_data_loss miss";
  if (saves) text += ", nodes that save";
  if (keeps) text += ", nodes that keep every write";
  if (reloads) text += ", reloads";
  if (clients.blocks) text += ", blocks";
  if (watches) text += ", watchers";
  if (refuses) text += ", nodes that refuse writes";
  if (pauses) text += ", pauses and long commands";
  if (refusing() > 0) {
    text += ", " + std::to_string(refusing()) + " node(s) that refuse REPLICAOF";
  }
  return text;
}

}  // namespace gemel::sim

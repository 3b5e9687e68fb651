#include "proxy/session/sent_as.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/command/key_finder.h"
#include "backend/command/script_cursors.h"
#include "backend/command/script_guard.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/node_abilities.h"
#include "proxy/scripts/function_store.h"

namespace gemel {

namespace {

constexpr std::string_view kNoSuchScript = "NOSCRIPT No matching script. Please use EVAL.";

// A script that a SCRIPT LOAD in the same transaction shows; null: none does.
ScriptCache::Text FindAmong(const QueuedBlock& block, std::string_view sha1) {
  for (const ScriptCache::Text& script : block.scripts) {
    if (EqualsLower(sha1, ScriptCache::Sha1(*script))) return script;
  }
  return nullptr;
}

// Whether a FUNCTION LOAD in the same transaction may register it: its name is in the code, in any
// case. What the code does with it only a node can tell.
bool MayBeLoaded(const QueuedBlock& block, std::string_view function) {
  for (const TextStore::Text& library : block.libraries) {
    const auto found =
        std::search(library->begin(), library->end(), function.begin(), function.end(),
                    [](char a, char b) { return AsciiLower(a) == AsciiLower(b); });
    if (found != library->end()) return true;
  }
  return false;
}

// It says so, and no FUNCTION LOAD in the same transaction can put another in its place.
bool OnlyReads(const std::optional<FunctionStore::Facts>& function, const QueuedBlock* block) {
  return function && !function->writes && (block == nullptr || block->libraries.empty());
}

// The call's own argument for its library's guard, behind the client's. False: its arguments are
// none that it could stand behind.
bool AddCallScope(SessionContext* context, const CommandRow& row) {
  static const std::string confined = CallScopeFor({});
  if (!FindKeys(row, context->args, &context->plan.keys)) return false;
  context->args.push_back(confined);
  return true;
}

// A database of the nodes is not the clients'.
bool Guards(const PoolConfig& config) { return config.registers_database != 0; }

bool IsWellFormedFlush(const std::vector<std::string_view>& args) {
  return args.size() == 1 ||
         (args.size() == 2 && (EqualsLower(args[1], "async") || EqualsLower(args[1], "sync")));
}

// FLUSHALL of the clients' databases alone. One script, which a node runs whole, and which leaves
// the connection at the database where it is.
std::string FlushOf(uint32_t databases, const std::vector<std::string_view>& args) {
  static constexpr std::string_view kScript =
      "for i = 1, tonumber(ARGV[1]) do "
      "redis.call('SELECT', i - 1) redis.call('FLUSHDB', ARGV[2]) "
      "end "
      "return redis.status_reply('OK')";
  const std::string count = std::to_string(databases);
  // So that all nodes at once are not busy with it for longer than a lease.
  const std::string_view how = args.size() > 1 ? args[1] : std::string_view("ASYNC");
  const std::vector<std::string_view> eval = {"EVAL", kScript, "0", count, how};
  return CommandFrame(eval);
}

}  // namespace

bool SaysThatItReads(const SessionContext& context, const CommandRow& row,
                     const QueuedBlock* block) {
  const std::string_view named = context.args.size() > 1 ? context.args[1] : std::string_view();
  switch (row.script) {
    case ScriptRule::kNone:
      return false;
    case ScriptRule::kText:
      return FunctionStore::SaysNoWrites(named);
    case ScriptRule::kSha: {
      const ScriptCache::Text script = context.scripts->Find(named);
      return script != nullptr && FunctionStore::SaysNoWrites(*script);
    }
    case ScriptRule::kFunction:
      break;
  }
  return OnlyReads(context.functions->Find(named), block);
}

SentAs Translate(SessionContext* context, const CommandRow& row, const QueuedBlock* block) {
  SentAs sent{&row, {}, nullptr, {}, false, false};
  std::vector<std::string_view>& args = context->args;
  const CommandTable& table = context->pool->table();
  bool changed = false;
  const PoolConfig& config = context->pool->config();
  if (row.arg_rule == ArgRule::kFlushAll) {
    if (config.ShardWithDatabase() != nullptr || (Guards(config) && !IsWellFormedFlush(args))) {
      args[0] = "FLUSHDB";
      sent.row = table.FindByName("flushdb");
      changed = true;
    } else if (Guards(config)) {
      sent.frame = FlushOf(config.databases, args);
    }
  } else if (row.script == ScriptRule::kText) {
    sent.by_cursor = FindKeys(row, args, &context->plan.keys) && context->scripts->Note(args[1]);
  } else if (row.script == ScriptRule::kSha) {
    sent.script = context->scripts->Find(args[1], &sent.by_cursor);
    if (sent.script == nullptr && block != nullptr) {
      sent.script = FindAmong(*block, args[1]);
      sent.by_cursor = sent.script != nullptr && MayScan(*sent.script);
    }
    if (sent.script == nullptr) {
      const bool looked_for = args[1].size() == ScriptCache::kShaLength;
      const bool well_formed = FindKeys(row, args, &context->plan.keys);
      sent.error =
          looked_for && !well_formed ? MalformedKeysError(row, args) : std::string(kNoSuchScript);
      return sent;
    }
    args[0] = row.by_text;
    args[1] = *sent.script;
    sent.row = table.FindByName(row.by_text);
    changed = true;
  }
  const CommandRow& then = *sent.row;
  bool reads = false;
  if (then.script == ScriptRule::kFunction) {
    const auto function = context->functions->Find(args[1]);
    const bool may_be_loaded = block != nullptr && !function && MayBeLoaded(*block, args[1]);
    sent.by_cursor = function && function->may_scan;
    sent.unknown_function = !function && !may_be_loaded;
    reads = OnlyReads(function, block);
    // That of one which is not kept here has no such guard.
    changed |= !sent.unknown_function && AddCallScope(context, then);
  } else if (then.script == ScriptRule::kText) {
    reads = !then.if_reads.empty() && FunctionStore::SaysNoWrites(args[1]);
    if (sent.by_cursor) {
      sent.script = std::make_shared<const std::string>(WithCursors(args[1]));
      args[1] = *sent.script;
      changed = true;
    }
  }
  if (reads && !then.if_reads.empty()) {
    args[0] = then.if_reads;
    sent.row = table.FindByName(then.if_reads);
    changed = true;
  }
  if (changed) sent.frame = CommandFrame(args);
  // What only reads may do so everywhere, but not where clients have nothing to look for.
  const bool reads_text = sent.row->script == ScriptRule::kText &&
                          (sent.row->flags & kCmdReadonly) != 0 && args.size() > 2;
  if (reads_text && Guards(config)) sent.frame = ConfineScript(args);
  return sent;
}

void RefuseUnknownFunction(const SessionContext& context, const SentAs& sent, Plan* plan) {
  if (!sent.unknown_function) return;
  const bool well_formed = plan->kind == Plan::Kind::kOneShard;
  if (well_formed && context.pool->OfSlot(plan->shard).copies < 2) return;
  plan->kind = Plan::Kind::kRefused;
  plan->error = "ERR Function not found";
  plan->refused_at_exec = true;
}

bool MayConfine(const SessionContext& context, const CommandRow& row, const Plan& plan) {
  return !plan.confined || row.confine == nullptr || context.abilities == nullptr ||
         !context.abilities->WithoutConfinement();
}

std::string ConfinedInBlock(const SessionContext& context, const CommandRow& row) {
  return row.confine != nullptr ? row.confine(context.args) : std::string();
}

std::string FreeCall(const SessionContext& context, const CommandRow& row, const Plan& plan) {
  if (row.script != ScriptRule::kFunction || plan.kind != Plan::Kind::kOneShard ||
      context.pool->OfSlot(plan.shard).copies > 1 || !HasCallScope(context.args)) {
    return {};
  }
  const std::string scope = FreeCallScope();
  std::vector<std::string_view> args(context.args);
  args.back() = scope;
  return CommandFrame(args);
}

}  // namespace gemel

#include "proxy/session/publish_wait.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/resp/request_reader.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/session/gather.h"

namespace gemel {

namespace {

bool SaysPublish(std::string_view text) {
  constexpr std::string_view kWord = "publish";
  return std::search(text.begin(), text.end(), kWord.begin(), kWord.end(),
                     [](char a, char b) { return AsciiLower(a) == b; }) != text.end();
}

// Adds what that command publishes. `block`: it is queued there; null: it is not.
void AddPublished(const FunctionStore& functions, const CommandRow& row,
                  std::span<const std::string_view> args, const QueuedBlock* block,
                  Published* published) {
  if (row.local == LocalCommand::kPublish) {
    published->channels.emplace_back(ChannelKind::kChannel, args[1]);
  } else if (row.local == LocalCommand::kSPublish) {
    published->channels.emplace_back(ChannelKind::kShardChannel, args[1]);
  } else if (row.script != ScriptRule::kNone) {
    published->unknown |= std::any_of(args.begin() + 1, args.end(), SaysPublish);
    if (row.script != ScriptRule::kFunction || published->unknown) return;
    published->unknown = SaysPublish(functions.CodeOf(args[1]));
    if (block == nullptr) return;
    for (const TextStore::Text& library : block->libraries) {
      published->unknown |= SaysPublish(*library);
    }
  }
}

Published PublishedBy(const SessionContext& context, SessionState* state, const CommandRow& row) {
  Published published;
  if (row.local != LocalCommand::kExec) {
    AddPublished(*context.functions, row, context.args, nullptr, &published);
    return published;
  }
  if (!state->transaction.open() || state->transaction.block().aborted) return published;
  const QueuedBlock& block = state->transaction.block();
  std::vector<std::string_view> args;
  for (const QueuedBlock::Command& command : block.commands) {
    if (!command.answer.empty()) continue;
    args.clear();
    SplitFrame(block.FrameOf(command), &args);
    AddPublished(*context.functions, *command.row, args, &block, &published);
  }
  return published;
}

bool IsPublish(const CommandRow& row) {
  return row.local == LocalCommand::kPublish || row.local == LocalCommand::kSPublish;
}

// In that shard; none: in any. False: there is nothing to wait for. `all`: every worker is to have
// read what has come for it.
bool WaitFor(SessionContext* context, ReplyLine* replies, const Published& published,
             std::optional<uint32_t> shard, bool all) {
  std::vector<uint32_t> workers = context->channels->under_way().WorkersFor(published);
  for (uint32_t other = 0; all && other < context->dispatcher->workers(); ++other) {
    if (other == context->dispatcher->worker() ||
        std::find(workers.begin(), workers.end(), other) != workers.end()) {
      continue;
    }
    workers.push_back(other);
  }
  if (workers.empty()) return false;
  // A place in line that is answered with nothing.
  Request* place = replies->Reserve(nullptr);
  place->form = Resp2Form::kNothing;
  replies->stops().AwaitOrder(place);
  const uint64_t read_turn = all ? context->turn : 0;
  GatherPtr gather =
      Gather::Make(context->dispatcher, place,
                   [context, read_turn](const std::vector<PartReply>&, std::string* out) {
                     context->all_read_turn = std::max(context->all_read_turn, read_turn);
                     out->append("+OK\r\n");
                   });
  for (const uint32_t worker : workers) {
    auto cargo = std::make_unique<WhenToldCargo>();
    cargo->published = published;
    cargo->shard = shard;
    gather->AddWorker(worker, std::move(cargo));
  }
  Gather::Launch(std::move(gather));
  return true;
}

}  // namespace

bool MayPublish(const CommandRow& row) {
  return IsPublish(row) || row.script != ScriptRule::kNone || row.local == LocalCommand::kExec;
}

bool MayBeAheadOfSubscriptions(const SessionContext& context, SessionState& state,
                               const CommandRow& row) {
  if (context.dispatcher->workers() == 1 || state.read_turn <= context.all_read_turn) return false;
  if (row.local != LocalCommand::kExec || !state.transaction.open()) return IsPublish(row);
  const auto& commands = state.transaction.block().commands;
  return std::any_of(commands.begin(), commands.end(),
                     [](const QueuedBlock::Command& command) { return IsPublish(*command.row); });
}

bool WaitForSubscriptions(SessionContext* context, ReplyLine* replies, SessionState* state,
                          const CommandRow& row, bool writes) {
  Published published = PublishedBy(*context, state, row);
  published.of_keys = writes && context->channels->under_way().about_keys();
  if (!published.any()) return false;
  std::optional<uint32_t> shard;
  if (!published.unknown && !published.of_keys && published.channels.size() == 1) {
    shard = context->pool->ShardOf(published.channels[0].second);
  }
  return WaitFor(context, replies, published, shard,
                 MayBeAheadOfSubscriptions(*context, *state, row));
}

bool WaitToWrite(SessionContext* context, ReplyLine* replies, SessionState* state, uint32_t shard) {
  bool& waited = state->waited_for_subscriptions;
  Published published;
  published.of_keys = true;
  waited = !waited && WaitFor(context, replies, published, shard, /*all=*/false);
  return waited;
}

}  // namespace gemel

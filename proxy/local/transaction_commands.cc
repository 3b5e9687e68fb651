// MULTI, EXEC, DISCARD, WATCH, UNWATCH.

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/command/block.h"
#include "backend/command/script_guard.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/node_abilities.h"
#include "proxy/local/local_commands.h"
#include "proxy/scripts/function_store.h"
#include "proxy/session/errors.h"
#include "proxy/session/exec_reply.h"
#include "proxy/session/merge.h"
#include "proxy/session/rights.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// All nodes take transactions; else the client has been told who does not.
bool CheckNodes(LocalCommands& local, Session& session) {
  const NodeAbilities* abilities = local.process().abilities;
  const std::optional<ServerUser> poor =
      abilities == nullptr ? std::nullopt : abilities->WithoutBlocks();
  if (!poor) return true;
  session.ReplyError("ERR transactions are not to be had: " + poor->node + " of shard '" +
                     poor->shard + "' does not allow MULTI and EXEC");
  return false;
}

void Multi(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  SessionState& state = session.state();
  if (state.transaction.open()) {
    session.ReplyError("ERR MULTI calls can not be nested");
    return;
  }
  if (!CheckNodes(local, session)) return;
  state.transaction.Begin(*session.context().pool, state.watched.shard(), state.access.account());
  session.ReplyNow("+OK\r\n");
}

// The transaction and what was watched for it are over.
void End(SessionState* state) {
  state->transaction.Reset();
  state->watched.Reset();
}

void Discard(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  if (!session.state().transaction.open()) {
    session.ReplyError("ERR DISCARD without MULTI");
    return;
  }
  End(&session.state());
  session.ReplyNow("+OK\r\n");
}

// --- WATCH ---

// The shard's answer to a WATCH: how long each key lives. Owns itself.
class WatchReply : public RequestSink {
 public:
  WatchReply(Session* session, Request* place, std::vector<std::string> names)
      : session_(session),
        place_(place),
        names_(std::move(names)),
        sent_ms_(session->context().now_ms) {}

 private:
  bool Wanted() const override { return place_->sink->Wanted(); }
  void OnReply(Request* request, const Reply& reply) override {
    Dispatcher* dispatcher = session_->context().dispatcher;
    dispatcher->Answered(*request);
    std::string answer = "+OK\r\n";
    std::vector<std::string_view> lives;
    if (!Wanted() || !SplitArray(reply.bytes, &lives) || lives.size() != names_.size()) {
      answer =
          reply.bytes[0] == '-' ? std::string(reply.bytes) : "-ERR the shard has no answer\r\n";
    } else {
      for (size_t i = 0; i < lives.size(); ++i) Note(std::move(names_[i]), lives[i]);
    }
    dispatcher->Free(request);
    place_->sink->OnReply(place_, Reply{answer, nullptr});
    delete this;
  }
  // From when it was asked: no later than it really expires.
  void Note(std::string name, std::string_view life) {
    int64_t left_ms = -2;
    ParseInteger(ReplyText(life), &left_ms);
    WatchedKeys::Key key{std::move(name), left_ms != -2, 0};
    if (left_ms >= 0) key.expires_ms = sent_ms_ + static_cast<uint64_t>(left_ms);
    session_->state().watched.Add(std::move(key));
  }

  Session* session_;
  Request* place_;
  std::vector<std::string> names_;
  uint64_t sent_ms_;
};

// The session goes on once it is known how long the keys live: an EXEC needs that.
void Watch(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  SessionContext& context = session.context();
  SessionState& state = session.state();
  if (state.transaction.open()) {
    session.ReplyError("ERR WATCH inside MULTI is not allowed");
    return;
  }
  if (!CheckNodes(local, session)) return;
  const LocalArgs keys = args.subspan(1);
  const Pool& pool = *context.pool;
  const uint32_t shard = state.watched.shard().value_or(pool.ShardOf(keys[0]));
  for (const std::string_view key : keys) {
    if (pool.ShardOf(key) == shard) continue;
    session.ReplyError(kCrossSlot);
    return;
  }
  const uint64_t most = pool.config().limits.client_watched;
  if (state.watched.size() + keys.size() > most) {
    session.ReplyError("ERR a client may watch " + std::to_string(most) +
                       " keys at most ([limits] client_watched)");
    return;
  }
  Request* place = session.Reserve(&row);
  session.Await(place);
  const uint8_t database = state.database.index();
  std::vector<std::string> names;
  Request* request = context.dispatcher->New();
  ByteBuffer& frame = request->Extra().owned;
  frame.Append(kMultiFrame);
  for (const std::string_view key : keys) {
    names.push_back(MakeKeyName(database, key));
    frame.Append(CommandFrame({"PTTL", key}));
  }
  frame.Append(kExecFrame);
  auto cargo = std::make_unique<WatchCargo>();
  cargo->ticket = state.watched.Begin(shard);
  request->extra->cargo = std::move(cargo);
  request->sink = new WatchReply(&session, place, std::move(names));
  request->kind = RequestKind::kWatch;
  request->block = true;
  request->primary_only = true;
  request->row = pool.table().FindByName("pttl");
  request->shard = static_cast<uint16_t>(shard);
  request->session = place->session;
  request->database = database;
  request->reply_log2 = place->reply_log2;
  request->frame = frame.view();
  session.pace().Sent(shard);
  context.dispatcher->Submit(request);
}

void Unwatch(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.state().watched.Reset();
  session.ReplyNow("+OK\r\n");
}

// --- EXEC ---

// Keys may belong to other shards since they were queued. Empty; or why the block cannot go now.
std::string PlanAgain(const Pool& pool, const SessionState& state, QueuedBlock* block) {
  block->plan = BlockPlan(state.watched.shard());
  Plan plan;
  std::vector<std::string_view> args;
  for (const QueuedBlock::Command& command : block->commands) {
    SplitFrame(block->FrameOf(command), &args);
    MakePlan(pool, *command.row, args, &plan);
    if (command.denied) {
      plan.kind = Plan::Kind::kRefused;
      plan.refused_at_exec = true;
    }
    const bool function = command.row->script == ScriptRule::kFunction;
    if (plan.confined && !(function ? IsConfinedCall(args) : IsConfined(args[1]))) {
      return "ERR the shard has more copies since it was queued";
    }
    if (std::string error = block->plan.Add(pool, *command.row, args, plan); !error.empty()) {
      return error;
    }
  }
  return {};
}

// What its user may not do any more since it was queued gets an error in its place, and is no part
// of what the shard is sent. True: there is such a command.
bool DenyQueued(Session& session, QueuedBlock* block) {
  SessionState& state = session.state();
  if (block->user == state.access.account() || state.access.allows_all()) return false;
  bool any = false;
  std::vector<std::string_view> args;
  for (QueuedBlock::Command& command : block->commands) {
    SplitFrame(block->FrameOf(command), &args);
    const Refusal refusal = RefusalOfQueued(&session.context(), state, *command.row, &args);
    if (refusal.error.empty()) continue;
    NoteDenied(&session, refusal.denied, refusal.object, state.access.user());
    any = command.denied = command.local = true;
    command.answer.clear();
    AppendError(&command.answer, RefusalAtExec(refusal.denied));
  }
  return any;
}

// A watched key has expired, or is another shard's now, whose owner does not know what it was.
bool IsOver(const Pool& pool, const WatchedKeys& watched, uint64_t now_ms) {
  if (watched.Expired(now_ms)) return true;
  for (const WatchedKeys::Key& key : watched.keys()) {
    if (pool.ShardOf(KeyOf(key.name)) != *watched.shard()) return true;
  }
  return false;
}

// SCAN with the shard's own cursor.
void AppendFrame(const QueuedBlock& block, const QueuedBlock::Command& command, ByteBuffer* out) {
  if (command.row->split != Split::kCursor) {
    out->Append(block.FrameOf(command));
    return;
  }
  std::vector<std::string_view> args;
  SplitFrame(block.FrameOf(command), &args);
  uint64_t cursor = 0;
  uint32_t slot = 0;
  DecodeCursor(args[1], &cursor, &slot);
  const std::string text = std::to_string(cursor);
  args[1] = text;
  out->Append(CommandFrame(args));
}

// FUNCTION LOAD for the nodes that execute the block, where a function of it is called: it is
// carried out behind the block, for all nodes. False: it will be refused, as far as can be told.
// `loaded`: by those before it.
bool AppendLibrary(const FunctionStore& store, const QueuedBlock& block,
                   const QueuedBlock::Command& command, std::set<std::string>* loaded,
                   ByteBuffer* out) {
  std::vector<std::string_view> args;
  SplitFrame(block.FrameOf(command), &args);
  const LocalArgs options = LocalArgs(args).subspan(2, args.size() - 3);
  const bool known = std::all_of(options.begin(), options.end(), [](std::string_view option) {
    return EqualsLower(option, "replace");
  });
  const std::string name = FunctionStore::NameIn(args.back());
  if (!known || name.empty() || (options.empty() && (loaded->contains(name) || store.Has(name)))) {
    return false;
  }
  loaded->insert(name);
  out->Append(CommandFrame({"FUNCTION", "LOAD", "REPLACE", ConfineLibrary(args.back())}));
  return true;
}

// What the shard is sent: the nodes' commands, each in its database. `element_of`: see ExecReply.
void AppendFrames(LocalCommands& local, Session& session, const QueuedBlock& block, ByteBuffer* out,
                  std::vector<uint32_t>* element_of) {
  const uint8_t first = session.state().database.index();
  uint8_t wanted = first;    // by what comes next
  uint8_t selected = first;  // by what is in *out
  uint32_t element = 0;
  const auto select = [&](uint8_t database) {
    if (std::exchange(selected, database) == database) return;
    out->Append(CommandFrame({"SELECT", std::to_string(database)}));
    ++element;
  };
  std::vector<std::string_view> args;
  std::set<std::string> loaded;
  out->Append(kMultiFrame);
  for (const QueuedBlock::Command& command : block.commands) {
    if (command.row->local == LocalCommand::kSelect) {
      SplitFrame(block.FrameOf(command), &args);
      int64_t index = 0;
      if (WhyNotSelect(local, session, args[1], &index).empty()) {
        wanted = static_cast<uint8_t>(index);
      }
    }
    if (!command.local) {
      select(wanted);
      AppendFrame(block, command, out);
    } else if (block.calls_loaded && command.row->local == LocalCommand::kFunctionLoad &&
               AppendLibrary(*session.context().functions, block, command, &loaded, out)) {
      ++element;
    }
    element_of->push_back(element);
    if (!command.local) ++element;
  }
  select(first);
  out->Append(kExecFrame);
}

// The request that brings it to its shard.
Request* MakeRequest(LocalCommands& local, Session& session, const CommandRow& row,
                     const Request& place, QueuedBlock* block, std::vector<uint32_t>* element_of) {
  SessionState& state = session.state();
  Request* request = session.context().dispatcher->New();
  if (block->plan.has_local() || block->plan.has_cursor()) {
    AppendFrames(local, session, *block, &request->Extra().owned, element_of);
    request->frame = request->extra->owned.view();
  } else {
    for (uint32_t i = 0; i < block->commands.size(); ++i) element_of->push_back(i);
    block->frames.Append(kExecFrame);
    request->frame = block->frames.view();
  }
  request->kind = block->plan.request();
  if (state.watched.any()) {
    // In its place in the order, on all copies.
    request->kind = std::max(request->kind, RequestKind::kWrite);
    request->guarded = true;
    auto cargo = std::make_unique<WatchCargo>();
    cargo->ticket = state.watched.ticket();
    for (const WatchedKeys::Key& key : state.watched.keys()) {
      if (key.existed) cargo->existed.push_back(key.name);
    }
    request->Extra().cargo = std::move(cargo);
  }
  request->block = true;
  request->primary_only = request->cursors = block->plan.primary_only();
  request->row = block->plan.row() != nullptr ? block->plan.row() : &row;
  request->shard = static_cast<uint16_t>(block->plan.Shard(*session.context().pool));
  request->session = place.session;
  request->database = state.database.index();
  request->reply_log2 = place.reply_log2;
  return request;
}

// Its keys are remembered for who tracks. Whether CLIENT CACHING was said within it, in front of
// them or behind, is not told apart: what is remembered without need does no harm.
void TrackBlock(const SessionState& state, const QueuedBlock& block, Request* request) {
  bool reads = false;
  bool caching = false;
  for (const QueuedBlock::Command& command : block.commands) {
    reads |= !command.local && ReadsForClient(*command.row);
    caching |= command.row->local == LocalCommand::kClientCaching;
  }
  const TrackingOptions& options = state.tracking.options();
  const bool asked_now = caching && !options.bcast && (options.optin || options.optout);
  if (!reads || !(state.tracking.Remembers() || asked_now)) return;
  request->becomes = BecomesOf(request->kind);
  request->kind = RequestKind::kTracked;
}

void Exec(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs) {
  SessionContext& context = session.context();
  SessionState& state = session.state();
  if (!state.transaction.open()) {
    session.ReplyError("ERR EXEC without MULTI");
    return;
  }
  const Pool& pool = *context.pool;
  QueuedBlock& queued = state.transaction.block();
  const bool over =
      !queued.aborted && state.watched.any() && IsOver(pool, state.watched, context.now_ms);
  std::string error;
  if (queued.aborted) {
    error = "EXECABORT Transaction discarded because of previous errors.";
  } else if (!over && (DenyQueued(session, &queued) || queued.pool_number != pool.number())) {
    const std::string why = PlanAgain(pool, state, &queued);
    if (!why.empty()) error = "EXECABORT Transaction discarded because of: " + why;
  }
  if (!error.empty()) {
    End(&state);
    session.ReplyError(error);
    return;
  }
  if (over) {
    End(&state);
    session.ReplyNow("_\r\n");
    return;
  }
  // AUTH, too, if what is in line has its user's prefix.
  const uint32_t after = kCmdAfterAll | (state.access.prefixed() ? kCmdNoAuth : 0u);
  const bool after_all = std::any_of(
      queued.commands.begin(), queued.commands.end(),
      [after](const QueuedBlock::Command& command) { return (command.row->flags & after) != 0; });
  if (after_all && session.replies().StopsBehindAll()) return;  // EXEC is read again then
  const bool writes = queued.plan.request() != RequestKind::kRead || state.watched.any();
  for (const ReadFence::Mark mark : queued.plan.marks()) {
    if (!writes || !session.replies().stops().Blocks(mark)) continue;
    session.replies().stops().StopAtFence();
    return;
  }
  if (!writes) context.marks = queued.plan.marks();
  Request* place = session.Reserve(&row);
  place->holds_pushes = state.tracking.on();
  std::unique_ptr<QueuedBlock> block = state.transaction.Take();
  // What the proxy answers may be about what comes behind EXEC, too: the database, the protocol.
  if (block->plan.has_local()) session.Await(place);
  Request* request = nullptr;
  std::vector<uint32_t> element_of;
  std::shared_ptr<WatchTicket> ticket;
  if (block->plan.row() != nullptr || state.watched.any()) {
    request = MakeRequest(local, session, row, *place, block.get(), &element_of);
    if (state.tracking.on()) TrackBlock(state, *block, request);
    session.pace().Sent(request->shard);
    if (state.watched.any()) ticket = state.watched.TakeTicket();
  } else {
    element_of.resize(block->commands.size());
  }
  ExecReply::Begin(std::make_unique<ExecReply>(&session, place, std::move(block),
                                               std::move(element_of), std::move(ticket)),
                   request);
}

}  // namespace

LocalHandler TransactionHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kMulti:
      return Multi;
    case LocalCommand::kExec:
      return Exec;
    case LocalCommand::kDiscard:
      return Discard;
    case LocalCommand::kWatch:
      return Watch;
    case LocalCommand::kUnwatch:
      return Unwatch;
    default:
      return nullptr;
  }
}

}  // namespace gemel

// SUBSCRIBE and its kind, PUBLISH, PUBSUB. Source: pubsub.c of Redis 7.0.

#include <algorithm>
#include <memory>
#include <utility>

#include "backend/channels/channel_name.h"
#include "backend/channels/keyspace_name.h"
#include "backend/command/ascii.h"
#include "backend/command/glob.h"
#include "backend/resp/resp_writer.h"
#include "backend/spaces/space_channels.h"
#include "proxy/channels/channel_counts.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/subscribe_wish.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

ChannelKind KindOf(const CommandRow& row) {
  switch (row.local) {
    case LocalCommand::kPSubscribe:
    case LocalCommand::kPUnsubscribe:
      return ChannelKind::kPattern;
    case LocalCommand::kSSubscribe:
    case LocalCommand::kSUnsubscribe:
    case LocalCommand::kSPublish:
    case LocalCommand::kPubSubShardChannels:
    case LocalCommand::kPubSubShardNumSub:
      return ChannelKind::kShardChannel;
    default:
      return ChannelKind::kChannel;
  }
}

// As the client calls it.
std::string Shown(const Session& session, ChannelKind kind, std::string_view channel) {
  return ChannelOfClient(kind, channel, session.state().access.prefix());
}

// One confirmation. `channel`: null if it had subscribed to nothing.
void AppendConfirmation(const Session& session, std::string_view verb,
                        const std::string_view* channel, ChannelKind kind, std::string* out) {
  const SessionState& state = session.state();
  std::string shown;
  if (channel != nullptr) shown = Shown(session, kind, *channel);
  AppendConfirmationHead(state.protocol.is_resp3(), verb, channel != nullptr ? &shown : nullptr,
                         out);
  AppendInteger(out, static_cast<int64_t>(state.subscriptions.Told(kind)));
}

// It is read again when it is known what comes of all that is under way for the client.
bool WaitsForAny(Session& session) {
  return session.replies().held_pushes().any_unconfirmed() &&
         !session.replies().stops().awaits_order() && session.replies().StopsBehindAll();
}

// The client may have so many; else it has been answered, or waits until it is known whether it has
// what it asked for before.
bool MayHave(Session& session, const std::vector<std::string>& names) {
  const Subscriptions& subscriptions = session.state().subscriptions;
  const uint64_t most = session.context().pool->config().limits.client_subscriptions;
  const auto more =
      static_cast<size_t>(std::count_if(names.begin(), names.end(), [&](const std::string& name) {
        return !subscriptions.Has(name);
      }));
  if (more == 0 || subscriptions.size() + more <= most) return true;
  if (WaitsForAny(session)) return false;
  session.ReplyError("ERR a client may subscribe to " + std::to_string(most) +
                     " channels and patterns at most ([limits] client_subscriptions)");
  return false;
}

// A name that is under way for the client already: it is not known yet what comes of that.
bool WaitsForSame(Session& session, const std::vector<std::string>& names) {
  HeldPushes& held = session.replies().held_pushes();
  return std::any_of(names.begin(), names.end(),
                     [&held](const std::string& name) { return held.IsUnconfirmed(name); }) &&
         WaitsForAny(session);
}

// Asks the shards that do not tell of them yet. Those that stand behind it are carried out
// meanwhile, for what others publish is to find them: it may wait only for what has been read.
void Subscribe(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const ChannelKind kind = KindOf(row);
  // As in Redis 7.0, within EXEC.
  if (kind == ChannelKind::kShardChannel && session.replies().stops().awaits_order()) {
    session.ReplyError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    return;
  }
  std::vector<std::string> names;
  for (const std::string_view channel : args.subspan(1)) {
    names.push_back(MakeChannelName(kind, channel));
  }
  // What its client published before is not told to it.
  const bool of_keys = std::any_of(names.begin(), names.end(), MayBeAboutKeys);
  if (session.replies().StopsBehindMessages(of_keys)) return;
  if (!MayHave(session, names)) return;
  if (WaitsForSame(session, names)) return;
  const auto wish = SubscribeWish::Make(&session, kind, std::move(names));
  Request* place = session.Reserve(&row);
  wish->Enter();
  wish->Begin(place);
}

void Unsubscribe(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  Subscriptions& subscriptions = session.state().subscriptions;
  const ChannelKind kind = KindOf(row);
  const std::string_view verb = VerbsOf(kind).unsubscribe;
  std::vector<std::string> names;
  if (args.size() == 1) {
    names = subscriptions.Names(kind);
  } else {
    for (const std::string_view channel : args.subspan(1)) {
      names.push_back(MakeChannelName(kind, channel));
    }
  }
  std::string out;
  if (names.empty()) AppendConfirmation(session, verb, nullptr, kind, &out);
  std::vector<std::string> left;
  for (const std::string& name : names) {
    if (subscriptions.Leave(name)) left.push_back(name);
    const std::string_view channel = TextOfChannel(name);
    AppendConfirmation(session, verb, &channel, kind, &out);
  }
  session.context().channels->Give(left);
  session.ReplyNow(out);
}

// A client of RESP3 that gets it itself, which Redis sends it before the answer.
bool HearsItself(const Session& session, ChannelKind kind, std::string_view channel) {
  const Subscriptions& subscriptions = session.state().subscriptions;
  if (!subscriptions.any() || !session.state().protocol.is_resp3()) return false;
  if (subscriptions.Has(MakeChannelName(kind, channel))) return true;
  if (kind != ChannelKind::kChannel) return false;
  const std::vector<std::string> patterns = subscriptions.Names(ChannelKind::kPattern);
  return std::any_of(patterns.begin(), patterns.end(), [channel](const std::string& pattern) {
    return GlobMatchesExactly(TextOfChannel(pattern), channel);
  });
}

// The answer to PUBLISH for such a client: given when all has come that was published until then.
// Owns itself.
class BehindMessages : public RequestSink {
 public:
  // The request to be answered instead of `place`.
  static Request* Make(Session* session, Request* place, uint32_t shard) {
    return session->context().dispatcher->NewFor(*place, new BehindMessages(session, place, shard));
  }

 private:
  BehindMessages(Session* session, Request* place, uint32_t shard)
      : session_(session), place_(place), shard_(shard), pool_(session->context().pool->number()) {}
  bool Wanted() const override { return place_->sink->Wanted(); }
  void OnReply(Request* request, const Reply& reply) override {
    Dispatcher* dispatcher = session_->context().dispatcher;
    const bool published = answer_.empty();
    if (published) answer_ = reply.bytes;
    dispatcher->Free(request);
    if (published && Wanted() && session_->context().pool->number() == pool_) {
      auto cargo = std::make_unique<ChannelsCargo>();
      cargo->worker = dispatcher->worker();
      cargo->barrier = true;
      Request* barrier = dispatcher->New();
      barrier->kind = RequestKind::kChannels;
      barrier->shard = static_cast<uint16_t>(shard_);
      barrier->frame = {};
      barrier->Extra().cargo = std::move(cargo);
      barrier->sink = this;
      dispatcher->SubmitApart(barrier);
      return;
    }
    place_->sink->OnReply(place_, Reply{answer_, nullptr});
    delete this;
  }

  Session* session_;
  Request* place_;
  uint32_t shard_;
  uint64_t pool_;
  std::string answer_;
};

// The shard's primary publishes it; how many get it is known here. They are counted now: who leaves
// when it has heard it did hear it, and who comes before the answer may not.
void Publish(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  // What its client asked before is done before anybody hears of it.
  if (session.replies().StopsBehindOthers(row)) return;
  SessionContext& context = session.context();
  const uint32_t shard = context.pool->ShardOf(args[1]);
  const uint64_t receivers = local.process().channels->ReceiversOf(KindOf(row), args[1]);
  Request* place = session.Reserve(&row);
  if (HearsItself(session, KindOf(row), args[1])) {
    session.Await(place);
    place = BehindMessages::Make(&session, place, shard);
  }
  GatherPtr gather =
      Gather::Make(context.dispatcher, place,
                   [receivers](const std::vector<PartReply>& parts, std::string* out) {
                     if (parts[0].reply.starts_with('-')) {
                       out->append(parts[0].reply);
                     } else {
                       AppendInteger(out, static_cast<int64_t>(receivers));
                     }
                   });
  gather->AddShard(shard, RequestKind::kRead, &row, CommandFrame({args.begin(), args.end()}));
  Gather::Launch(std::move(gather));
  session.pace().Sent(shard);
}

void PubSubChannels(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 3) {
    session.ReplyError(SubcommandSyntaxError(args));
    return;
  }
  const std::vector<std::string> channels =
      local.process().channels->Matching(KindOf(row), args.size() == 3 ? args[2] : "*");
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(channels.size()));
  for (const std::string& channel : channels) AppendBulk(&out, channel);
  session.ReplyNow(out);
}

void PubSubNumSub(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  const LocalArgs channels = args.subspan(2);
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(2 * channels.size()));
  for (const std::string_view channel : channels) {
    AppendBulk(&out, Shown(session, KindOf(row), channel));
    const std::string name = MakeChannelName(KindOf(row), channel);
    AppendInteger(&out, static_cast<int64_t>(local.process().channels->CountOf(name)));
  }
  session.ReplyNow(out);
}

void PubSubNumPat(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendInteger(&out,
                static_cast<int64_t>(local.process().channels->Different(ChannelKind::kPattern)));
  session.ReplyNow(out);
}

}  // namespace

LocalHandler ChannelHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kSubscribe:
    case LocalCommand::kPSubscribe:
    case LocalCommand::kSSubscribe:
      return Subscribe;
    case LocalCommand::kUnsubscribe:
    case LocalCommand::kPUnsubscribe:
    case LocalCommand::kSUnsubscribe:
      return Unsubscribe;
    case LocalCommand::kPublish:
    case LocalCommand::kSPublish:
      return Publish;
    case LocalCommand::kPubSubChannels:
    case LocalCommand::kPubSubShardChannels:
      return PubSubChannels;
    case LocalCommand::kPubSubNumSub:
    case LocalCommand::kPubSubShardNumSub:
      return PubSubNumSub;
    case LocalCommand::kPubSubNumPat:
      return PubSubNumPat;
    default:
      return nullptr;
  }
}

}  // namespace gemel

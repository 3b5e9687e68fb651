// SUBSCRIBE and its kind, PUBLISH, PUBSUB. Source: pubsub.c of Redis 7.0.

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "backend/channels/channel_name.h"
#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "proxy/channels/channel_counts.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/local/local_commands.h"
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

// What a client asked to subscribe to, held for it until it is entered or gone.
class Wish {
 public:
  Wish(ChannelRegistry* registry, ChannelKind kind, LocalArgs channels) : registry_(registry) {
    for (const std::string_view channel : channels) {
      names_.push_back(MakeChannelName(kind, channel));
      registry_->Take(names_.back());
    }
  }
  ~Wish() { registry_->Give(names_); }
  Wish(const Wish&) = delete;
  Wish& operator=(const Wish&) = delete;

  ChannelRegistry* registry() const { return registry_; }
  const std::vector<std::string>& names() const { return names_; }
  std::vector<std::string> TakeNames() { return std::exchange(names_, {}); }

 private:
  ChannelRegistry* registry_;
  std::vector<std::string> names_;
};

// One confirmation. `channel`: null if it had subscribed to nothing.
void AppendConfirmation(const Session& session, std::string_view verb,
                        const std::string_view* channel, ChannelKind kind, std::string* out) {
  const SessionState& state = session.state();
  const size_t begin = out->size();
  AppendArrayHeader(out, 3);
  if (state.protocol.is_resp3()) (*out)[begin] = '>';
  AppendBulk(out, verb);
  if (channel != nullptr) {
    AppendBulk(out, *channel);
  } else if (state.protocol.is_resp3()) {
    AppendNull(out);
  } else {
    AppendNullBulk(out);
  }
  AppendInteger(out, static_cast<int64_t>(state.subscriptions.Told(kind)));
}

// Each has one confirmation, and messages behind it.
void EnterAll(Session* session, Wish* wish, std::string* out) {
  Subscriptions& subscriptions = session->state().subscriptions;
  for (const std::string& name : wish->TakeNames()) {
    const std::string_view channel = TextOfChannel(name);
    const ChannelKind kind = KindOfChannel(name);
    if (subscriptions.Has(name)) {
      wish->registry()->Give({name});
    } else {
      subscriptions.Enter(wish->registry(), &session->replies(), name);
    }
    AppendConfirmation(*session, VerbsOf(kind).subscribe, &channel, kind, out);
  }
}

// Asks the shards that do not tell of them yet.
void Subscribe(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  SessionContext& context = session.context();
  ChannelRegistry* registry = context.channels;
  // As in Redis 7.0, within EXEC.
  if (KindOf(row) == ChannelKind::kShardChannel && session.replies().awaits_order()) {
    session.ReplyError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    return;
  }
  auto wish = std::make_shared<Wish>(registry, KindOf(row), args.subspan(1));
  std::map<uint32_t, std::vector<std::string>> questions;
  for (const std::string& name : wish->names()) {
    if (registry->IsTold(name)) continue;
    for (const uint32_t shard : registry->ShardsOf(name)) questions[shard].push_back(name);
  }
  if (questions.empty()) {
    std::string out;
    EnterAll(&session, wish.get(), &out);
    session.ReplyNow(out);
    return;
  }
  Request* place = session.Reserve(&row);
  session.Await(place);
  GatherPtr gather = Gather::Make(context.dispatcher, place,
                                  [&session, wish, registry, pool = context.pool->number()](
                                      const std::vector<PartReply>& parts, std::string* out) {
                                    for (const PartReply& part : parts) {
                                      if (!part.reply.starts_with('-')) continue;
                                      out->append(part.reply);
                                      return;
                                    }
                                    // A reload meanwhile may have brought shards that were not
                                    // asked.
                                    if (session.context().pool->number() == pool) {
                                      for (const std::string& name : wish->names())
                                        registry->SetTold(name);
                                    }
                                    EnterAll(&session, wish.get(), out);
                                  });
  for (auto& [shard, names] : questions) {
    gather->AddApart(shard, RequestKind::kChannels, registry->Question(true, std::move(names)));
  }
  Gather::Launch(std::move(gather));
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

// The shard's primary publishes it; how many get it is known here.
void Publish(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  // What its client asked before is done before anybody hears of it.
  if (session.replies().StopsBehindOthers(row)) return;
  SessionContext& context = session.context();
  const uint32_t shard = context.pool->ShardOf(args[1]);
  GatherPtr gather = Gather::Make(
      context.dispatcher, session.Reserve(&row),
      [counts = local.process().channels, kind = KindOf(row), channel = std::string(args[1])](
          const std::vector<PartReply>& parts, std::string* out) {
        if (parts[0].reply.starts_with('-')) {
          out->append(parts[0].reply);
        } else {
          AppendInteger(out, static_cast<int64_t>(counts->ReceiversOf(kind, channel)));
        }
      });
  gather->AddShard(shard, RequestKind::kRead, &row, CommandFrame({args.begin(), args.end()}));
  Gather::Launch(std::move(gather));
  session.Sent(shard);
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
    AppendBulk(&out, channel);
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

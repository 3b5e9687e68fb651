// PROXY EVENTS, and the orders of an operator: PROXY PROMOTE, RESYNC, DRAIN and UNDRAIN, which the
// shards carry out (backend/shard/shard_control.h).

#include <charconv>
#include <optional>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "config/address.h"
#include "proxy/local/local_commands.h"
#include "proxy/log/event_log.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// Of what a client sent, in an answer to it.
constexpr size_t kMaxQuoted = 300;

void ProxyEvents(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 3) {
    session.ReplyError(ArityError(row));
    return;
  }
  size_t count = EventLog::kKept;
  if (args.size() == 3) {
    const std::string_view text = args[2];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size() || count < 1 ||
        count > EventLog::kKept) {
      session.ReplyError("ERR the count of PROXY EVENTS is 1 to " +
                         std::to_string(EventLog::kKept));
      return;
    }
  }
  std::vector<Event> events;
  if (local.process().events != nullptr) events = local.process().events->Last(count);
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(events.size()));
  for (const Event& event : events) {
    AppendMapHeader(&out, 4);
    const std::string time = IsoTime(event.unix_us);
    for (const std::string_view text :
         {std::string_view("time"), std::string_view(time), std::string_view("level"),
          NoteLevelName(event.level), std::string_view("shard"), std::string_view(event.shard),
          std::string_view("event"), std::string_view(event.text)}) {
      AppendBulk(&out, text);
    }
  }
  session.ReplyNow(out);
}

// Of an order that went to several shards: OK if all did it.
void MergeOrders(const std::vector<PartReply>& parts, std::string* out) {
  const PartReply* failed = nullptr;
  std::string done;
  for (const PartReply& part : parts) {
    if (part.reply[0] == '-') {
      if (failed == nullptr) failed = &part;
    } else {
      done += (done.empty() ? "'" : ", '") + std::string(part.shard) + "'";
    }
  }
  if (failed == nullptr || done.empty()) {
    out->append(failed == nullptr ? parts[0].reply : failed->reply);
    return;
  }
  const std::string_view error = failed->reply.substr(1, failed->reply.size() - 3);
  AppendError(out, std::string(error) + ". It was done in shard " + done);
}

void SendOrder(Session& session, const CommandRow& row, const std::vector<uint32_t>& shards,
               const ShardOrder& order) {
  GatherPtr gather = Gather::Make(session.context().dispatcher, session.Reserve(&row), MergeOrders);
  for (uint32_t shard : shards) gather->AddOrder(shard, order);
  Gather::Launch(std::move(gather));
}

// As the shards name it; else the client has been answered.
std::optional<std::string> NodeName(Session& session, std::string_view text) {
  std::string error;
  text = text.substr(0, kMaxQuoted);
  const std::optional<Address> address = ParseAddress(text, &error);
  if (address) return address->ToString();
  session.ReplyError("ERR '" + std::string(text) + "' is no address of a node: " + error);
  return std::nullopt;
}

void ProxyPromote(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 5 || (args.size() == 5 && !EqualsLower(args[4], "force"))) {
    session.ReplyError("ERR expected PROXY PROMOTE <shard> [<node> [FORCE]]");
    return;
  }
  const PoolShard* shard = session.context().pool->Find(args[2]);
  if (shard == nullptr) {
    session.ReplyError("ERR there is no shard '" + std::string(args[2].substr(0, kMaxQuoted)) +
                       "'; PROXY SHARDS names them");
    return;
  }
  std::optional<std::string> node = "";
  if (args.size() > 3) node = NodeName(session, args[3]);
  if (!node) return;
  SendOrder(session, row, {shard->slot},
            {args.size() == 5 ? ShardOrder::Verb::kForce : ShardOrder::Verb::kPromote, *node});
}

// RESYNC, DRAIN, UNDRAIN: in every shard that has the node.
void OrderOfNode(Session& session, const CommandRow& row, LocalArgs args, ShardOrder::Verb verb) {
  const std::optional<std::string> node = NodeName(session, args[2]);
  if (!node) return;
  const Pool& pool = *session.context().pool;
  const std::vector<ShardConfig>& configs = pool.config().shards;
  std::vector<uint32_t> shards;
  for (uint32_t i = 0; i < configs.size(); ++i) {
    for (const Address& address : configs[i].Nodes()) {
      if (address.ToString() != *node) continue;
      shards.push_back(pool.shards()[i].slot);
      break;
    }
  }
  if (shards.empty()) {
    session.ReplyError("ERR no shard has a node " + *node + "; PROXY SHARDS names them");
    return;
  }
  SendOrder(session, row, shards, {verb, *node});
}

void ProxyResync(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  OrderOfNode(session, row, args, ShardOrder::Verb::kResync);
}

void ProxyDrain(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  OrderOfNode(session, row, args, ShardOrder::Verb::kDrain);
}

void ProxyUndrain(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  OrderOfNode(session, row, args, ShardOrder::Verb::kUndrain);
}

}  // namespace

LocalHandler ControlHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kProxyEvents:
      return ProxyEvents;
    case LocalCommand::kProxyPromote:
      return ProxyPromote;
    case LocalCommand::kProxyResync:
      return ProxyResync;
    case LocalCommand::kProxyDrain:
      return ProxyDrain;
    case LocalCommand::kProxyUndrain:
      return ProxyUndrain;
    default:
      return nullptr;
  }
}

}  // namespace gemel

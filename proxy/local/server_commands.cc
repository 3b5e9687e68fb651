// INFO, CONFIG, TIME, LOLWUT.

#include <algorithm>
#include <map>

#include "backend/command/ascii.h"
#include "backend/command/glob.h"
#include "backend/link/node_identity.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "config/config_names.h"
#include "proxy/local/info_text.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

void Time(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  const int64_t now_us = local.process().unix_time_us();
  std::string out;
  AppendArrayHeader(&out, 2);
  AppendBulk(&out, std::to_string(now_us / 1000000));
  AppendBulk(&out, std::to_string(now_us % 1000000));
  session.ReplyNow(out);
}

// To its clients it is a master without replicas, as INFO says, too: which node has which role is
// nobody's business but an operator's (PROXY SHARDS).
void Role(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendArrayHeader(&out, 3);
  AppendBulk(&out, "master");
  AppendInteger(&out, 0);
  AppendArrayHeader(&out, 0);
  session.ReplyNow(out);
}

void Lolwut(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  std::string out;
  if (int64_t version = 0;
      args.size() > 2 && EqualsLower(args[1], "version") && !ParseInteger(args[2], &version)) {
    session.ReplyError("ERR value is not an integer or out of range");
    return;
  }
  AppendVerbatim(&out,
                 "  ( )( )\n\nTwo rings made as one. gemel " + local.process().version + "\n");
  session.ReplyNow(out);
}

// INFO's section keyspace, of what the shards say of theirs.
std::string KeyspaceText(const std::vector<PartReply>& parts, const std::vector<uint32_t>& own) {
  std::map<uint32_t, KeyspaceCount> databases;
  for (size_t i = 0; i < parts.size(); ++i) {
    ForEachDatabase(ReplyText(parts[i].reply), [&](uint32_t index, const KeyspaceCount& count) {
      if (own[i] != 0 && index != own[i]) return;
      KeyspaceCount& all = databases[own[i] != 0 ? 0 : index];
      // The mean of those that expire.
      const uint64_t expires = all.expires + count.expires;
      if (expires > 0) {
        all.avg_ttl = (all.avg_ttl * all.expires + count.avg_ttl * count.expires) / expires;
      }
      all.keys += count.keys;
      all.expires = expires;
    });
  }
  std::string text = "# Keyspace\r\n";
  for (const auto& [index, count] : databases) {
    text += "db" + std::to_string(index) + ":keys=" + std::to_string(count.keys) +
            ",expires=" + std::to_string(count.expires) +
            ",avg_ttl=" + std::to_string(count.avg_ttl) + "\r\n";
  }
  return text;
}

void Info(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  std::vector<std::string> wanted;
  for (std::string_view arg : args.subspan(1)) {
    std::string name(arg);
    for (char& c : name) c = AsciiLower(c);
    wanted.push_back(std::move(name));
  }
  const bool keyspace = WantsInfo(wanted, "keyspace");
  const SessionContext& seen = session.context();
  std::string text = InfoText({local.process(), *seen.config, seen.pool->config()}, wanted);
  if (!keyspace) {
    std::string out;
    AppendVerbatim(&out, text);
    session.ReplyNow(out);
    return;
  }
  // What is in the databases is the nodes' to tell.
  const SessionContext& context = session.context();
  std::vector<uint32_t> own;  // of each shard: the database that it has for itself; 0: none
  for (const ShardConfig& shard : context.pool->config().shards) own.push_back(shard.database);
  GatherPtr gather = Gather::Make(
      context.dispatcher, session.Reserve(&row),
      [text, own = std::move(own)](const std::vector<PartReply>& parts, std::string* out) {
        AppendVerbatim(out, text + (text.empty() ? "" : "\r\n") + KeyspaceText(parts, own));
      });
  const CommandRow* dbsize = context.pool->table().FindByName("dbsize");
  gather->AddEachShard(*context.pool, RequestKind::kRead, dbsize,
                       CommandFrame({"INFO", "keyspace"}));
  Gather::Launch(std::move(gather));
}

void ConfigGet(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  const std::vector<ConfigValue> values =
      ConfigValues(*session.context().config, session.context().pool->config());
  std::vector<const ConfigValue*> chosen;
  for (const ConfigValue& value : values) {
    for (std::string_view pattern : args.subspan(2)) {
      if (GlobMatches(pattern, value.name)) {
        chosen.push_back(&value);
        break;
      }
    }
  }
  std::string out;
  AppendMapHeader(&out, static_cast<int64_t>(chosen.size()));
  for (const ConfigValue* value : chosen) {
    AppendBulk(&out, value->name);
    AppendBulk(&out, value->value);
  }
  session.ReplyNow(out);
}

void ConfigResetStat(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyError(
      "ERR CONFIG RESETSTAT is not supported by gemel: its counters only grow, take differences");
}

void ConfigHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendArrayHeader(&out, 9);
  AppendSimple(&out, "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  AppendSimple(&out, "GET <pattern>");
  AppendSimple(&out, "    Return parameters matching the glob-like <pattern> and their values.");
  AppendSimple(&out, "SET <name> <value> [<name> <value> ...]");
  AppendSimple(&out, "    Change options, as a reload would; REWRITE keeps them.");
  AppendSimple(&out, "REWRITE");
  AppendSimple(&out, "    Write what was set into the file, with its comments and order.");
  AppendSimple(&out, "HELP");
  AppendSimple(&out, "    Print this help.");
  session.ReplyNow(out);
}

}  // namespace

LocalHandler ServerHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kRole:
      return Role;
    case LocalCommand::kTime:
      return Time;
    case LocalCommand::kInfo:
      return Info;
    case LocalCommand::kLolwut:
      return Lolwut;
    case LocalCommand::kConfigGet:
      return ConfigGet;
    case LocalCommand::kConfigResetStat:
      return ConfigResetStat;
    case LocalCommand::kConfigHelp:
      return ConfigHelp;
    default:
      return nullptr;
  }
}

}  // namespace gemel

// CONFIG: gemel's own options, which are those of its file, and the nodes' (node_options.h).

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "backend/command/ascii.h"
#include "backend/command/glob.h"
#include "backend/resp/resp_writer.h"
#include "config/config_names.h"
#include "config/config_options.h"
#include "proxy/local/ask_nodes.h"
#include "proxy/local/help_reply.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/node_options.h"
#include "proxy/local/order_process.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// Of what a client sent, in an answer to it.
constexpr size_t kMaxQuotedName = 100;

std::string MapOf(const NodeOptionList& values) {
  std::string out;
  AppendMapHeader(&out, static_cast<int64_t>(values.size()));
  for (const auto& [name, value] : values) {
    AppendBulk(&out, name);
    AppendBulk(&out, value);
  }
  return out;
}

void ConfigGet(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  const SessionContext& context = session.context();
  const bool nodes = context.pool->config().command_rules.node_options;
  std::set<std::string> own;
  NodeOptionList chosen;
  for (ConfigValue& value : ConfigValues(*context.config, context.pool->config())) {
    if (nodes && IsNodesOption(value.name)) continue;
    own.insert(value.name);
    const bool wanted = std::any_of(args.begin() + 2, args.end(), [&](std::string_view pattern) {
      return GlobMatches(pattern, value.name);
    });
    if (wanted) chosen.emplace_back(std::move(value.name), std::move(value.value));
  }
  std::vector<std::string> patterns;
  for (const std::string_view pattern : args.subspan(2)) {
    if (!own.contains(InLowerCase(pattern))) patterns.emplace_back(pattern);
  }
  if (!nodes || patterns.empty() || !FitsAnOrder(session, args)) {
    if (!nodes || patterns.empty()) session.ReplyNow(MapOf(chosen));
    return;
  }
  Request* place = session.Reserve(&row);
  GetNodeOptions(local, session, *place, std::move(patterns), std::move(own),
                 [place, chosen](const NodeOptionList& more, const std::string& error) mutable {
                   std::string out;
                   if (error.empty()) {
                     chosen.insert(chosen.end(), more.begin(), more.end());
                     out = MapOf(chosen);
                   } else {
                     AppendError(&out, error);
                   }
                   AnswerPlace(place, out);
                 });
}

// What CONFIG SET is to do.
struct Settings {
  ReloadOrder own;
  NodeOptionList nodes;
};

// Nothing, and the client has been answered, if it cannot be done. As Redis does it, all names are
// looked at before the values.
std::optional<Settings> ReadSettings(Session& session, LocalArgs args) {
  const bool to_nodes = session.context().pool->config().command_rules.node_options;
  const auto fail = [&session](std::string_view name, const std::string& why) {
    session.ReplyNow(OrderError("CONFIG SET failed (possibly related to argument '" +
                                std::string(name.substr(0, kMaxQuotedName)) + "') - " + why));
    return std::nullopt;
  };
  std::set<std::string> seen;
  std::vector<std::pair<std::string, const OptionInfo*>> options;
  for (size_t i = 2; i + 1 < args.size(); i += 2) {
    std::string name(FileOption(args[i]));
    const OptionInfo* option = FindOption(name);
    if (option == nullptr) {
      name = InLowerCase(args[i]);
      if (!to_nodes) {
        session.ReplyNow(OrderError("Unknown option or number of arguments for CONFIG SET - '" +
                                    std::string(args[i].substr(0, kMaxQuotedName)) + "'"));
        return std::nullopt;
      }
      if (const auto why = WhyOfEachNode(name); !why.empty()) return fail(name, std::string(why));
    }
    if (!seen.insert(name).second) return fail(args[i], "duplicate parameter");
    options.emplace_back(std::move(name), option);
  }
  Settings settings;
  settings.own.cause = "CONFIG SET";
  for (size_t i = 0; i < options.size(); ++i) {
    const auto& [name, option] = options[i];
    if (option == nullptr) {
      settings.nodes.emplace_back(name, args[3 + 2 * i]);
      continue;
    }
    std::string error;
    std::optional<std::string> value =
        TomlValue(option->kind, FileValue(args[2 + 2 * i], args[3 + 2 * i]), &error);
    if (!value) return fail(InLowerCase(args[2 + 2 * i]), error);
    settings.own.cause += " " + name;
    settings.own.sets.emplace_back(name, *std::move(value));
  }
  return settings;
}

// The nodes first: what they have taken is taken back if gemel's own cannot be set.
void ConfigSet(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() % 2 != 0) {
    session.ReplyError("ERR syntax error");
    return;
  }
  if (!FitsAnOrder(session, args)) return;
  std::optional<Settings> settings = ReadSettings(session, args);
  if (!settings) return;
  Request* place = session.Reserve(&row);
  session.Await(place);
  const auto set_own = [&session, place](ReloadOrder order, NodeOptionChangePtr change) {
    OrderProcess(session, place, std::move(order),
                 [context = &session.context(), place, change](const ReloadOutcome& outcome) {
                   if (change != nullptr && outcome.ok) change->Keep();
                   if (outcome.ok) return std::string("+OK\r\n");
                   if (change != nullptr) UndoNodeOptions(context, *place, change);
                   return OrderError("CONFIG SET failed - " + outcome.text);
                 });
  };
  if (settings->nodes.empty()) {
    set_own(std::move(settings->own), nullptr);
    return;
  }
  SetNodeOptions(local, session, *place, std::move(settings->nodes),
                 [place, set_own, own = std::move(settings->own)](const std::string& error,
                                                                  NodeOptionChangePtr change) {
                   if (error.empty() && !own.sets.empty()) {
                     set_own(own, std::move(change));
                     return;
                   }
                   if (change != nullptr) change->Keep();
                   std::string out = "+OK\r\n";
                   if (!error.empty()) {
                     out.clear();
                     AppendError(&out, error);
                   }
                   AnswerPlace(place, out);
                 });
}

void ConfigRewrite(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  ReloadOrder order;
  order.cause = "CONFIG REWRITE";
  order.rewrite = true;
  Request* place = session.Reserve(&row);
  session.Await(place);
  OrderProcess(session, place, std::move(order), [](const ReloadOutcome& outcome) {
    return outcome.ok ? "+OK\r\n" : OrderError("Rewriting config file: " + outcome.text);
  });
}

void ConfigHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyNow(HelpReply(
      "CONFIG",
      {"GET <pattern>", "    Return parameters matching the glob-like <pattern> and their values.",
       "SET <directive> <value>", "    Set the configuration <directive> to <value>.", "RESETSTAT",
       "    Reset statistics reported by the INFO command.", "REWRITE",
       "    Rewrite the configuration file."}));
}

}  // namespace

LocalHandler ConfigHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kConfigGet:
      return ConfigGet;
    case LocalCommand::kConfigSet:
      return ConfigSet;
    case LocalCommand::kConfigRewrite:
      return ConfigRewrite;
    case LocalCommand::kConfigHelp:
      return ConfigHelp;
    default:
      return nullptr;
  }
}

}  // namespace gemel

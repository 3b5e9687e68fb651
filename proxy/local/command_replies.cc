#include "proxy/local/command_replies.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/command/command_docs.h"
#include "backend/command/glob.h"
#include "backend/command/key_finder.h"
#include "backend/command/key_flags.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

using Args = std::span<const std::string_view>;
using Rows = std::vector<const CommandRow*>;

bool IsSubcommand(const CommandRow& row) { return row.name.find('|') != std::string_view::npos; }

// The rows "container|..." stand right behind their container's in the order of names, but for
// commands that have its name as their beginning.
Rows AvailableSubcommands(const CommandTable& table, const CommandRow& container) {
  Rows found;
  if ((container.flags & kCmdContainer) == 0) return found;
  const std::string prefix = std::string(container.name) + "|";
  const auto rows = table.rows();
  auto row = std::lower_bound(rows.begin(), rows.end(), prefix,
                              [](const CommandRow& r, const std::string& p) { return r.name < p; });
  for (; row != rows.end() && row->name.starts_with(prefix); ++row) {
    if (row->split != Split::kNotSupported) found.push_back(&*row);
  }
  return found;
}

// Can a client use it, or one of its subcommands?
bool IsAvailable(const CommandTable& table, const CommandRow& row) {
  return row.split != Split::kNotSupported || !AvailableSubcommands(table, row).empty();
}

Rows AvailableCommands(const CommandTable& table) {
  Rows found;
  for (const CommandRow& row : table.rows()) {
    if (!IsSubcommand(row) && IsAvailable(table, row)) found.push_back(&row);
  }
  return found;
}

// ---- COMMAND, COMMAND INFO

struct FlagName {
  uint32_t flag;
  std::string_view name;
};
constexpr FlagName kFlagNames[] = {
    {kCmdWrite, "write"},
    {kCmdReadonly, "readonly"},
    {kCmdDenyOom, "denyoom"},
    {kCmdAdmin, "admin"},
    {kCmdPubSub, "pubsub"},
    {kCmdNoScript, "noscript"},
    {kCmdBlocking, "blocking"},
    {kCmdLoading, "loading"},
    {kCmdStale, "stale"},
    {kCmdSkipMonitor, "skip_monitor"},
    {kCmdSkipSlowlog, "skip_slowlog"},
    {kCmdAsking, "asking"},
    {kCmdFast, "fast"},
    {kCmdNoAuth, "no_auth"},
    {kCmdNoAsyncLoading, "no_async_loading"},
    {kCmdNoMulti, "no_multi"},
    {kCmdNoMandatoryKeys, "no_mandatory_keys"},
    {kCmdAllowBusy, "allow_busy"},
    {kCmdMovableKeys, "movablekeys"},
};

void AppendFlags(const CommandRow& row, std::string* out) {
  int64_t count = 0;
  for (const FlagName& f : kFlagNames) count += (row.flags & f.flag) != 0;
  AppendSetHeader(out, count);
  for (const FlagName& f : kFlagNames) {
    if ((row.flags & f.flag) != 0) AppendSimple(out, f.name);
  }
}

// Redis's categories as they follow from the flags and the group; those that Redis adds by hand
// (@dangerous for KEYS, ...) are left out.
std::vector<std::string_view> Categories(const CommandRow& row) {
  struct GroupName {
    std::string_view group, category;
  };
  static constexpr GroupName kGroups[] = {{"generic", "@keyspace"},
                                          {"string", "@string"},
                                          {"bitmap", "@bitmap"},
                                          {"hyperloglog", "@hyperloglog"},
                                          {"list", "@list"},
                                          {"set", "@set"},
                                          {"sorted-set", "@sortedset"},
                                          {"hash", "@hash"},
                                          {"stream", "@stream"},
                                          {"geo", "@geo"},
                                          {"scripting", "@scripting"},
                                          {"transactions", "@transaction"},
                                          {"connection", "@connection"}};
  const CommandDoc* doc = FindCommandDoc(row.name);
  const std::string_view group = doc == nullptr ? std::string_view() : doc->group;
  std::vector<std::string_view> names;
  if ((row.flags & kCmdWrite) != 0) names.push_back("@write");
  if ((row.flags & kCmdReadonly) != 0 && group != "scripting") names.push_back("@read");
  for (const GroupName& g : kGroups) {
    if (g.group == group) names.push_back(g.category);
  }
  if ((row.flags & kCmdPubSub) != 0) names.push_back("@pubsub");
  if ((row.flags & kCmdBlocking) != 0) names.push_back("@blocking");
  names.push_back((row.flags & kCmdFast) != 0 ? "@fast" : "@slow");
  if ((row.flags & kCmdAdmin) != 0) names.insert(names.end(), {"@admin", "@dangerous"});
  return names;
}

void AppendInfo(const CommandTable& table, const CommandRow& row, std::string* out) {
  AppendArrayHeader(out, 10);
  AppendBulk(out, row.name);
  AppendInteger(out, row.arity);
  AppendFlags(row, out);
  AppendInteger(out, row.first_key);
  AppendInteger(out, row.last_key);
  AppendInteger(out, row.key_step);
  const std::vector<std::string_view> categories = Categories(row);
  AppendSetHeader(out, static_cast<int64_t>(categories.size()));
  for (std::string_view name : categories) AppendSimple(out, name);
  AppendSetHeader(out, 0);  // tips
  AppendSetHeader(out, 0);  // key specifications: COMMAND GETKEYS answers for movable keys
  const Rows subcommands = AvailableSubcommands(table, row);
  const int64_t count = static_cast<int64_t>(subcommands.size());
  count == 0 ? AppendSetHeader(out, 0) : AppendArrayHeader(out, count);
  for (const CommandRow* subcommand : subcommands) AppendInfo(table, *subcommand, out);
}

void AppendInfoOf(const CommandTable& table, Args names, std::string* out) {
  if (names.empty()) {
    const Rows rows = AvailableCommands(table);
    AppendArrayHeader(out, static_cast<int64_t>(rows.size()));
    for (const CommandRow* row : rows) AppendInfo(table, *row, out);
    return;
  }
  AppendArrayHeader(out, static_cast<int64_t>(names.size()));
  for (std::string_view name : names) {
    const CommandRow* row = table.FindByName(name);
    if (row == nullptr || !IsAvailable(table, *row)) {
      AppendNull(out);
    } else {
      AppendInfo(table, *row, out);
    }
  }
}

// ---- COMMAND DOCS

void AppendDoc(const CommandTable& table, const CommandRow& row, std::string* out) {
  const CommandDoc* doc = FindCommandDoc(row.name);
  const Rows subcommands = AvailableSubcommands(table, row);
  AppendBulk(out, row.name);
  AppendMapHeader(out, subcommands.empty() ? 3 : 4);
  AppendBulk(out, "summary");
  AppendBulk(out, doc == nullptr ? "A command of gemel's config" : doc->summary);
  AppendBulk(out, "since");
  AppendBulk(out, doc == nullptr ? "" : doc->since);
  AppendBulk(out, "group");
  AppendBulk(out, doc == nullptr ? "module" : doc->group);
  if (subcommands.empty()) return;
  AppendBulk(out, "subcommands");
  AppendMapHeader(out, static_cast<int64_t>(subcommands.size()));
  for (const CommandRow* subcommand : subcommands) AppendDoc(table, *subcommand, out);
}

// Names that are not known are left out, as Redis does.
void AppendDocsOf(const CommandTable& table, Args names, std::string* out) {
  Rows rows;
  if (names.empty()) rows = AvailableCommands(table);
  for (std::string_view name : names) {
    const CommandRow* row = table.FindByName(name);
    if (row != nullptr && IsAvailable(table, *row)) rows.push_back(row);
  }
  AppendMapHeader(out, static_cast<int64_t>(rows.size()));
  for (const CommandRow* row : rows) AppendDoc(table, *row, out);
}

// ---- COMMAND LIST

// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]
void AppendList(const CommandTable& table, Args args, std::string* out) {
  enum class Filter { kNone, kModule, kCategory, kPattern } filter = Filter::kNone;
  std::string wanted;
  if (args.size() > 2) {
    const bool filtered = args.size() == 5 && EqualsLower(args[2], "filterby");
    if (filtered && EqualsLower(args[3], "module")) {
      filter = Filter::kModule;
    } else if (filtered && EqualsLower(args[3], "aclcat")) {
      filter = Filter::kCategory;
      wanted = "@";
    } else if (filtered && EqualsLower(args[3], "pattern")) {
      filter = Filter::kPattern;
    } else {
      AppendError(out, "ERR syntax error");
      return;
    }
    for (char c : args[4]) wanted += AsciiLower(c);
  }
  Rows rows;
  for (const CommandRow& row : table.rows()) {
    if (filter == Filter::kModule) break;  // gemel does not know which module brings a command
    if (!IsAvailable(table, row)) continue;
    if (filter == Filter::kCategory) {
      const std::vector<std::string_view> names = Categories(row);
      if (std::find(names.begin(), names.end(), wanted) == names.end()) continue;
    }
    if (filter == Filter::kPattern && !GlobMatches(wanted, row.name)) continue;
    rows.push_back(&row);
  }
  AppendArrayHeader(out, static_cast<int64_t>(rows.size()));
  for (const CommandRow* row : rows) AppendBulk(out, row->name);
}

// ---- COMMAND GETKEYS, COMMAND GETKEYSANDFLAGS

// A set of the words, which are apart by spaces.
void AppendWords(std::string_view words, std::string* out) {
  AppendSetHeader(out, 1 + std::count(words.begin(), words.end(), ' '));
  for (size_t begin = 0; begin < words.size();) {
    const size_t end = std::min(words.find(' ', begin), words.size());
    AppendSimple(out, words.substr(begin, end - begin));
    begin = end + 1;
  }
}

void AppendKeys(const CommandTable& table, Args command, bool with_flags, std::string* out) {
  const CommandRow* row = table.Find(command);
  std::vector<uint32_t> keys;
  if (row == nullptr) {
    AppendError(out, "ERR Invalid command specified");
  } else if (row->key_rule == KeyRule::kNone || (row->flags & kCmdPubSub) != 0) {
    AppendError(out, "ERR The command has no key arguments");
  } else if (!ArityFits(*row, command.size())) {
    AppendError(out, "ERR Invalid number of arguments specified for command");
  } else if (!FindKeys(*row, command, &keys)) {
    AppendError(out, "ERR Invalid arguments specified for command");
  } else {
    AppendArrayHeader(out, static_cast<int64_t>(keys.size()));
    const KeyFlags flags = KeyFlagsOf(*row, command);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (with_flags) AppendArrayHeader(out, 2);
      AppendBulk(out, command[keys[i]]);
      if (with_flags) AppendWords(i == 0 ? flags.first : flags.rest, out);
    }
  }
}

// ---- HELP

constexpr std::string_view kCommandHelp[] = {
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all commands that this proxy takes.",
    "COUNT",
    "    Return the number of commands that this proxy takes.",
    "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    Return a list of the commands that this proxy takes.",
    "INFO [<command-name> ...]",
    "    Return details about the named commands, or about all.",
    "DOCS [<command-name> ...]",
    "    Return documentation about the named commands, or about all.",
    "GETKEYS <full-command>",
    "    Return the keys from a full command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full command.",
    "HELP",
    "    Prints this help.",
};

constexpr std::string_view kProxyHelp[] = {
    "PROXY <subcommand> [<arg> ...]. Subcommands are:",
    "SHARDS",
    "    Show each shard: its nodes, their roles, which are in sync or stale, the epoch, the",
    "    health and what is pending.",
    "AUDIT [<shard>]",
    "    Compare the copies of a shard, or of every shard, key by key at full speed, make what "
    "differs",
    "    equal to the primary's, and report when that is done.",
    "EXPLAIN <full-command>",
    "    Show where a command would go, and why: each key's hash, point on the ring and shard, the",
    "    nodes that a write goes to and the node that serves a read. Sends nothing.",
    "EVENTS [<count>]",
    "    Show the last events of the shards, 1000 at most, newest last: promotions, stale marks,",
    "    lost connections, resyncs, repairs, and what was asked for by these commands.",
    "PROMOTE <shard> [<node>]",
    "    Hand the primary's role over to a copy that is in sync: to <node>, or to the first one.",
    "    Clients wait for a moment and see no error.",
    "PROMOTE <shard> <node> FORCE",
    "    Where no copy that is in sync is up: promote a stale one with the data that it has. The",
    "    writes that it missed are lost.",
    "RELOAD [DRYRUN] [FORCE]",
    "    Read the config file again. DRYRUN: only say what would change. FORCE: even if the only",
    "    copy in sync of a shard leaves it.",
    "RESYNC <node>",
    "    Copy a replica anew from its primary.",
    "DRAIN <node>",
    "    Take a node out for maintenance: its role is handed over, and nothing is sent to it. "
    "After",
    "    the reply it may be stopped.",
    "UNDRAIN <node>",
    "    Let a drained node in again: it is made equal, then it counts as in sync.",
    "HELP",
    "    Prints this help.",
};

void AppendHelp(std::span<const std::string_view> lines, std::string* out) {
  AppendArrayHeader(out, static_cast<int64_t>(lines.size()));
  for (std::string_view line : lines) AppendSimple(out, line);
}

}  // namespace

bool AppendCommandReply(const CommandTable& table, LocalCommand command, Args args,
                        std::string* out) {
  switch (command) {
    case LocalCommand::kCommand:
      AppendInfoOf(table, {}, out);
      return true;
    case LocalCommand::kCommandInfo:
      AppendInfoOf(table, args.subspan(2), out);
      return true;
    case LocalCommand::kCommandCount:
      AppendInteger(out, static_cast<int64_t>(AvailableCommands(table).size()));
      return true;
    case LocalCommand::kCommandDocs:
      AppendDocsOf(table, args.subspan(2), out);
      return true;
    case LocalCommand::kCommandList:
      AppendList(table, args, out);
      return true;
    case LocalCommand::kCommandGetKeys:
      AppendKeys(table, args.subspan(2), false, out);
      return true;
    case LocalCommand::kCommandGetKeysAndFlags:
      AppendKeys(table, args.subspan(2), true, out);
      return true;
    case LocalCommand::kCommandHelp:
      AppendHelp(kCommandHelp, out);
      return true;
    case LocalCommand::kProxyHelp:
      AppendHelp(kProxyHelp, out);
      return true;
    default:
      return false;
  }
}

}  // namespace gemel

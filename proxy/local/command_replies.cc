#include "proxy/local/command_replies.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/command/command_docs.h"
#include "backend/command/glob.h"
#include "backend/command/key_finder.h"
#include "backend/command/key_flags.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/command_info.h"
#include "proxy/local/help_reply.h"

namespace gemel {

namespace {

using Args = std::span<const std::string_view>;
using Rows = std::vector<const CommandRow*>;

bool IsSubcommand(const CommandRow& row) { return row.name.find('|') != std::string_view::npos; }

// The rows "container|..." stand right behind their container's in the order of names, but for
// commands that have its name as their beginning.
Rows AvailableSubcommands(const CommandNames& names, const CommandRow& container) {
  Rows found;
  if ((container.flags & kCmdContainer) == 0) return found;
  const std::string prefix = std::string(container.name) + "|";
  const auto rows = names.table().rows();
  auto row = std::lower_bound(rows.begin(), rows.end(), prefix,
                              [](const CommandRow& r, const std::string& p) { return r.name < p; });
  for (; row != rows.end() && row->name.starts_with(prefix); ++row) {
    if (row->split != Split::kNotSupported && !names.IsHidden(*row)) found.push_back(&*row);
  }
  return found;
}

// Can a client use it, or one of its subcommands?
bool IsAvailable(const CommandNames& names, const CommandRow& row) {
  return !names.IsHidden(row) &&
         (row.split != Split::kNotSupported || !AvailableSubcommands(names, row).empty());
}

Rows AvailableCommands(const CommandNames& names) {
  Rows found;
  for (const CommandRow& row : names.table().rows()) {
    if (!IsSubcommand(row) && IsAvailable(names, row)) found.push_back(&row);
  }
  return found;
}

// ---- COMMAND, COMMAND INFO

void AppendInfo(const CommandNames& names, const CommandRow& row, std::string* out) {
  AppendCommandInfo(row, out);
  const Rows subcommands = AvailableSubcommands(names, row);
  const int64_t count = static_cast<int64_t>(subcommands.size());
  count == 0 ? AppendSetHeader(out, 0) : AppendArrayHeader(out, count);
  for (const CommandRow* subcommand : subcommands) AppendInfo(names, *subcommand, out);
}

void AppendInfoOf(const CommandNames& names, Args asked, std::string* out) {
  if (asked.empty()) {
    const Rows rows = AvailableCommands(names);
    AppendArrayHeader(out, static_cast<int64_t>(rows.size()));
    for (const CommandRow* row : rows) AppendInfo(names, *row, out);
    return;
  }
  AppendArrayHeader(out, static_cast<int64_t>(asked.size()));
  for (std::string_view name : asked) {
    const CommandRow* row = names.table().FindByName(name);
    if (row == nullptr || !IsAvailable(names, *row)) {
      AppendNull(out);
    } else {
      AppendInfo(names, *row, out);
    }
  }
}

// ---- COMMAND DOCS

void AppendDoc(const CommandNames& names, const CommandRow& row, std::string* out) {
  const CommandDoc* doc = FindCommandDoc(row.name);
  const Rows subcommands = AvailableSubcommands(names, row);
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
  for (const CommandRow* subcommand : subcommands) AppendDoc(names, *subcommand, out);
}

// By name; the views lie in the reply. Empty if it is no map.
std::map<std::string_view, std::string_view> FieldsOf(std::string_view reply) {
  std::map<std::string_view, std::string_view> fields;
  std::vector<std::string_view> elements;
  if (reply.empty() || reply[0] == '-' || !SplitArray(reply, &elements)) return fields;
  for (size_t i = 0; i + 1 < elements.size(); i += 2) {
    fields.emplace(ReplyText(elements[i]), elements[i + 1]);
  }
  return fields;
}

// What a node says of a command, but for subcommands that cannot be used here; and for those that
// it does not know, what gemel says.
void AppendDocOfNode(const CommandNames& names, const CommandRow& row, std::string_view doc,
                     std::string* out) {
  const Rows subcommands = AvailableSubcommands(names, row);
  std::vector<std::string_view> fields;
  SplitArray(doc, &fields);
  std::string kept;
  int64_t count = subcommands.empty() ? 0 : 1;
  std::map<std::string_view, std::string_view> told;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (ReplyText(fields[i]) == "subcommands") {
      told = FieldsOf(fields[i + 1]);
      continue;
    }
    kept.append(fields[i]).append(fields[i + 1]);
    ++count;
  }
  AppendBulk(out, row.name);
  AppendMapHeader(out, count);
  out->append(kept);
  if (subcommands.empty()) return;
  AppendBulk(out, "subcommands");
  AppendMapHeader(out, static_cast<int64_t>(subcommands.size()));
  for (const CommandRow* subcommand : subcommands) {
    const auto found = told.find(subcommand->name);
    if (found == told.end()) {
      AppendDoc(names, *subcommand, out);
    } else {
      AppendDocOfNode(names, *subcommand, found->second, out);
    }
  }
}

}  // namespace

// Names that are not known are left out, as Redis does.
void AppendCommandDocs(const CommandNames& names, std::span<const std::string_view> asked,
                       std::string_view of_node, std::string* out) {
  Rows rows;
  if (asked.empty()) rows = AvailableCommands(names);
  for (std::string_view name : asked) {
    const CommandRow* row = names.table().FindByName(name);
    if (row != nullptr && IsAvailable(names, *row)) rows.push_back(row);
  }
  const std::map<std::string_view, std::string_view> told = FieldsOf(of_node);
  AppendMapHeader(out, static_cast<int64_t>(rows.size()));
  for (const CommandRow* row : rows) {
    const auto found = told.find(row->name);
    if (found == told.end()) {
      AppendDoc(names, *row, out);
    } else {
      AppendDocOfNode(names, *row, found->second, out);
    }
  }
}

namespace {

// ---- COMMAND LIST

// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]
void AppendList(const CommandNames& names, Args args, std::string* out) {
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
  for (const CommandRow& row : names.table().rows()) {
    if (filter == Filter::kModule) break;  // gemel does not know which module brings a command
    if (!IsAvailable(names, row)) continue;
    if (filter == Filter::kCategory) {
      const std::vector<std::string_view> all = CategoriesOf(row);
      if (std::find(all.begin(), all.end(), wanted) == all.end()) continue;
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

void AppendKeys(const CommandNames& names, Args command, bool with_flags, std::string* out) {
  const CommandRow* row = names.Find(command);
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
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
};

constexpr std::string_view kProxyHelp[] = {
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
    "HOTKEYS [<count>]",
    "    Show the keys that are read and written most, of late: 16 or so many, about how often a",
    "    second, and which part of its shard's reads or writes that is. By a sample.",
    "BIGKEYS [<count>]",
    "    Show the largest keys that passed by or that the audit came across: 16 or so many, their",
    "    bytes, and what says so: a reply, a request, or the node's memory.",
    "EVENTS [<count>]",
    "    Show the last events of the shards, 1000 at most, newest last: promotions, stale marks,",
    "    lost connections, resyncs, repairs, and what was asked for by these commands.",
    "FLEET",
    "    Show the fleet: its members, which of them own which shards until when, and how the",
    "    coordinator is reached: who leads its servers, which of them answer, how far each is "
    "behind.",
    "FLEET DRAIN",
    "    Hand all shards of this member over to others, so that it can be stopped. It goes on to",
    "    serve its clients.",
    "FLEET UNDRAIN",
    "    Let this member own shards again.",
    "FLEET BALANCE",
    "    Spread the shards evenly at once, and not only when nobody has come or gone for a while.",
    "FLEET VOTER ADD|REMOVE <host:port>",
    "    Let that member vote among those that keep what the fleet agrees on (raft alone), or not "
    "any",
    "    more. PROXY FLEET shows in `change` what has become of it.",
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
    "SLOWLOG [<count>]",
    "    Show the last entries of SLOWLOG (10; -1: all) with where the time went: in gemel, on the",
    "    wire, at the node.",
    "TRACE <pattern> <seconds> [COUNT <n>]",
    "    Wait for so long (60 at most), or until <n> requests were answered (100; 10000 at most) "
    "of",
    "    which the name or an argument matches the pattern, and show them with where their time",
    "    went. Of each worker 20000 requests a second are looked at, and no more.",
    "DRAIN <node>",
    "    Take a node out for maintenance: its role is handed over, and nothing is sent to it. "
    "After",
    "    the reply it may be stopped.",
    "UNDRAIN <node>",
    "    Let a drained node in again: it is made equal, then it counts as in sync.",
    "UPGRADE [<path>]",
    "    Go over to the binary that lies now where this one did, or at <path>, without dropping a",
    "    client: they wait for a moment. One that is not good for that is refused.",
};

}  // namespace

bool AppendCommandReply(const CommandNames& names, LocalCommand command, Args args,
                        std::string* out) {
  switch (command) {
    case LocalCommand::kCommand:
      AppendInfoOf(names, {}, out);
      return true;
    case LocalCommand::kCommandInfo:
      AppendInfoOf(names, args.subspan(2), out);
      return true;
    case LocalCommand::kCommandCount:
      AppendInteger(out, static_cast<int64_t>(AvailableCommands(names).size()));
      return true;
    case LocalCommand::kCommandList:
      AppendList(names, args, out);
      return true;
    case LocalCommand::kCommandGetKeys:
      AppendKeys(names, args.subspan(2), false, out);
      return true;
    case LocalCommand::kCommandGetKeysAndFlags:
      AppendKeys(names, args.subspan(2), true, out);
      return true;
    case LocalCommand::kCommandHelp:
      out->append(HelpReply("COMMAND", kCommandHelp));
      return true;
    case LocalCommand::kProxyHelp:
      out->append(HelpReply("PROXY", kProxyHelp));
      return true;
    default:
      return false;
  }
}

}  // namespace gemel

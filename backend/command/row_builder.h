// Helpers with which the rows of command_rows_*.cc read well. Included by those files alone.

#ifndef GEMEL_BACKEND_COMMAND_ROW_BUILDER_H_
#define GEMEL_BACKEND_COMMAND_ROW_BUILDER_H_

#include <span>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel::rows {

// The groups of rows, one a file; command_table.cc puts them together.
std::span<const CommandRow> StringRows();      // strings, bitmaps, HyperLogLogs, any key
std::span<const CommandRow> CollectionRows();  // lists, sets, sorted sets, hashes
std::span<const CommandRow> StreamRows();      // streams, geo, scripts, publish/subscribe, MULTI
std::span<const CommandRow> ServerRows();      // connection, server, cluster, PROXY

// Redis's flags, short.
inline constexpr uint32_t kPlain = 0;
inline constexpr uint32_t kDenyOom = kCmdDenyOom;
inline constexpr uint32_t kAdmin = kCmdAdmin;
inline constexpr uint32_t kPubSub = kCmdPubSub;
inline constexpr uint32_t kNoScript = kCmdNoScript;
inline constexpr uint32_t kBlocking = kCmdBlocking;
inline constexpr uint32_t kLoading = kCmdLoading;
inline constexpr uint32_t kStale = kCmdStale;
inline constexpr uint32_t kFast = kCmdFast;
inline constexpr uint32_t kNoAuth = kCmdNoAuth;
inline constexpr uint32_t kNoMulti = kCmdNoMulti;
inline constexpr uint32_t kAllowBusy = kCmdAllowBusy;
inline constexpr uint32_t kNoAsync = kCmdNoAsyncLoading;
inline constexpr uint32_t kNotQueued = kCmdNotQueued;
inline constexpr uint32_t kAfterAll = kCmdAfterAll;
inline constexpr uint32_t kHelp = kCmdLoading | kCmdStale;  // every HELP subcommand's
inline constexpr uint32_t kConn = kCmdNoScript | kCmdLoading | kCmdStale;
inline constexpr uint32_t kScript =
    kCmdNoScript | kCmdStale | kCmdSkipMonitor | kCmdNoMandatoryKeys | kCmdLooseReplication;

// Where the keys are.
struct Keys {
  KeyRule rule = KeyRule::kNone;
  int16_t first = 0;
  int16_t last = 0;
  int16_t step = 0;
  Movable movable = Movable::kNone;
  uint8_t at = 0;
  NumkeysError error = NumkeysError::kOfScripts;
};
inline constexpr Keys kNoKeys{};
constexpr Keys Key(int16_t at) { return {KeyRule::kRange, at, at, 1}; }
constexpr Keys KeyRange(int16_t first, int16_t last, int16_t step = 1) {
  return {KeyRule::kRange, first, last, step};
}
constexpr Keys Numkeys(uint8_t at, NumkeysError error) {
  return {KeyRule::kMovable, 0, 0, 0, Movable::kNumkeys, at, error};
}
constexpr Keys NumkeysOfScript() { return Numkeys(2, NumkeysError::kOfScripts); }
constexpr Keys NumkeysOfPop(uint8_t at) { return Numkeys(at, NumkeysError::kGreater); }
inline constexpr Keys kNumkeysOfUnion = Numkeys(1, NumkeysError::kAtLeastOne);
inline constexpr Keys kDestNumkeys{KeyRule::kMovable,        1, 1, 1, Movable::kDestNumkeys, 2,
                                   NumkeysError::kAtLeastOne};
inline constexpr Keys kStreams{KeyRule::kMovable, 0, 0, 0, Movable::kStreams};
inline constexpr Keys kSortKeys{KeyRule::kMovable, 1, 1, 1, Movable::kSort};
inline constexpr Keys kMigrateKeys{KeyRule::kMovable, 3, 3, 1, Movable::kMigrate};
constexpr Keys GeoRadius(uint8_t options) {
  return {KeyRule::kMovable, 1, 1, 1, Movable::kGeoRadius, options};
}

// A row, with what differs from the usual added after it: Write("mset",
// ...).EachKey(Merge::kAllOk).
struct Row : CommandRow {
  constexpr Row(std::string_view row_name, int row_arity, uint32_t row_flags, Keys keys) {
    name = row_name;
    arity = static_cast<int16_t>(row_arity);
    flags = row_flags | (keys.rule == KeyRule::kMovable ? kCmdMovableKeys : 0u);
    key_rule = keys.rule;
    first_key = keys.first;
    last_key = keys.last;
    key_step = keys.step;
    movable = keys.movable;
    numkeys_at = keys.at;
    numkeys_error = keys.error;
  }

  constexpr Row With(Split s, Merge m) const {
    Row row = *this;
    row.split = s;
    row.merge = m;
    return row;
  }
  constexpr Row EachKey(Merge m) const { return With(Split::kEachKey, m); }
  constexpr Row EachShard(Merge m) const { return With(Split::kEachShard, m); }
  constexpr Row AnyShard() const { return With(Split::kAnyShard, Merge::kFirstFull); }
  constexpr Row Flags(uint32_t more) const {
    Row row = *this;
    row.flags |= more;
    return row;
  }
  constexpr Row PrimaryOnly() const { return Flags(kCmdPrimaryOnly); }
  constexpr Row HasCursor() const { return Flags(kCmdPrimaryOnly | kCmdCursor); }
  constexpr Row LooselyReplicated() const { return Flags(kCmdLooseReplication); }
  constexpr Row Short() const { return Flags(kCmdShort); }
  // Redis calls it a read, yet every copy must be sent it.
  constexpr Row SameBytes() const {
    Row row = *this;
    row.second_copy = SecondCopy::kSameBytes;
    return row;
  }
  // Its outcome may differ from copy to copy: the others get the state of its keys,
  constexpr Row StateCopy() const {
    Row row = *this;
    row.second_copy = SecondCopy::kStateCopy;
    return row;
  }
  // or a command that is made from the first one's reply.
  constexpr Row Rewritten(Rewrite function, AskFirst ask_first = nullptr) const {
    Row row = RewrittenByArgs(function, ask_first);
    row.second_copy = SecondCopy::kRewrite;
    return row;
  }
  constexpr Row AsksBefore() const {
    Row row = *this;
    row.ask_before = true;
    return row;
  }
  // Where the row's ArgRule says so.
  constexpr Row RewrittenByArgs(Rewrite function, AskFirst ask_first = nullptr) const {
    Row row = *this;
    row.rewrite = function;
    row.ask = ask_first;
    return row;
  }
  constexpr Row Confined(Confine function) const {
    Row row = *this;
    row.confine = function;
    return row;
  }
  // The same, and there is no way yet.
  constexpr Row NotYet(std::string_view why) const {
    Row row = *this;
    row.second_copy = SecondCopy::kNotYet;
    row.refusal = why;
    return row;
  }
  constexpr Row WritesOnly(WrittenKeys keys) const {
    Row row = *this;
    row.written = keys;
    return row;
  }
  constexpr Row Expires(ExpiryRule rule) const {
    Row row = *this;
    row.expiry = rule;
    return row;
  }
  constexpr Row ShowsScript() const {
    Row row = *this;
    row.script = ScriptRule::kText;
    return row;
  }
  // The row that is given the script's text instead.
  constexpr Row NamesScript(std::string_view by_text_row) const {
    Row row = *this;
    row.script = ScriptRule::kSha;
    row.by_text = by_text_row;
    return row;
  }
  constexpr Row IfItReads(std::string_view row_name) const {
    Row row = *this;
    row.if_reads = row_name;
    return row;
  }
  constexpr Row CallsFunction() const {
    Row row = *this;
    row.script = ScriptRule::kFunction;
    return row;
  }
  constexpr Row Of(Elements kind) const {
    Row row = *this;
    row.elements = kind;
    return row;
  }
  // Where BLOCK is an option.
  constexpr Row MayBlock() const {
    Row row = By(ArgRule::kBlocks).Of(Elements::kStream);
    row.blocking = Blocking::kOption;
    row.at_once = row.name;
    return row;
  }
  constexpr Row NoEffectIf(NoEffect reply) const {
    Row row = *this;
    row.no_effect = reply;
    return row;
  }
  constexpr Row InResp2(Resp2Form form) const {
    Row row = *this;
    row.resp2 = form;
    return row;
  }
  // The arguments decide. `why` is for those invocations that are kNotYet or refused.
  constexpr Row By(ArgRule rule, std::string_view why = {}) const {
    Row row = *this;
    row.arg_rule = rule;
    row.refusal = why;
    return row;
  }
};

constexpr Row Read(std::string_view name, int arity, uint32_t flags, Keys keys) {
  return Row(name, arity, flags | kCmdReadonly, keys);
}
// A read in effect, which Redis does not call one: it has no keys, and the node tells of itself.
constexpr Row Asked(std::string_view name, int arity, uint32_t flags) {
  return Row(name, arity, flags, kNoKeys).PrimaryOnly();
}
constexpr Row Write(std::string_view name, int arity, uint32_t flags, Keys keys) {
  Row row(name, arity, flags | kCmdWrite, keys);
  row.second_copy = SecondCopy::kSameBytes;
  return row;
}
// One that waits for what it wants: a node is asked by `at_once`, and what that took by mistake is
// put back by `put_back`.
constexpr Row Blocks(std::string_view name, int arity, uint32_t flags, Blocking blocking, Keys keys,
                     std::string_view at_once, std::string_view put_back = {}) {
  Row row = Write(name, arity, flags | kBlocking, keys)
                .By(ArgRule::kBlocks)
                .InResp2(Resp2Form::kNullArray)
                .NoEffectIf(NoEffect::kEmpty);
  row.blocking = blocking;
  row.at_once = at_once;
  row.put_back = put_back;
  return row;
}
constexpr Row Local(std::string_view name, int arity, uint32_t flags, LocalCommand local,
                    Keys keys = kNoKeys) {
  Row row(name, arity, flags, keys);
  row.split = Split::kLocal;
  row.local = local;
  return row;
}
// SUBSCRIBE and its kind. What comes behind it depends on it (CommandRow::IsOfSubscriptions).
constexpr Row Subscribes(std::string_view name, int arity, LocalCommand local,
                         Keys keys = kNoKeys) {
  return Local(name, arity, kPubSub | kConn | kCmdInSubscriber, local, keys)
      .InResp2(Resp2Form::kAsItIs);
}
// UNSUBSCRIBE and its kind: it depends on what was asked before, too.
constexpr Row Unsubscribes(std::string_view name, LocalCommand local, Keys keys = kNoKeys) {
  Row row = Subscribes(name, -1, local, keys);
  row.flags |= kAfterAll;
  return row;
}
// PUBLISH: the node is asked once.
constexpr Row Publishes(std::string_view name, LocalCommand local, Keys keys) {
  return Local(name, 3, kPubSub | kLoading | kStale | kFast | kCmdAtMostOnce, local, keys)
      .PrimaryOnly();
}
constexpr Row Refused(std::string_view name, int arity, uint32_t flags, std::string_view why,
                      Keys keys = kNoKeys) {
  Row row(name, arity, flags, keys);
  row.split = Split::kNotSupported;
  row.second_copy = (flags & kCmdWrite) != 0 ? SecondCopy::kNotYet : SecondCopy::kNone;
  row.refusal = why;
  return row;
}
// The parent of the subcommands' rows. Alone it is never legal (COMMAND is, and is written out).
constexpr Row Container(std::string_view name) {
  return Refused(name, -2, kCmdContainer, "a subcommand is missing");
}

// Sentences that several rows share; each stands after "ERR ".
inline constexpr std::string_view kNoScriptDebug =
    "SCRIPT DEBUG is not supported by gemel: debug on a node";
inline constexpr std::string_view kNoCluster =
    "this CLUSTER command is not supported by gemel: its nodes and shards are a matter of its "
    "config (see PROXY SHARDS)";
inline constexpr std::string_view kNoAcl =
    "ACL is not supported by gemel: users are a matter of its config and of each node";
inline constexpr std::string_view kNoModules =
    "MODULE is not supported by gemel: load modules on each node, and name their commands in "
    "gemel's config";
inline constexpr std::string_view kNoReplication =
    "replication commands are not supported by gemel: the proxy itself keeps the copies equal";

}  // namespace gemel::rows

#endif  // GEMEL_BACKEND_COMMAND_ROW_BUILDER_H_

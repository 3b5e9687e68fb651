// The one place that knows commands: a row a command (and subcommand) of Redis 7.0, which answers
// every question that the proxy has about it. Nothing else switches on command names.

#ifndef GEMEL_BACKEND_COMMAND_COMMAND_TABLE_H_
#define GEMEL_BACKEND_COMMAND_COMMAND_TABLE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/local_command.h"
#include "backend/resp/resp2_form.h"
#include "config/config.h"

namespace gemel {

// How a command is split over the shards.
enum class Split : uint8_t {
  kLocal,         // the proxy answers it itself; `local` says which of its handlers
  kOneShard,      // whole, to the shard of its keys; keys on several shards: CROSSSLOT
  kEachKey,       // cut up by key: MGET, MSET, DEL, UNLINK, EXISTS, TOUCH
  kEachShard,     // whole, to every shard: DBSIZE, FLUSHALL, FLUSHDB, KEYS
  kCursor,        // SCAN: one shard after the other
  kAnyShard,      // RANDOMKEY: a random shard, the others where it has none
  kNotSupported,  // known, and refused with a sentence
};

// How the replies of the parts become one reply.
enum class Merge : uint8_t {
  kNone,       // there is one part
  kByKey,      // an array, one element a key, in argument order: MGET
  kSum,        // integers are added: DEL, UNLINK, EXISTS, TOUCH, DBSIZE
  kAllOk,      // +OK if all are: MSET, FLUSHALL, FLUSHDB
  kConcat,     // arrays are joined: KEYS
  kCursor,     // SCAN
  kFirstFull,  // the first that is not nil: RANDOMKEY
  kTexts,      // texts, one behind the other, each under its shard's name: MEMORY DOCTOR
  kStats,      // maps of numbers, which are added, but for shares: MEMORY STATS
  kXor,        // hex digits: DEBUG DIGEST
};

// What the copies after the first must be sent.
enum class SecondCopy : uint8_t {
  kNone,       // nothing: a read
  kSameBytes,  // the same bytes: a write with the same outcome on every copy
  // Writes whose outcome may differ from copy to copy (SPOP, XADD *, scripts). One copy executes
  // them, and then the others get
  kRewrite,    // a command that the row's `rewrite` makes from its reply;
  kStateCopy,  // the state of the keys as it left them (DUMP and RESTORE);
  // Nothing: on a shard of several copies it is a read of one, sent as the row's `confine` makes
  // it, so that it can change nothing (EVAL without keys); passed through on one of one.
  kConfined,
  kNotYet,  // nothing yet: refused on a shard of several copies, passed through on one of one
};

// For kRewrite: what the first copy said to the command (no error), and to the row's questions.
struct FirstReply {
  std::span<const std::string_view> args;
  std::string_view reply;
  std::span<const std::string> answers = {};
};
// Appends what the other copies are sent, whole frames; nothing where there was no effect. False:
// it cannot be told, and the keys' state is copied.
using Rewrite = bool (*)(const FirstReply& first, std::vector<std::string>* frames);
// Appends the questions that the first copy is asked right behind the command, or before it, whole
// frames.
using AskFirst = void (*)(std::span<const std::string_view> args, std::vector<std::string>* frames);

// What the first copy is sent in place of the client's command, so that it can change nothing but
// the keys that it names: a whole frame.
using Confine = std::string (*)(std::span<const std::string_view> args);

// What a write answers if it has changed nothing; an error says so of each. Where a reply tells too
// little, it is taken to have changed what it could.
enum class NoEffect : uint8_t {
  kNever,
  kZero,           // 0
  kNotPositive,    // 0 or less: LINSERT
  kEmpty,          // a null, or an array of nothing
  kNullUnlessGet,  // a null, unless GET is an option: SET
};

// Where a command's keys are. Names follow Redis's key specifications.
enum class KeyRule : uint8_t {
  kNone,     // no keys
  kRange,    // first_key, last_key, key_step as COMMAND gives them
  kMovable,  // `movable` says how to find them
};

// The ways in which keys move; see FindKeys.
enum class Movable : uint8_t {
  kNone,
  kNumkeys,      // args[numkeys_at] keys, which follow it: EVAL, ZUNION, LMPOP, ...
  kDestNumkeys,  // args[1], and args[2] keys from args[3]: ZUNIONSTORE, ...
  kStreams,      // after STREAMS, the first half of what is left: XREAD, XREADGROUP
  kSort,         // args[1], and the key after the last STORE: SORT
  kGeoRadius,    // args[1], and the key after STORE or STOREDIST: GEORADIUS, GEORADIUSBYMEMBER
  kMigrate,      // args[3], or what follows KEYS if args[3] is empty: MIGRATE
};

// What is said of a numkeys that is none, or none that fits.
enum class NumkeysError : uint8_t {
  kOfScripts,    // EVAL, FCALL
  kGreater,      // LMPOP, ZMPOP
  kAtLeastOne,   // ZUNION, ZINTERCARD, ...
  kCardinality,  // SINTERCARD
};

// Where the answer depends on the arguments: the functions in second_copy.h look at them. Most rows
// have none, and cost one branch.
enum class ArgRule : uint8_t {
  kNone,
  kXadd,         // a write of the same bytes only with a full ID and without "~"
  kXtrim,        // the same bytes only without "~"
  kByLex,        // the same bytes only without BYLEX: ZRANGESTORE
  kSort,         // a write only with STORE; BY and GET read keys that are not named
  kSortRo,       // the same, without STORE
  kStoreOption,  // a write only with STORE or STOREDIST: GEORADIUS, GEORADIUSBYMEMBER
  kBitfield,     // a write only with SET or INCRBY
  kPfcount,      // with one key it writes its cache into the value
  kCopy,         // DB: its last key is in another database (see other_database.h)
  kMove,         // its key is in another database, too
  kSwapDb,       // names two databases
  kFlushAll,  // where shards have a database of their nodes for themselves, they empty that alone
  kScript,    // a state copy of the keys that it declares; without any, confined
  kBlocks,    // may wait (see Blocking), which is all that depends on them
};

// A command that runs a script of the client's.
enum class ScriptRule : uint8_t {
  kNone,
  kText,      // args[1] is its text: EVAL
  kSha,       // args[1] is its SHA1; `by_text` names the row that has the text there: EVALSHA
  kFunction,  // args[1] is the name of a function of a library: FCALL
};

// Whether a command may wait for what it wants, and which argument says how long (blocking.h).
enum class Blocking : uint8_t {
  kNone,
  kTimeoutLast,   // the last one, in seconds: BLPOP, BLMOVE, BZPOPMIN, ...
  kTimeoutFirst,  // args[1], in seconds: BLMPOP, BZMPOP
  kOption,        // the one behind BLOCK, in milliseconds; without that it does not wait: XREAD
};

// What a command puts under its one key, an argument each at most (RPUSH), or waits for (BLPOP); of
// others it is not told how much they bring.
enum class Elements : uint8_t { kNone, kList, kSortedSet, kStream };

// Whether and where a command names a time of the clock at which its key expires.
enum class ExpiryRule : uint8_t {
  kNone,
  kSeconds,  // args[2], in seconds: EXPIREAT
  kMs,       // args[2], in milliseconds: PEXPIREAT
  kOption,   // after EXAT or PXAT: GETEX
  kAbsTtl,   // args[2], in milliseconds, with ABSTTL: RESTORE
};

// Which of its keys a command of several writes; of the others it reads alone.
enum class WrittenKeys : uint8_t {
  kAll,
  kFirst,  // SUNIONSTORE, BITOP, PFMERGE, ...
  kLast,   // COPY; SORT and GEORADIUS with STORE
};

// Where a command's keys are.
struct KeyColumns {
  KeyRule key_rule = KeyRule::kNone;
  int16_t first_key = 0;
  int16_t last_key = 0;
  int16_t key_step = 0;
  Movable movable = Movable::kNone;
  uint8_t numkeys_at = 0;  // kNumkeys: where numkeys is; kGeoRadius: where the options begin
  NumkeysError numkeys_error = NumkeysError::kOfScripts;
};

struct CommandRow : KeyColumns {
  std::string_view name;  // lower case; "config|get" for a subcommand
  int16_t arity;          // as COMMAND says it, the name counted; negative is "at least"
  uint32_t flags;         // kCmd* below
  Split split = Split::kOneShard;
  Merge merge = Merge::kNone;
  SecondCopy second_copy = SecondCopy::kNone;
  LocalCommand local = LocalCommand::kNone;
  ArgRule arg_rule = ArgRule::kNone;  // if any, ask second_copy.h, not the columns above
  WrittenKeys written = WrittenKeys::kAll;
  // Not of SET, which stores the key whatever the time: it expires then like any other.
  ExpiryRule expiry = ExpiryRule::kNone;
  NoEffect no_effect = NoEffect::kNever;
  ScriptRule script = ScriptRule::kNone;
  std::string_view by_text = {};
  std::string_view if_reads = {};  // the row for one that says that it does not write: EVAL_RO
  Blocking blocking = Blocking::kNone;
  Elements elements = Elements::kNone;
  std::string_view at_once = {};        // of one that blocks: what a node is asked instead
  std::string_view put_back = {};       // and what undoes that
  Resp2Form resp2 = Resp2Form::kPlain;  // how its reply of RESP3 reads in RESP2
  std::string_view refusal = {};  // for kNotSupported and kNotYet: why, after "ERR "; else empty
  Rewrite rewrite = nullptr;      // for kRewrite
  AskFirst ask = nullptr;         // for kRewrite, if its reply does not tell all
  bool ask_before = false;        // what it asks is gone behind the command
  Confine confine = nullptr;      // for kStateCopy; null: its keys are all that it can change

  // Can it change data? Asks what the copies must be sent, not Redis's write flag: EVAL has no such
  // flag and may write, PFCOUNT is "readonly" and writes its cache. IsWriteFor (second_copy.h)
  // tells for one invocation.
  bool IsWrite() const { return second_copy != SecondCopy::kNone; }
  // Can it keep a node busy so long that the node seems to hang?
  bool MayTakeLong() const;
  // A script or function of the client's, which may never end.
  bool RunsCode() const;
  // How a reply of RESP3 to so many arguments, the name counted, reads in RESP2.
  Resp2Form FormIn2(size_t args) const {
    if (resp2 != Resp2Form::kNullOfCount) return resp2;
    return args > 2 ? Resp2Form::kNullArray : Resp2Form::kPlain;
  }
  // SUBSCRIBE, UNSUBSCRIBE and their kind: one may be carried out while those before it are under
  // way.
  bool IsOfSubscriptions() const { return resp2 == Resp2Form::kAsItIs; }
  // Exactly one key, at args[1]: the planner's short way.
  bool HasOneKey() const { return key_rule == KeyRule::kRange && first_key == 1 && last_key == 1; }
};

// Redis's own flags, as COMMAND names them, that the proxy uses or repeats in its COMMAND reply.
enum : uint32_t {
  kCmdWrite = 1u << 0,
  kCmdReadonly = 1u << 1,
  kCmdDenyOom = 1u << 2,
  kCmdAdmin = 1u << 3,
  kCmdPubSub = 1u << 4,
  kCmdNoScript = 1u << 5,
  kCmdBlocking = 1u << 6,
  kCmdLoading = 1u << 7,
  kCmdStale = 1u << 8,
  kCmdFast = 1u << 9,
  kCmdNoAuth = 1u << 10,  // allowed before AUTH
  kCmdMayReplicate = 1u << 11,
  kCmdMovableKeys = 1u << 12,
  kCmdNoMulti = 1u << 13,
  kCmdAllowBusy = 1u << 14,
  kCmdSkipMonitor = 1u << 15,
  kCmdSkipSlowlog = 1u << 16,
  kCmdNoAsyncLoading = 1u << 17,
  kCmdNoMandatoryKeys = 1u << 18,  // numkeys may be 0
  kCmdAsking = 1u << 19,
  kCmdAtMostOnce = 1u << 20,    // is not asked again where it may have been carried out: PUBLISH
  kCmdDebug = 1u << 22,         // only where [commands] debug allows it
  kCmdInSubscriber = 1u << 21,  // also of a client of RESP2 that has subscribed to something
  kCmdAfterAll = 1u << 23,      // of the proxy's own: handled once all is answered that its client
                                // asked before, for that depends on what it changes
  kCmdContainer = 1u << 24,     // has subcommand rows; Find gives them for its second argument
  kCmdCursor = 1u << 30,        // an argument and its reply have a cursor: SCAN, HSCAN, ...
  kCmdPrimaryOnly = 1u << 25,  // a read whose reply makes sense only on the copy that gave the last
                               // one (SCAN, HSCAN, SSCAN, ZSCAN): see backend/shard/cursors.h
  kCmdArgWrite = 1u << 26,     // a write only with some arguments
  kCmdNotQueued = 1u << 28,    // carried out at once within a transaction, too: EXEC, QUIT, ...
  kCmdLooseReplication = 1u << 29,  // what Redis's replication carries over of it may come to
                                    // something else, or is nothing: BITFIELD, SORT with BY, ...
  kCmdShort = 1u << 27,             // not "fast" in Redis's words, and soon done all the same: SET
  kCmdKeepsCaching = 1u << 31,      // CLIENT CACHING before it is for what comes behind it
};

inline bool CommandRow::RunsCode() const { return (flags & kCmdNoMandatoryKeys) != 0; }

inline bool CommandRow::MayTakeLong() const { return (flags & (kCmdFast | kCmdShort)) == 0; }

// The built-in rows, sorted by name.
std::span<const CommandRow> BuiltinCommands();

// The rows of one pool: the built-in ones and the operator's. Immutable once made, so that any
// thread may look things up.
class CommandTable {
 public:
  // `extra` may not repeat a built-in name (the config loader has checked it).
  explicit CommandTable(const std::vector<ExtraCommand>& extra = {});
  ~CommandTable();
  CommandTable(const CommandTable&) = delete;
  CommandTable& operator=(const CommandTable&) = delete;

  // The row for a command, whatever its letters' case; null if unknown. For a container command
  // with a known subcommand in args[1], the subcommand's row; with an unknown one, null; with none,
  // the container's own row. `args` is not empty. Allocates nothing.
  const CommandRow* Find(std::span<const std::string_view> args) const;

  // The error for a command that Find does not know: UnknownSubcommandError where the container is
  // known, else UnknownCommandError.
  std::string NotFoundError(std::span<const std::string_view> args) const;

  // The row of a full name ("get", "config|get"), whatever its letters' case; null if unknown.
  const CommandRow* FindByName(std::string_view name) const;

  // All rows, subcommands too, sorted by name.
  std::span<const CommandRow> rows() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Is the number of arguments (the name counted) right for the row?
inline bool ArityFits(const CommandRow& row, size_t count) {
  return row.arity >= 0 ? count == static_cast<size_t>(row.arity)
                        : count >= static_cast<size_t>(-row.arity);
}

// Redis's own sentences (without the leading '-'): unknown command, unknown subcommand, wrong
// number of arguments. `args` is the whole command as the client sent it.
std::string UnknownCommandError(std::span<const std::string_view> args);
std::string UnknownSubcommandError(std::span<const std::string_view> args);
std::string ArityError(const CommandRow& row);
// What a subcommand says that finds its own arguments to be too many.
std::string SubcommandSyntaxError(std::span<const std::string_view> args);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_COMMAND_TABLE_H_

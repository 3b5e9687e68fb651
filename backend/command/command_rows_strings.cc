// Strings, bitmaps, HyperLogLogs, and commands on keys of any type.

#include "backend/command/row_builder.h"

namespace gemel::rows {
namespace {

// clang-format off
constexpr CommandRow kStringRows[] = {
    // generic
    Write("copy", -3, kDenyOom, KeyRange(1, 2)).WritesOnly(WrittenKeys::kLast).By(ArgRule::kCopy).NoEffectIf(NoEffect::kZero),
    Write("del", -2, kPlain, KeyRange(1, -1)).EachKey(Merge::kSum).NoEffectIf(NoEffect::kZero),
    Read("dump", 2, kPlain, Key(1)),
    Read("exists", -2, kFast, KeyRange(1, -1)).EachKey(Merge::kSum),
    Write("expire", -3, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("expireat", -3, kFast, Key(1)).Expires(ExpiryRule::kSeconds).NoEffectIf(NoEffect::kZero),
    Read("expiretime", 2, kFast, Key(1)),
    Read("keys", 2, kPlain, kNoKeys).EachShard(Merge::kConcat).Spaced(SpaceRule::kPattern).Names(ReplyNames::kElements),
    Refused("migrate", -6, kCmdWrite,
        "MIGRATE is not supported by gemel: it would change one copy only", kMigrateKeys),
    Write("move", 3, kFast, Key(1)).By(ArgRule::kMove).NoEffectIf(NoEffect::kZero),
    Container("object"),
    Read("object|encoding", 3, kPlain, Key(2)).Short(),
    Read("object|freq", 3, kPlain, Key(2)).Short(),
    Row("object|help", 2, kHelp, kNoKeys),
    Read("object|idletime", 3, kPlain, Key(2)).Short(),
    Read("object|refcount", 3, kPlain, Key(2)).Short(),
    Write("persist", 2, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("pexpire", -3, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("pexpireat", -3, kFast, Key(1)).Expires(ExpiryRule::kMs).NoEffectIf(NoEffect::kZero),
    Read("pexpiretime", 2, kFast, Key(1)),
    Read("pttl", 2, kFast, Key(1)),
    Read("randomkey", 1, kPlain, kNoKeys).AnyShard().BeyondSpaces(),
    Write("rename", 3, kPlain, KeyRange(1, 2)),
    Write("renamenx", 3, kFast, KeyRange(1, 2)).NoEffectIf(NoEffect::kZero),
    Write("restore", -4, kDenyOom, Key(1)).Expires(ExpiryRule::kAbsTtl),
    Read("scan", -2, kPlain, kNoKeys).With(Split::kCursor, Merge::kCursor).HasCursor()
        .Spaced(SpaceRule::kMatch).Names(ReplyNames::kLastList),
    Write("sort", -2, kDenyOom, kSortKeys).WritesOnly(WrittenKeys::kLast).Flags(kCmdArgWrite).By(ArgRule::kSort)
        .LooselyReplicated().Spaced(SpaceRule::kSort),
    Read("sort_ro", -2, kPlain, Key(1)).Flags(kCmdMovableKeys).By(ArgRule::kSortRo)
        .Spaced(SpaceRule::kSort),
    Read("touch", -2, kFast, KeyRange(1, -1)).EachKey(Merge::kSum),
    Read("ttl", 2, kFast, Key(1)),
    Read("type", 2, kFast, Key(1)),
    Write("unlink", -2, kFast, KeyRange(1, -1)).EachKey(Merge::kSum).NoEffectIf(NoEffect::kZero),
    Local("wait", 3, kNoScript | kAfterAll, LocalCommand::kWait),

    // string
    Write("append", 3, kDenyOom | kFast, Key(1)),
    Write("decr", 2, kDenyOom | kFast, Key(1)),
    Write("decrby", 3, kDenyOom | kFast, Key(1)),
    Read("get", 2, kFast, Key(1)),
    Write("getdel", 2, kFast, Key(1)).NoEffectIf(NoEffect::kEmpty),
    Write("getex", -2, kFast, Key(1)).Expires(ExpiryRule::kOption).NoEffectIf(NoEffect::kEmpty),
    Read("getrange", 4, kPlain, Key(1)).Short(),
    Write("getset", 3, kDenyOom | kFast, Key(1)),
    Write("incr", 2, kDenyOom | kFast, Key(1)),
    Write("incrby", 3, kDenyOom | kFast, Key(1)),
    Write("incrbyfloat", 3, kDenyOom | kFast, Key(1)),
    Read("lcs", -3, kPlain, KeyRange(1, 2)),
    Read("mget", -2, kFast, KeyRange(1, -1)).EachKey(Merge::kByKey),
    Write("mset", -3, kDenyOom, KeyRange(1, -1, 2)).EachKey(Merge::kAllOk),
    Write("msetnx", -3, kDenyOom, KeyRange(1, -1, 2)).NoEffectIf(NoEffect::kZero),
    Write("psetex", 4, kDenyOom, Key(1)).Short(),
    Write("set", -3, kDenyOom, Key(1)).Short().NoEffectIf(NoEffect::kNullUnlessGet),
    Write("setex", 4, kDenyOom, Key(1)).Short(),
    Write("setnx", 3, kDenyOom | kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("setrange", 4, kDenyOom, Key(1)).Short().NoEffectIf(NoEffect::kZero),
    Read("strlen", 2, kFast, Key(1)),
    Read("substr", 4, kPlain, Key(1)).Short(),

    // bitmap
    Read("bitcount", -2, kPlain, Key(1)),
    Write("bitfield", -2, kDenyOom, Key(1)).Flags(kCmdArgWrite | kCmdShort).By(ArgRule::kBitfield)
        .LooselyReplicated(),
    Read("bitfield_ro", -2, kFast, Key(1)),
    Write("bitop", -4, kDenyOom, KeyRange(2, -1)).WritesOnly(WrittenKeys::kFirst),
    Read("bitpos", -3, kPlain, Key(1)),
    Read("getbit", 3, kFast, Key(1)),
    Write("setbit", 4, kDenyOom, Key(1)).Short(),

    // hyperloglog
    Write("pfadd", -2, kDenyOom | kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Read("pfcount", -2, kCmdMayReplicate, KeyRange(1, -1)).SameBytes().By(ArgRule::kPfcount),
    Refused("pfdebug", 3, kCmdWrite | kAdmin | kDenyOom,
        "PFDEBUG is not supported by gemel: ask the nodes (PROXY SHARDS names them)", Key(2)),
    Write("pfmerge", -2, kDenyOom, KeyRange(1, -1)).WritesOnly(WrittenKeys::kFirst),
    Refused("pfselftest", 1, kAdmin,
        "PFSELFTEST is not supported by gemel: ask the nodes (PROXY SHARDS names them)"),
};
// clang-format on

}  // namespace

std::span<const CommandRow> StringRows() { return kStringRows; }

}  // namespace gemel::rows

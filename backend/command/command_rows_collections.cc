// Lists, sets, sorted sets and hashes.

#include "backend/command/rewrite.h"
#include "backend/command/row_builder.h"

namespace gemel::rows {
namespace {

// clang-format off
constexpr CommandRow kCollectionRows[] = {
    // list
    Blocks("blmove", 6, kDenyOom | kNoScript, Blocking::kTimeoutLast, KeyRange(1, 2), "lmove").Of(Elements::kList)
        .InResp2(Resp2Form::kPlain),
    Blocks("blmpop", -5, kPlain, Blocking::kTimeoutFirst, NumkeysOfPop(2), "lmpop", "lpush").Of(Elements::kList)
        .Names(ReplyNames::kFirst),
    Blocks("blpop", -3, kNoScript, Blocking::kTimeoutLast, KeyRange(1, -2), "lpop", "lpush").Of(Elements::kList)
        .Names(ReplyNames::kFirst),
    Blocks("brpop", -3, kNoScript, Blocking::kTimeoutLast, KeyRange(1, -2), "rpop", "rpush").Of(Elements::kList)
        .Names(ReplyNames::kFirst),
    Blocks("brpoplpush", 4, kDenyOom | kNoScript, Blocking::kTimeoutLast, KeyRange(1, 2), "rpoplpush").Of(Elements::kList)
        .InResp2(Resp2Form::kPlain),
    Read("lindex", 3, kPlain, Key(1)),
    Write("linsert", 5, kDenyOom, Key(1)).NoEffectIf(NoEffect::kNotPositive),
    Read("llen", 2, kFast, Key(1)),
    Write("lmove", 5, kDenyOom, KeyRange(1, 2)).NoEffectIf(NoEffect::kEmpty),
    Write("lmpop", -4, kPlain, NumkeysOfPop(1)).InResp2(Resp2Form::kNullArray).NoEffectIf(NoEffect::kEmpty)
        .Names(ReplyNames::kFirst),
    Write("lpop", -2, kFast, Key(1)).InResp2(Resp2Form::kNullOfCount).NoEffectIf(NoEffect::kEmpty),
    Read("lpos", -3, kPlain, Key(1)),
    Write("lpush", -3, kDenyOom | kFast, Key(1)).Of(Elements::kList),
    Write("lpushx", -3, kDenyOom | kFast, Key(1)).Of(Elements::kList).NoEffectIf(NoEffect::kZero),
    Read("lrange", 4, kPlain, Key(1)),
    Write("lrem", 4, kPlain, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("lset", 4, kDenyOom, Key(1)),
    Write("ltrim", 4, kPlain, Key(1)),
    Write("rpop", -2, kFast, Key(1)).InResp2(Resp2Form::kNullOfCount).NoEffectIf(NoEffect::kEmpty),
    Write("rpoplpush", 3, kDenyOom, KeyRange(1, 2)).NoEffectIf(NoEffect::kEmpty),
    Write("rpush", -3, kDenyOom | kFast, Key(1)).Of(Elements::kList),
    Write("rpushx", -3, kDenyOom | kFast, Key(1)).Of(Elements::kList).NoEffectIf(NoEffect::kZero),

    // set
    Write("sadd", -3, kDenyOom | kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Read("scard", 2, kFast, Key(1)),
    Read("sdiff", -2, kPlain, KeyRange(1, -1)),
    Write("sdiffstore", -3, kDenyOom, KeyRange(1, -1)).WritesOnly(WrittenKeys::kFirst),
    Read("sinter", -2, kPlain, KeyRange(1, -1)),
    Read("sintercard", -3, kPlain, Numkeys(1, NumkeysError::kCardinality)),
    Write("sinterstore", -3, kDenyOom, KeyRange(1, -1)).WritesOnly(WrittenKeys::kFirst),
    Read("sismember", 3, kFast, Key(1)),
    Read("smembers", 2, kPlain, Key(1)),
    Read("smismember", -3, kFast, Key(1)),
    Write("smove", 4, kFast, KeyRange(1, 2)).NoEffectIf(NoEffect::kZero),
    Write("spop", -2, kFast, Key(1)).Rewritten(RewriteSpop).NoEffectIf(NoEffect::kEmpty),
    Read("srandmember", -2, kPlain, Key(1)),
    Write("srem", -3, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Read("sscan", -3, kPlain, Key(1)).HasCursor(),
    Read("sunion", -2, kPlain, KeyRange(1, -1)),
    Write("sunionstore", -3, kDenyOom, KeyRange(1, -1)).WritesOnly(WrittenKeys::kFirst),

    // sorted-set
    Blocks("bzmpop", -5, kPlain, Blocking::kTimeoutFirst, NumkeysOfPop(2), "zmpop", "zadd").Of(Elements::kSortedSet)
        .Names(ReplyNames::kFirst),
    Blocks("bzpopmax", -3, kNoScript | kFast, Blocking::kTimeoutLast, KeyRange(1, -2), "zpopmax", "zadd").Of(Elements::kSortedSet)
        .Names(ReplyNames::kFirst),
    Blocks("bzpopmin", -3, kNoScript | kFast, Blocking::kTimeoutLast, KeyRange(1, -2), "zpopmin", "zadd").Of(Elements::kSortedSet)
        .Names(ReplyNames::kFirst),
    Write("zadd", -4, kDenyOom | kFast, Key(1)).Of(Elements::kSortedSet),
    Read("zcard", 2, kFast, Key(1)),
    Read("zcount", 4, kFast, Key(1)),
    Read("zdiff", -3, kPlain, kNumkeysOfUnion).InResp2(Resp2Form::kFlatPairs),
    Write("zdiffstore", -4, kDenyOom, kDestNumkeys).WritesOnly(WrittenKeys::kFirst),
    Write("zincrby", 4, kDenyOom | kFast, Key(1)),
    Read("zinter", -3, kPlain, kNumkeysOfUnion).InResp2(Resp2Form::kFlatPairs),
    Read("zintercard", -3, kPlain, kNumkeysOfUnion),
    Write("zinterstore", -4, kDenyOom, kDestNumkeys).WritesOnly(WrittenKeys::kFirst),
    Read("zlexcount", 4, kFast, Key(1)),
    Write("zmpop", -4, kPlain, NumkeysOfPop(1)).InResp2(Resp2Form::kNullArray).NoEffectIf(NoEffect::kEmpty)
        .Names(ReplyNames::kFirst),
    Read("zmscore", -3, kFast, Key(1)),
    Write("zpopmax", -2, kFast, Key(1)).InResp2(Resp2Form::kFlatPairs).NoEffectIf(NoEffect::kEmpty),
    Write("zpopmin", -2, kFast, Key(1)).InResp2(Resp2Form::kFlatPairs).NoEffectIf(NoEffect::kEmpty),
    Read("zrandmember", -2, kPlain, Key(1)).InResp2(Resp2Form::kFlatPairs),
    Read("zrange", -4, kPlain, Key(1)).InResp2(Resp2Form::kFlatPairs),
    Read("zrangebylex", -4, kPlain, Key(1)),
    Read("zrangebyscore", -4, kPlain, Key(1)).InResp2(Resp2Form::kFlatPairs),
    Write("zrangestore", -5, kDenyOom, KeyRange(1, 2)).WritesOnly(WrittenKeys::kFirst)
        .By(ArgRule::kByLex).LooselyReplicated(),
    Read("zrank", 3, kFast, Key(1)),
    Write("zrem", -3, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("zremrangebylex", 4, kPlain, Key(1))
        .Rewritten(RewriteZremrangebylex, AskZremrangebylex).AsksBefore()
        .NoEffectIf(NoEffect::kZero).LooselyReplicated(),
    Write("zremrangebyrank", 4, kPlain, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("zremrangebyscore", 4, kPlain, Key(1)).NoEffectIf(NoEffect::kZero),
    Read("zrevrange", -4, kPlain, Key(1)).InResp2(Resp2Form::kFlatPairs),
    Read("zrevrangebylex", -4, kPlain, Key(1)),
    Read("zrevrangebyscore", -4, kPlain, Key(1)).InResp2(Resp2Form::kFlatPairs),
    Read("zrevrank", 3, kFast, Key(1)),
    Read("zscan", -3, kPlain, Key(1)).HasCursor(),
    Read("zscore", 3, kFast, Key(1)),
    Read("zunion", -3, kPlain, kNumkeysOfUnion).InResp2(Resp2Form::kFlatPairs),
    Write("zunionstore", -4, kDenyOom, kDestNumkeys).WritesOnly(WrittenKeys::kFirst),

    // hash
    Write("hdel", -3, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Read("hexists", 3, kFast, Key(1)),
    Read("hget", 3, kFast, Key(1)),
    Read("hgetall", 2, kPlain, Key(1)),
    Write("hincrby", 4, kDenyOom | kFast, Key(1)),
    Write("hincrbyfloat", 4, kDenyOom | kFast, Key(1)),
    Read("hkeys", 2, kPlain, Key(1)),
    Read("hlen", 2, kFast, Key(1)),
    Read("hmget", -3, kFast, Key(1)),
    Write("hmset", -4, kDenyOom | kFast, Key(1)),
    Read("hrandfield", -2, kPlain, Key(1)).InResp2(Resp2Form::kFlatPairs),
    Read("hscan", -3, kPlain, Key(1)).HasCursor(),
    Write("hset", -4, kDenyOom | kFast, Key(1)),
    Write("hsetnx", 4, kDenyOom | kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Read("hstrlen", 3, kFast, Key(1)),
    Read("hvals", 2, kPlain, Key(1)),
};
// clang-format on

}  // namespace

std::span<const CommandRow> CollectionRows() { return kCollectionRows; }

}  // namespace gemel::rows

// Streams, geo, scripts, publish/subscribe and transactions.

#include "backend/command/rewrite.h"
#include "backend/command/row_builder.h"
#include "backend/command/script_guard.h"

namespace gemel::rows {
namespace {

// clang-format off
constexpr CommandRow kStreamRows[] = {
    // stream
    Write("xack", -4, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Write("xadd", -5, kDenyOom | kFast, Key(1)).Of(Elements::kStream).By(ArgRule::kXadd)
        .RewrittenByArgs(RewriteXadd, AskXadd).NoEffectIf(NoEffect::kEmpty),
    Write("xautoclaim", -6, kFast, Key(1)).Rewritten(RewriteXautoclaim),
    Write("xclaim", -6, kFast, Key(1)).Rewritten(RewriteXclaim),
    Write("xdel", -3, kFast, Key(1)).NoEffectIf(NoEffect::kZero),
    Container("xgroup"),
    Write("xgroup|create", -5, kDenyOom, Key(2)),
    Write("xgroup|createconsumer", 5, kDenyOom, Key(2)),
    Write("xgroup|delconsumer", 5, kPlain, Key(2)),
    Write("xgroup|destroy", 4, kPlain, Key(2)).NoEffectIf(NoEffect::kZero),
    Row("xgroup|help", 2, kHelp, kNoKeys),
    Write("xgroup|setid", -5, kPlain, Key(2)),
    Container("xinfo"),
    Read("xinfo|consumers", 4, kPlain, Key(2)),
    Read("xinfo|groups", 3, kPlain, Key(2)),
    Row("xinfo|help", 2, kHelp, kNoKeys),
    Read("xinfo|stream", -3, kPlain, Key(2)),
    Read("xlen", 2, kFast, Key(1)),
    Read("xpending", -3, kPlain, Key(1)).InResp2(Resp2Form::kLastNullArray),
    Read("xrange", -4, kPlain, Key(1)).InResp2(Resp2Form::kNullArray),
    Read("xread", -4, kBlocking, kStreams).MayBlock().InResp2(Resp2Form::kPairs),
    Write("xreadgroup", -7, kBlocking, kStreams).Rewritten(RewriteXreadgroup, AskXreadgroup)
        .MayBlock().InResp2(Resp2Form::kPairs).NoEffectIf(NoEffect::kEmpty)
        .LooselyReplicated(),
    Read("xrevrange", -4, kPlain, Key(1)).InResp2(Resp2Form::kNullArray),
    Write("xsetid", -3, kDenyOom | kFast, Key(1)),
    Write("xtrim", -4, kPlain, Key(1)).By(ArgRule::kXtrim)
        .RewrittenByArgs(RewriteXtrim, AskXtrim).NoEffectIf(NoEffect::kZero),

    // geo
    Write("geoadd", -5, kDenyOom, Key(1)),
    Read("geodist", -4, kPlain, Key(1)),
    Read("geohash", -2, kPlain, Key(1)),
    Read("geopos", -2, kPlain, Key(1)).InResp2(Resp2Form::kNullArray),
    Write("georadius", -6, kDenyOom, GeoRadius(6)).WritesOnly(WrittenKeys::kLast).Flags(kCmdArgWrite).By(ArgRule::kStoreOption),
    Read("georadius_ro", -6, kPlain, Key(1)),
    Write("georadiusbymember", -5, kDenyOom, GeoRadius(5)).WritesOnly(WrittenKeys::kLast).Flags(kCmdArgWrite)
        .By(ArgRule::kStoreOption),
    Read("georadiusbymember_ro", -5, kPlain, Key(1)),
    Read("geosearch", -7, kPlain, Key(1)),
    Write("geosearchstore", -8, kDenyOom, KeyRange(1, 2)).WritesOnly(WrittenKeys::kFirst),

    // scripting
    Row("eval", -3, kScript, NumkeysOfScript()).StateCopy().By(ArgRule::kScript)
        .Confined(ConfineScript).ShowsScript().IfItReads("eval_ro"),
    Read("eval_ro", -3, kScript, NumkeysOfScript()).ShowsScript(),
    Row("evalsha", -3, kScript, NumkeysOfScript()).StateCopy().By(ArgRule::kScript)
        .NamesScript("eval"),
    Read("evalsha_ro", -3, kScript, NumkeysOfScript()).NamesScript("eval_ro"),
    Row("fcall", -3, kScript, NumkeysOfScript()).StateCopy().By(ArgRule::kScript).CallsFunction()
        .IfItReads("fcall_ro"),
    Read("fcall_ro", -3, kScript, NumkeysOfScript()).CallsFunction(),
    Container("function"),
    Local("function|delete", 3, kCmdWrite | kNoScript | kAfterAll, LocalCommand::kFunctionDelete),
    Local("function|dump", 2, kNoScript, LocalCommand::kFunctionDump),
    Local("function|flush", -2, kCmdWrite | kNoScript | kAfterAll, LocalCommand::kFunctionFlush),
    Row("function|help", 2, kHelp, kNoKeys),
    Local("function|kill", 2, kNoScript | kAllowBusy, LocalCommand::kScriptKill),
    Local("function|list", -2, kNoScript, LocalCommand::kFunctionList),
    Local("function|load", -3, kCmdWrite | kDenyOom | kNoScript | kAfterAll, LocalCommand::kFunctionLoad),
    Local("function|restore", -3, kCmdWrite | kDenyOom | kNoScript | kAfterAll, LocalCommand::kFunctionRestore),
    Local("function|stats", 2, kNoScript | kAllowBusy, LocalCommand::kFunctionStats),
    Container("script"),
    Refused("script|debug", 3, kNoScript, kNoScriptDebug),
    Local("script|exists", -3, kNoScript, LocalCommand::kScriptExists),
    Local("script|flush", -2, kNoScript, LocalCommand::kScriptFlush),
    Row("script|help", 2, kHelp, kNoKeys),
    Local("script|kill", 2, kNoScript | kAllowBusy, LocalCommand::kScriptKill),
    Local("script|load", 3, kNoScript | kStale, LocalCommand::kScriptLoad),

    // pubsub
    Subscribes("psubscribe", -2, LocalCommand::kPSubscribe),
    Publishes("publish", LocalCommand::kPublish, kNoKeys),
    Container("pubsub"),
    Local("pubsub|channels", -2, kPubSub | kLoading | kStale, LocalCommand::kPubSubChannels),
    Row("pubsub|help", 2, kHelp, kNoKeys),
    Local("pubsub|numpat", 2, kPubSub | kLoading | kStale, LocalCommand::kPubSubNumPat),
    Local("pubsub|numsub", -2, kPubSub | kLoading | kStale, LocalCommand::kPubSubNumSub),
    Local("pubsub|shardchannels", -2, kPubSub | kLoading | kStale,
          LocalCommand::kPubSubShardChannels),
    Local("pubsub|shardnumsub", -2, kPubSub | kLoading | kStale, LocalCommand::kPubSubShardNumSub),
    Unsubscribes("punsubscribe", LocalCommand::kPUnsubscribe),
    Publishes("spublish", LocalCommand::kSPublish, Key(1)),
    Subscribes("ssubscribe", -2, LocalCommand::kSSubscribe, KeyRange(1, -1)),
    Subscribes("subscribe", -2, LocalCommand::kSubscribe),
    Unsubscribes("sunsubscribe", LocalCommand::kSUnsubscribe, KeyRange(1, -1)),
    Unsubscribes("unsubscribe", LocalCommand::kUnsubscribe),

    // transactions
    Local("discard", 1, kConn | kFast | kAllowBusy | kNotQueued, LocalCommand::kDiscard),
    Local("exec", 1, kConn | kCmdSkipSlowlog | kNotQueued, LocalCommand::kExec)
        .InResp2(Resp2Form::kNullArray),
    Local("multi", 1, kConn | kFast | kAllowBusy | kNotQueued, LocalCommand::kMulti),
    Local("unwatch", 1, kConn | kFast | kAllowBusy, LocalCommand::kUnwatch),
    Local("watch", -2, kConn | kFast | kAllowBusy | kNotQueued | kAfterAll, LocalCommand::kWatch, KeyRange(1, -1)),
};
// clang-format on

}  // namespace

std::span<const CommandRow> StreamRows() { return kStreamRows; }

}  // namespace gemel::rows

// The commands that the proxy answers itself, one name a handler. Which handler runs is a matter of
// the command table's row; the handlers live in proxy/local.

#ifndef GEMEL_BACKEND_COMMAND_LOCAL_COMMAND_H_
#define GEMEL_BACKEND_COMMAND_LOCAL_COMMAND_H_

#include <cstdint>

namespace gemel {

enum class LocalCommand : uint8_t {
  kNone,
  kPing,
  kEcho,
  kQuit,
  kReset,
  kSelect,
  kMulti,
  kExec,
  kDiscard,
  kWatch,
  kUnwatch,
  kAuth,
  kHello,
  kTime,
  kWait,
  kScriptLoad,
  kScriptExists,
  kScriptFlush,
  kScriptKill,  // FUNCTION KILL, too
  kFunctionLoad,
  kFunctionDelete,
  kFunctionFlush,
  kFunctionList,
  kFunctionDump,
  kFunctionRestore,
  kInfo,
  kLolwut,
  kClusterMode,  // READONLY, READWRITE, ASKING
  kClusterSlots,
  kClusterShards,
  kClusterNodes,
  kClusterInfo,
  kClusterMyId,
  kClusterKeySlot,
  kClusterKeysInSlot,  // COUNTKEYSINSLOT and GETKEYSINSLOT
  kClientId,
  kClientInfo,
  kClientList,
  kClientKill,
  kClientGetName,
  kClientSetName,
  kClientNoEvict,
  kClientReply,
  kClientPause,
  kClientUnpause,
  kClientUnblock,
  kClientHelp,
  kCommand,
  kCommandCount,
  kCommandInfo,
  kCommandDocs,
  kCommandList,
  kCommandGetKeys,
  kCommandGetKeysAndFlags,
  kCommandHelp,
  kConfigGet,
  kConfigSet,
  kConfigRewrite,
  kConfigResetStat,
  kConfigHelp,
  kProxyAudit,
  kProxyShards,
  kProxyExplain,
  kProxyHelp,
  kProxyEvents,
  kProxyPromote,
  kProxyReload,
  kProxyResync,
  kProxyStatus,
  kProxyDrain,
  kProxyUndrain,
  kCount,
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_LOCAL_COMMAND_H_

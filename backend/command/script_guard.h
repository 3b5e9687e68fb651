// A client's script or library of functions, made so that it can change no keys but those that are
// declared to it, or says which others it changed: only those that are known are copied to the
// other copies when one copy has run it.

#ifndef GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_
#define GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// EVAL script numkeys ...: the same with the guard in front of the script's first line (the second,
// if the first is a "#!"), so that its line numbers stay. With no key it can change nothing. It
// needs a server in whose Lua no other way leads to redis.call: CanConfine.
std::string ConfineScript(std::span<const std::string_view> args);

// What keys a script may change beside those that are declared to it.
struct ScriptScope {
  enum class Others : uint8_t {
    kNone,
    kSameTag,  // those of the hashed part (HashedPart) of one that is declared
    kAll,
  };
  Others others = Others::kNone;
  std::string_view hash_tag;  // as the ring has it: two characters, or none
  // It changes them, and its answer is to be read with ReadScriptReport. It must be a script that a
  // server runs as it is, or it might end what it is put into. False: it is stopped before the
  // first of them is changed, see IsStopped.
  bool tells = false;
};
std::string ConfineScriptTo(const ScriptScope& scope, std::span<const std::string_view> args);

// Is that script of EVAL guarded so that without keys it can change nothing: by ConfineScript, or
// so that it is stopped? And what it was before.
bool IsConfined(std::string_view script);
std::string WithoutConfinement(std::string_view script);

// EVAL without keys, with one that it is not shown: its KEYS are none still, and it may change that
// key. `call`: FCALL without keys, which has the argument of CallScopeFor. The frame;
// ConfineScriptTo knows such a script by what it begins with, ConfineCallTo a call by its argument.
std::string WithHiddenKey(std::span<const std::string_view> args, std::string_view key, bool call);
inline constexpr std::string_view kHiddenKeys = "local KEYS={};";

// The code of FUNCTION LOAD, likewise (library_guard.cc). How far a call of one of its functions
// may go is told by the call's last argument, which the function is not shown: without it, it can
// change no keys but those that it is called with. It must be code that a server loads as it is.
std::string ConfineLibrary(std::string_view code);
// That argument; `hides`: nor is it shown its keys.
std::string CallScopeFor(const ScriptScope& scope, bool hides = false);
// That of a call which may do whatever there is: no copy can come to differ from another.
std::string FreeCallScope();
// The command's last one is such.
bool HasCallScope(std::span<const std::string_view> args);
// FCALL with the argument for this scope in place of the one that it has; the frame.
std::string ConfineCallTo(const ScriptScope& scope, std::span<const std::string_view> args);
// That call of a function, if it is without keys, can change nothing.
bool IsConfinedCall(std::span<const std::string_view> args);

// A call as it was before it had that argument, and a key that it is not shown.
void AsClientCalled(std::vector<std::string_view>* args);

// The answer of a script that is stopped before it changes the first key of those beside the
// declared ones; what is a client's of it; and that key.
bool IsStopped(std::string_view reply);
std::string WithoutStop(std::string_view reply);
std::string StoppedAt(std::string_view reply);

// The answer of a script that tells.
struct ScriptReport {
  std::string reply;              // the client's
  std::vector<std::string> keys;  // that it may have changed beside those that are declared
  int64_t memory = 0;             // that these take, about; 0 if it ended in an error
};
ScriptReport ReadScriptReport(std::string_view reply);

// Redis 7.0 or later, by the version of its DUMP.
inline bool CanConfine(int dump_version) { return dump_version >= 10; }
inline constexpr std::string_view kCannotConfine =
    "ERR scripts are not supported by gemel on a shard of several copies whose nodes are older "
    "than "
    "Redis 7.0: what they change could not be told";

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_

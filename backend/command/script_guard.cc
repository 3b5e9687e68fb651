#include "backend/command/script_guard.h"

#include <functional>
#include <vector>

#include "backend/command/script_cursors.h"
#include "backend/command/script_guard_lua.h"
#include "backend/command/script_marks.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr std::string_view kScriptBegin =
    "local redis,server,_G,load,loadstring=(function(r,g,K) "
    "local s,h,keys,over,stop,source,ro,free,mark,why="
    "{},{},{},{},false,'@user_script',false,false,'',"
    "', which is not supported by gemel on a shard of several copies' "
    "for _,k in pairs(K) do keys[k]=true end "
    "local function other() end ";
constexpr std::string_view kScriptEnd = "return s,server,h,none,none end)(redis,_G,KEYS);";

// Of a script that may change other keys, too: `mine` says which. `any` and the two characters of
// the hash tag (`a` and `b`, or empty strings) come before it.
constexpr std::string_view kOthersBegin =
    "local redis,server,_G,load,loadstring,pcall,xpcall,coroutine,__gemel=(function(r,g,K) "
    "local s,h,keys,over,stop,source,ro,free,mark,why="
    "{},{},{},{},false,'@user_script',false,false,'',"
    "', which is not supported by gemel on a shard of several copies' "
    "local xp,find,sub,gs,fo,by,tags="
    "xpcall,string.find,string.sub,string.gsub,string.format,string.byte,{} ";
constexpr std::string_view kMine =
    "for _,k in pairs(K) do keys[k]=true tags[tag(k)]=true end "
    "local function mine(k) return any or tags[tag(k)] end ";
// It is shown none of its keys.
constexpr std::string_view kHides = "over.KEYS={} ";

// Before it changes the first of them it is stopped, and nothing of it that could catch the error
// can.
constexpr std::string_view kStops =
    "local function other(k) "
    "if mine(k) then stop=true mark=stopped..hex(k)..']' end "
    "end "
    "local function again(...) if stop then error(stop) end return ... end "
    "local p,c=pcall,coroutine "
    "over.pcall=function(...) return again(p(...)) end "
    "over.xpcall=function(...) return again(xp(...)) end "
    "over.coroutine=setmetatable({resume=function(...) return again(c.resume(...)) end},"
    "{__index=c}) ";
constexpr std::string_view kStopsEnd =
    "return s,server,h,none,none,over.pcall,over.xpcall,over.coroutine end)(redis,_G,KEYS);";

// It changes them, and says which at its end: beside what it returns, or in the text of its error,
// to which the server's own handler gives the line.
constexpr std::string_view kTells =
    "local touched,list={},{} "
    "local function other(k) "
    "if not mine(k) then return false end "
    "if not touched[k] then touched[k]=true list[#list+1]=k end "
    "return true "
    "end "
    "local co,str,handler=table.concat,tostring,"
    "rawget(g,'__redis__err__handler') or rawget(g,'__server__err__handler') "
    "or function(e) return e end ";
constexpr std::string_view kTellsEnd =
    "local function run(f) return report(xp(f,handler)) end "
    "return s,server,h,none,none,pcall,xpcall,coroutine,run end)(redis,_G,KEYS);"
    "return __gemel(function(...) ";
// The last line may be a comment.
constexpr std::string_view kTellsBehind = "\nend)";

const std::string& ScriptGuard() {
  static const std::string guard = std::string(kScriptBegin).append(kGuardCore).append(kScriptEnd);
  return guard;
}

// A character as Lua takes any.
std::string Escaped(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += "\\" + std::to_string(static_cast<unsigned char>(c));
  return out + "'";
}

std::string GuardFor(const ScriptScope& scope, bool hides) {
  if (scope.others == ScriptScope::Others::kNone && !hides) return ScriptGuard();
  const bool tagged = scope.hash_tag.size() == 2;
  std::string guard(kOthersBegin);
  guard.append("local any,a,b,stopped,told=")
      .append(scope.others == ScriptScope::Others::kAll ? "true," : "false,")
      .append(Escaped(tagged ? scope.hash_tag.substr(0, 1) : ""))
      .append(",")
      .append(Escaped(tagged ? scope.hash_tag.substr(1) : ""))
      .append(",'")
      .append(kStoppedMark)
      .append("','")
      .append(kToldMark)
      .append("' ")
      .append(kGuardTags)
      .append(kMine);
  if (hides) guard.append(kHides);
  if (scope.others == ScriptScope::Others::kNone) guard.append("mine=function() end ");
  guard.append(scope.tells ? kTells : kStops).append(kGuardCore);
  if (scope.tells) guard.append(kGuardReport);
  return guard.append(scope.tells ? kTellsEnd : kStopsEnd);
}

// Its first line, or what is behind "#!" there, is to be read from here on.
std::string_view BodyOf(std::string_view script) {
  const size_t line = script.starts_with("#!") ? script.find('\n') : std::string_view::npos;
  if (line != std::string_view::npos) script.remove_prefix(line + 1);
  return script;
}

// What it begins with, if it is a guard behind which a script without keys can change nothing.
std::string_view GuardOf(std::string_view body) {
  static const std::string stops = GuardFor({ScriptScope::Others::kAll, {}, false}, false);
  for (const std::string& guard : {std::cref(ScriptGuard()), std::cref(stops)}) {
    if (body.starts_with(guard)) return guard;
  }
  return {};
}

}  // namespace

std::string ConfineScript(std::span<const std::string_view> args) {
  return ConfineScriptTo({}, args);
}

std::string ConfineScriptTo(const ScriptScope& scope, std::span<const std::string_view> args) {
  const bool hides = BodyOf(args[1]).starts_with(kHiddenKeys);
  const bool encloses = scope.others != ScriptScope::Others::kNone && scope.tells;
  ScriptScope used = scope;
  used.tells = encloses;
  std::string guarded;
  std::vector<std::string_view> command(args.begin(), args.end());
  if (PutBeforeCode(args[1], GuardFor(used, hides), &guarded)) {  // else it is no script
    if (encloses) guarded.append(kTellsBehind);
    command[1] = guarded;
  }
  return CommandFrame(command);
}

bool IsConfined(std::string_view script) { return !GuardOf(BodyOf(script)).empty(); }

std::string WithoutConfinement(std::string_view script) {
  const std::string_view body = BodyOf(script);
  const std::string_view head = script.substr(0, script.size() - body.size());
  return std::string(head).append(body.substr(GuardOf(body).size()));
}

std::string WithHiddenKey(std::span<const std::string_view> args, std::string_view key, bool call) {
  std::string hides;
  std::vector<std::string_view> command(args.begin(), args.end());
  if (call) {
    hides = CallScopeFor({}, /*hides=*/true);
    command.back() = hides;
  } else {
    PutBeforeCode(args[1], kHiddenKeys, &hides);
    command[1] = hides;
  }
  command[2] = "1";
  command.insert(command.begin() + 3, key);
  return CommandFrame(command);
}

}  // namespace gemel

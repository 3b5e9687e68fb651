// The guard of libraries of functions, and what tells it of a call how far that may go.

#include <string>
#include <vector>

#include "backend/command/script_cursors.h"
#include "backend/command/script_guard.h"
#include "backend/command/script_guard_lua.h"
#include "backend/command/script_marks.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// While a library loads there is nothing but the few fields of redis that are named here; the rest
// is there when one of its functions runs, for the first time: `start`, of which kGuardCore is
// part.
constexpr std::string_view kLibraryBegin =
    "local redis,server,_G,load,loadstring,pcall,xpcall,coroutine=(function(api) "
    "local s,h,keys,over,stop,source,ro,free,mark,why="
    "{},{},{},{},false,'@user_function',false,false,'',"
    "', which is not supported by gemel in functions' "
    "local pp,xx,cs,run "
    "local function p(...) return pp(...) end "
    "local function x(...) return xx(...) end "
    "cs={} "
    "over.pcall,over.xpcall,over.coroutine=p,x,cs "
    "local function start() "
    "local r,g=redis,_G "
    "s.register_function=nil "
    "local xp,cr,find,sub,gs,fo,by,co,str="
    "xpcall,coroutine.resume,string.find,string.sub,string.gsub,string.format,string.byte,"
    "table.concat,tostring "
    "local any,a,b,closed,tells,tags,touched,list=false,'','',true,false,{},{},{} ";
// The last line: what is to be done with such a key.
constexpr std::string_view kLibraryOther =
    "local function other(k) "
    "if closed or not(any or tags[tag(k)]) then return false end "
    "if not tells then stop=true mark=stopped..hex(k)..']' return false end "
    "if not touched[k] then touched[k]=true list[#list+1]=k end "
    "return true "
    "end ";
// Nothing that could catch the error of a function that is stopped can. The handler says of errors
// what the server's own, which is out of reach, would say: where they were raised, be it in `error`
// or in what calls that.
constexpr std::string_view kLibraryStarted =
    "local function again(...) if stop then er(stop) end return ... end "
    "pp=function(...) return again(pc(...)) end "
    "xx=function(...) return again(xp(...)) end "
    "for k,v in pa(g.coroutine) do cs[k]=v end "
    "cs.resume=function(...) return again(cr(...)) end "
    "local function handler(e) "
    "local _,w=pc(er,'',3) "
    "if w=='' then _,w=pc(er,'',4) end "
    "w=ma(w,':(%d+):') "
    "if ty(e)~='table' then e={err='ERR '..str(e)} end "
    "if w then e.source,e.line=source,w end "
    "return e "
    "end "
    "run=function(f,is,K,A) "
    "local c=A[#A] "
    "if ty(c)=='string' and sub(c,1,#scope)==scope then "
    "A[#A]=nil "
    "c=sub(c,#scope+1) "
    "else "
    "c='nn-' "
    "end "
    "local mode=sub(c,1,1) "
    "any,a,b=sub(c,2,2)=='a',sub(c,4,4),sub(c,5,5) "
    "free,closed,tells=mode=='f',mode=='n',mode=='t' "
    "keys,tags,touched,list,stop,ro={},{},{},{},false,is.reading "
    "for i=1,#K do keys[K[i]]=true tags[tag(K[i])]=true end "
    "if sub(c,3,3)=='h' then K={} end "
    "if not tells then return f(K,A) end "
    "return report(xp(function() return f(K,A) end,handler)) "
    "end "
    "end "
    "local started=false "
    "local function wrap(f,is) "
    "return function(K,A) "
    "if not started then start() started=true end "
    "return run(f,is,K,A) "
    "end "
    "end "
    "s.log,s.LOG_DEBUG,s.LOG_VERBOSE,s.LOG_NOTICE,s.LOG_WARNING="
    "api.log,api.LOG_DEBUG,api.LOG_VERBOSE,api.LOG_NOTICE,api.LOG_WARNING "
    "s.register_function=function(a,b) "
    "if b~=nil then return api.register_function(a,wrap(b,{})) end "
    // Its flags are what the server has found them to be: nothing tells types here.
    "local is={} "
    "a.callback=wrap(a.callback,is) "
    "api.register_function(a) "
    "local i=1 "
    "while a.flags and a.flags[i] do "
    "if a.flags[i]=='no-writes' then is.reading=true end "
    "i=i+1 "
    "end "
    "end ";
// Not every version has it.
constexpr std::string_view kLibraryVersion =
    "s.REDIS_VERSION,s.REDIS_VERSION_NUM=api.REDIS_VERSION,api.REDIS_VERSION_NUM ";
constexpr std::string_view kLibraryEnd =
    "local function none() error('load'..why,2) end "
    "return s,s,h,none,none,p,x,cs end)(redis);";

// The last argument of a call: behind these a letter each for what it may change, which keys, and
// whether it is shown its own; and the characters of the hash tag.
constexpr std::string_view kCallScope = "gemel:scope:";
constexpr size_t kHidesAt = kCallScope.size() + 2;

std::string LibraryGuard(bool version, bool cursors) {
  std::string guard(kLibraryBegin);
  guard.append("local stopped,told,scope='")
      .append(kStoppedMark)
      .append("','")
      .append(kToldMark)
      .append("','")
      .append(kCallScope)
      .append("' ")
      .append(kGuardTags)
      .append(kLibraryOther)
      .append(kGuardCore)
      .append(kGuardReport);
  if (cursors) guard.append(CursorsOfLibrary());
  guard.append(kLibraryStarted);
  if (version) guard.append(kLibraryVersion);
  return guard.append(kLibraryEnd);
}

}  // namespace

std::string ConfineLibrary(std::string_view code) {
  std::string guarded;
  const bool version = code.find("REDIS_VERSION") != std::string_view::npos;
  return PutBeforeCode(code, LibraryGuard(version, MayScan(code)), &guarded) ? guarded
                                                                             : std::string(code);
}

std::string CallScopeFor(const ScriptScope& scope, bool hides) {
  std::string argument(kCallScope);
  const bool none = scope.others == ScriptScope::Others::kNone;
  argument += none ? 'n' : scope.tells ? 't' : 's';
  argument += scope.others == ScriptScope::Others::kAll ? 'a' : 't';
  argument += hides ? 'h' : '-';
  if (scope.hash_tag.size() == 2) argument += scope.hash_tag;
  return argument;
}

std::string FreeCallScope() { return std::string(kCallScope) + "fa-"; }

bool HasCallScope(std::span<const std::string_view> args) {
  return args.size() > 3 && args.back().starts_with(kCallScope) && args.back().size() > kHidesAt;
}

std::string ConfineCallTo(const ScriptScope& scope, std::span<const std::string_view> args) {
  if (!HasCallScope(args)) return CommandFrame({args.begin(), args.end()});
  const std::string argument = CallScopeFor(scope, args.back()[kHidesAt] == 'h');
  std::vector<std::string_view> command(args.begin(), args.end());
  command.back() = argument;
  return CommandFrame(command);
}

bool IsConfinedCall(std::span<const std::string_view> args) {
  const char how = HasCallScope(args) ? args.back()[kCallScope.size()] : 'f';
  return how == 'n' || how == 's';
}

void AsClientCalled(std::vector<std::string_view>* args) {
  if (!HasCallScope(*args)) return;
  const bool hides = args->back()[kHidesAt] == 'h';
  args->pop_back();
  if (!hides) return;
  (*args)[2] = "0";
  args->erase(args->begin() + 3);
}

}  // namespace gemel

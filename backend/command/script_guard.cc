#include "backend/command/script_guard.h"

#include <vector>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// Lua, on one line. What all of it goes by: `r`, the server's own redis, `g`, its _G, `keys`, the
// set of those that may be changed, `s` and `h`, tables that stand for those two, `source`, as the
// server names the code in errors, and `why`, the end of a refusal.
//
// redis.call and redis.pcall ask the server which keys a command that writes has, and let it pass
// if `keys` has them all. What would lead past them is hidden behind local names: _G, load and
// loadstring (there is no getfenv, setfenv or debug), and Valkey's second name.
//
// An error of redis.call is raised anew with the line of the script that called it: the handler of
// the server would otherwise find the guard's.
constexpr std::string_view kCore =
    "local rp,lo,ty,ma,pc,er,pa,sm,rg,se="
    "r.pcall,string.lower,type,string.match,pcall,error,pairs,setmetatable,rawget,select "
    "local infos={} "
    "local elsewhere={select=true,move=true,swapdb=true,migrate=true} "
    "local function info(n) "
    "local f=infos[n] "
    "if f==nil then "
    "f={} "
    "local i=rp('COMMAND','INFO',n) "
    "if i.err then f.err=i.err end "
    "i=i[1] "
    "if ty(i)=='table' then "
    "for k,v in pa(i[3].set or i[3]) do "
    "if ty(k)=='table' then v=k end "
    "if ty(v)=='table' then v=v.ok end "
    "f[v]=true "
    "end "
    "f.sub=ty(i[10])=='table' and #i[10]>0 "
    "f.arity=i[2] "
    "end "
    "infos[n]=f "
    "end "
    "return f "
    "end "
    "local function bad(...) "
    "local n,s=... "
    "if ty(n)~='string' then return end "
    "n=lo(n) "
    "local a={...} "
    "for i=2,se('#',...) do "
    "local t=ty(a[i]) "
    "if t~='string' and t~='number' then return end "  // the server has an error of its own
    "end "
    "local f=info(n) "
    "if f.sub and ty(s)=='string' then f=info(n..'|'..lo(s)) end "
    "if f.err then return f.err end "
    "if f.noscript then return end "  // the server refuses it
    "local c,w=se('#',...),f.arity "
    "if w and (w>0 and c~=w or c<-w) then return end "  // nor is that one carried out
    "local no='ERR Script attempted to call '..n..' '"
    "if elsewhere[n] then return no..'which changes keys elsewhere'..why end "
    "if not(f.write or f.may_replicate) then return end "
    "if n=='copy' then "
    "for i=4,se('#',...) do "
    "local a=se(i,...) "
    "if ty(a)=='string' and lo(a)=='db' then return no..'with DB'..why end "
    "end "
    "end "
    "local ks=rp('COMMAND','GETKEYS',...) "
    "if ks.err then "
    "if ma(ks.err,'Invalid number of arguments') or not f.write then return end "
    "return no..'whose keys cannot be told'..why "
    "end "
    "for _,k in pa(ks) do "
    "if not keys[k] then return no..'for a key that is not among its KEYS'..why end "
    "end "
    "end "
    "local function raise(e) "
    "local _,w=pc(er,'',4) "
    "w=ma(w,':(%d+):') "
    "er(sm({err=e},{__index=w and {source=source,line=w},__newindex=function() end})) "
    "end "
    "for k,v in pa(r) do s[k]=v end "
    "s.call=function(...) "
    "local b=bad(...) "
    "if b then raise(b) end "
    "local v=rp(...) "
    "if ty(v)=='table' and rg(v,'err') then raise(v.err) end "
    "return v "
    "end "
    "s.pcall=function(...) "
    "local b=bad(...) "
    "if b then return {err=b} end "
    "return rp(...) "
    "end "
    "local server=rg(g,'server') and s "
    "local function none() "
    "er('load'..why,2) "
    "end "
    "sm(h,{__index=function(_,k) "
    "if k=='redis' then return s elseif k=='server' and server then return s "
    "elseif k=='_G' then return h elseif k=='load' or k=='loadstring' then return none end "
    "return g[k] "
    "end,__newindex=function() er('Attempt to modify a readonly table',2) end,__metatable=false}) ";

constexpr std::string_view kScriptBegin =
    "local redis,server,_G,load,loadstring=(function(r,g,K) "
    "local s,h,keys,source,why={},{},{},'@user_script',"
    "', which is not supported by gemel on a shard of several copies' "
    "for _,k in pairs(K) do keys[k]=true end ";
constexpr std::string_view kScriptEnd = "return s,server,h,none,none end)(redis,_G,KEYS);";

// While a library loads there is nothing but the few fields of redis that are named here; the rest
// is there when one of its functions runs, for the first time.
constexpr std::string_view kLibraryBegin =
    "local redis,server,_G,load,loadstring=(function(api) "
    "local s,h,keys,source,why={},{},{},'@user_function',"
    "', which is not supported by gemel in functions' "
    "local function start() "
    "local r,g=redis,_G "
    "s.register_function=nil ";
constexpr std::string_view kLibraryStarted =
    "end "
    "local started=false "
    "local function wrap(f) "
    "return function(K,A) "
    "if not started then start() started=true end "
    "keys={} "
    "for i=1,#K do keys[K[i]]=true end "
    "return f(K,A) "
    "end "
    "end "
    "s.log,s.LOG_DEBUG,s.LOG_VERBOSE,s.LOG_NOTICE,s.LOG_WARNING="
    "api.log,api.LOG_DEBUG,api.LOG_VERBOSE,api.LOG_NOTICE,api.LOG_WARNING "
    "s.register_function=function(a,b) "
    "if b~=nil then return api.register_function(a,wrap(b)) end "
    "a.callback=wrap(a.callback) "
    "return api.register_function(a) "
    "end ";
// Not every version has it.
constexpr std::string_view kLibraryVersion =
    "s.REDIS_VERSION,s.REDIS_VERSION_NUM=api.REDIS_VERSION,api.REDIS_VERSION_NUM ";
constexpr std::string_view kLibraryEnd =
    "local function none() error('load'..why,2) end "
    "return s,s,h,none,none end)(redis);";

// Before the first line, or behind a "#!" line; false if there is nothing behind that.
bool PutBefore(std::string_view code, std::string_view guard, std::string* out) {
  if (code.starts_with("#!")) {
    const size_t end = code.find('\n');
    if (end == std::string_view::npos) return false;
    out->append(code.substr(0, end + 1));
    code.remove_prefix(end + 1);
  }
  out->append(guard).append(code);
  return true;
}

const std::string& ScriptGuard() {
  static const std::string guard = std::string(kScriptBegin).append(kCore).append(kScriptEnd);
  return guard;
}

std::string LibraryGuard(bool version) {
  std::string guard(kLibraryBegin);
  guard.append(kCore).append(kLibraryStarted);
  if (version) guard.append(kLibraryVersion);
  return guard.append(kLibraryEnd);
}

}  // namespace

std::string ConfineScript(std::span<const std::string_view> args) {
  std::string guarded;
  std::vector<std::string_view> command(args.begin(), args.end());
  if (PutBefore(args[1], ScriptGuard(), &guarded)) command[1] = guarded;  // else it is no script
  return CommandFrame(command);
}

bool IsConfined(std::string_view script) {
  const size_t line = script.starts_with("#!") ? script.find('\n') : std::string_view::npos;
  if (line != std::string_view::npos) script.remove_prefix(line + 1);
  return script.starts_with(ScriptGuard());
}

std::string ConfineLibrary(std::string_view code) {
  std::string guarded;
  const bool version = code.find("REDIS_VERSION") != std::string_view::npos;
  return PutBefore(code, LibraryGuard(version), &guarded) ? guarded : std::string(code);
}

}  // namespace gemel

#include "backend/command/script_guard.h"

#include <vector>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// Lua, on one line: redis.call and redis.pcall ask the server which keys a command that writes has,
// and let it pass if KEYS has them all. What would lead past them is hidden behind local names:
// _G, load and loadstring (there is no getfenv, setfenv or debug), and Valkey's second name.
//
// An error of redis.call is raised anew with the line of the script that called it: the handler of
// the server would otherwise find the guard's.
constexpr std::string_view kGuard =
    "local redis,server,_G,load,loadstring=(function(r,g,K) "
    "local rp,lo,ty,ma,pc,er,pa,sm,rg,se="
    "r.pcall,string.lower,type,string.match,pcall,error,pairs,setmetatable,rawget,select "
    "local keys,infos={},{} "
    "for _,k in pa(K) do keys[k]=true end "
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
    "local no='ERR Script attempted to call '..n..' '"
    "local why=', which is not supported by gemel on a shard of several copies' "
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
    "er(sm({err=e},{__index=w and {source='@user_script',line=w},__newindex=function() end})) "
    "end "
    "local s={} "
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
    "local function none() "
    "er('load is not supported by gemel on a shard of several copies',2) "
    "end "
    "local server=rg(g,'server') and s "
    "local h "
    "h=sm({},{__index=function(_,k) "
    "if k=='redis' then return s elseif k=='server' and server then return s "
    "elseif k=='_G' then return h elseif k=='load' or k=='loadstring' then return none end "
    "return g[k] "
    "end,__newindex=function() er('Attempt to modify a readonly table',2) end,__metatable=false}) "
    "return s,server,h,none,none "
    "end)(redis,_G,KEYS);";

}  // namespace

std::string ConfineScript(std::span<const std::string_view> args) {
  std::string_view script = args[1];
  std::string guarded;
  if (script.starts_with("#!")) {
    const size_t end = script.find('\n');
    if (end == std::string_view::npos)
      return CommandFrame({args.begin(), args.end()});  // no script
    guarded = script.substr(0, end + 1);
    script.remove_prefix(end + 1);
  }
  guarded += kGuard;
  guarded += script;
  std::vector<std::string_view> command(args.begin(), args.end());
  command[1] = guarded;
  return CommandFrame(command);
}

}  // namespace gemel

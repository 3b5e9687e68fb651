// The Lua that script_guard.cc and library_guard.cc put before what clients wrote.

#ifndef GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_LUA_H_
#define GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_LUA_H_

#include <string>
#include <string_view>

namespace gemel {

// Lua, on one line. What all of it goes by: `r`, the server's own redis, `g`, its _G, `keys`, the
// set of those that may be changed, `other`, which says whether a key may be that is none of these,
// `s` and `h`, tables that stand for `r` and `g`, `over`, what else `h` has in place of what `g`
// has, `source`, as the server names the code in errors, `ro`, whether the server lets it write
// nothing at all, `free`, whether it may write whatever there is, and `why`, the end of a refusal.
// `stop` is false until the script is being stopped, and `mark` is what its error has then.
//
// redis.call and redis.pcall ask the server which keys a command that writes has, and let it pass
// if `keys` has them all. What would lead past them is hidden behind local names: _G, load and
// loadstring (there is no getfenv, setfenv or debug), and Valkey's second name.
//
// An error of redis.call is raised anew with the line of the script that called it: the handler of
// the server would otherwise find the guard's.
inline constexpr std::string_view kGuardCore =
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
    "if stop then er(stop) end "
    "if free then return end "
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
    // It writes its cache, and COMMAND does not say so.
    "if not(f.write or f.may_replicate or n=='pfcount') then return end "
    "if ro then return end "  // the server refuses it, in its own words
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
    "if not keys[k] and not other(k) then "
    "return no..'for a key that is not among its KEYS'..why..(stop and mark or '') "
    "end "
    "end "
    "end "
    "local function raise(e) "
    "local _,w=pc(er,'',4) "
    "w=ma(w,':(%d+):') "
    "local x=sm({err=e},{__index=w and {source=source,line=w},__newindex=function() end}) "
    "if stop then stop=x end "
    "er(x) "
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
    "if b and stop then raise(b) end "
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
    "local o=over[k] "
    "if o~=nil then return o end "
    "return g[k] "
    "end,__newindex=function() er('Attempt to modify a readonly table',2) end,__metatable=false}) ";

// What a script that may change other keys needs of strings: `a` and `b` are the two characters of
// the hash tag, or empty strings.
inline constexpr std::string_view kGuardTags =
    "local function hex(k) "
    "return (gs(k,'.',function(c) return fo('%02x',by(c)) end)) "
    "end "
    "local function tag(k) "
    "local x=a~='' and find(k,a,1,true) "
    "local y=x and find(k,b,x+1,true) "
    "if not y or y==x+1 then return k end "
    "return sub(k,x+1,y-1) "
    "end ";

// Behind kGuardCore: what one that tells answers, given what xpcall said of it, and the keys that
// it has changed, `list`. They stand beside what it returns, or in the text of its error.
inline constexpr std::string_view kGuardReport =
    "local function report(ok,v) "
    "if ok then "
    "local n=0 "
    "for _,k in pa(list) do "
    "local m=rp('MEMORY','USAGE',k) "
    "if ty(m)=='number' then n=n+m end "
    "end "
    "return {n,list,v} "
    "end "
    "if ty(v)~='table' then v={err='ERR '..str(v)} end "
    "local e=v.err "
    "if ty(e)~='string' then e='ERR unknown error' end "
    "if #list>0 then "
    "local x={} "
    "for i,k in pa(list) do x[i]=hex(k) end "
    "e=e..told..co(x,',')..']' "
    "end "
    "local at={source=v.source,line=v.line} "
    "er(sm({err=e},{__index=at,__newindex=function() end})) "
    "end ";

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_LUA_H_

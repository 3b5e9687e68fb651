#include "backend/command/script_cursors.h"

#include "backend/command/ascii.h"
#include "backend/keys/cursor.h"

namespace gemel {

namespace {

// Lua, on one line. It takes the place of s.call and s.pcall, which it asks itself, and goes by the
// short names that the guard has (script_guard.cc). A cursor has more digits than a number of Lua's
// can hold, so it is reckoned with as text.
//
// What belongs to another process begins anew, and so it is where the server does not say who it is
// (INFO is renamed): there cursors stay the server's own, both ways.
constexpr std::string_view kTranslates =
    "local ask,gs,fo,by,fl,co,up=s.pcall,string.gsub,string.format,string.byte,math.floor,"
    "table.concat,unpack "
    "local places={scan=2,hscan=3,sscan=3,zscan=3} "
    "local tag "
    "local function mine() "
    "if tag==nil then "
    "local i=ask('INFO','server') "
    "if ty(i)=='table' then i=i.verbatim_string and i.verbatim_string.string end "  // RESP3
    "local id=ty(i)=='string' and ma(i,'run_id:(%x+)') "
    "tag=false "
    "if id and #id==40 then "
    "local nth=tonumber(string.sub(id,1,8),16)%TAGS "
    "tag=1+nth+fl(nth/7) "
    "end "
    "end "
    "return tag "
    "end "
    "local function div(x,d) "
    "local q,m={},0 "
    "for i=1,#x do "
    "m=m*10+by(x,i)-48 "
    "q[i]=fl(m/d) "
    "m=m%d "
    "end "
    "q=gs(co(q),'^0+','') "
    "return q=='' and '0' or q,m "
    "end "
    "local function mul(x,f,m) "
    "local q={} "
    "for i=#x,1,-1 do "
    "m=m+(by(x,i)-48)*f "
    "q[i]=m%10 "
    "m=fl(m/10) "
    "end "
    "q=gs(fo('%.0f',m)..co(q),'^0+','') "
    "return q "
    "end "
    "local function walk(...) "
    "local n=... "
    "local at=ty(n)=='string' and places[lo(n)] "
    "if not at or not mine() then return ask(...) end "
    "local a={...} "
    "local c=a[at] "
    "if ty(c)=='number' then c=fo('%.0f',c) end "
    "if ty(c)=='string' and ma(c,'^[-+]?%d+$') then "
    "local q,m='0',0 "
    "if ma(c,'^%d+$') then "
    "if at==2 then c=div(c,SLOTS) end "
    "q,m=div(c,TAG) "
    "end "
    "a[at]=m==tag and q or '0' "
    "end "
    "local v=ask(up(a,1,se('#',...))) "
    "local c=ty(v)=='table' and rg(v,1) "
    "if ty(c)=='string' and c~='0' then "
    "c=mul(c,TAG,tag) "
    "if at==2 then c=mul(c,SLOTS,SCRIPT) end "
    "v[1]=c "
    "end "
    "return v "
    "end "
    "s.pcall=function(...) "
    "local v=walk(...) "
    "return v "
    "end "
    "s.call=function(...) "
    "local v=walk(...) "
    "if ty(v)=='table' and rg(v,'err') then raise(v.err) end "
    "return v "
    "end ";

// An error is raised anew with the line of the script that called it, as the guard does
// (script_guard.cc), which may be in front of it, or not: with one whose pcall is its own the
// script is a level further away.
constexpr std::string_view kScriptCursorsBegin =
    "local redis,server=(function(r) "
    "local lo,ty,ma,pc,er,sm,rg,se="
    "string.lower,type,string.match,pcall,error,setmetatable,rawget,select "
    "local _,up=pc(er,'',4) "
    "local level=up=='' and 4 or 5 "
    "local function raise(e) "
    "local _,w=pc(er,'',level) "
    "w=ma(w,':(%d+):') "
    "er(sm({err=e},{__index=w and {source='@user_script',line=w},__newindex=function() end})) "
    "end "
    "local _,v=pc(function() return server end) "
    "local s={} "
    "for k,f in pairs(r) do s[k]=f end ";
constexpr std::string_view kScriptCursorsEnd = "return s,ty(v)=='table' and s or nil end)(redis);";

std::string Filled(std::string_view lua) {
  std::string out(lua);
  const auto fill = [&out](std::string_view word, uint64_t value) {
    for (size_t at = 0; (at = out.find(word, at)) != std::string::npos;) {
      out.replace(at, word.size(), std::to_string(value));
    }
  };
  fill("TAGS", kCursorTags);
  fill("TAG", uint64_t{1} << kCursorTagBits);
  fill("SLOTS", kCursorSlots);
  fill("SCRIPT", kScriptCursorSlot);
  return out;
}

}  // namespace

bool MayScan(std::string_view code) {
  constexpr std::string_view kScan = "scan";
  for (size_t i = 0; i + kScan.size() <= code.size(); ++i) {
    if (AsciiLower(code[i]) == kScan[0] && EqualsLower(code.substr(i, kScan.size()), kScan)) {
      return true;
    }
  }
  return false;
}

const std::string& CursorsOfScript() {
  static const std::string lua =
      std::string(kScriptCursorsBegin).append(Filled(kTranslates)).append(kScriptCursorsEnd);
  return lua;
}

const std::string& CursorsOfLibrary() {
  // Its names are its own.
  static const std::string lua = "do " + Filled(kTranslates) + "end ";
  return lua;
}

bool PutBeforeCode(std::string_view code, std::string_view guard, std::string* out) {
  if (code.starts_with("#!")) {
    const size_t end = code.find('\n');
    if (end == std::string_view::npos) return false;
    out->append(code.substr(0, end + 1));
    code.remove_prefix(end + 1);
  }
  out->append(guard).append(code);
  return true;
}

std::string WithCursors(std::string_view script) {
  std::string out;
  return PutBeforeCode(script, CursorsOfScript(), &out) ? out : std::string(script);
}

}  // namespace gemel

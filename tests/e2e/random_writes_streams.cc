// Makers for streams and scripts.

#include "tests/e2e/random_writes.h"

namespace gemel::e2e {
namespace {

Words Trim(Draw& d) {
  Words words;
  const bool by_length = d.OneIn(2);
  words.push_back(by_length ? "MAXLEN" : "MINID");
  const std::string sign = d.Pick({"~", "=", ""});
  if (!sign.empty()) words.push_back(sign);
  words.push_back(by_length ? d.Number(200) : d.Id());
  if (sign == "~" && d.OneIn(3)) Add(&words, {"LIMIT", d.Number(300)});
  return words;
}

Words Xadd(Draw& d) {
  Words words = {"XADD", d.Key(ValueKind::kStream)};
  if (d.OneIn(5)) words.push_back("NOMKSTREAM");
  if (d.OneIn(3)) Add(&words, Trim(d));
  // Where IDs are made up, others are seldom above them.
  const bool made_up = words[1].back() == '0' || d.OneIn(8);
  words.push_back(made_up ? d.PartOfId() : d.Id());
  for (size_t i = d.Below(3) + 1; i > 0; --i) Add(&words, {d.Member(), d.Value()});
  return words;
}

Words Xtrim(Draw& d) {
  Words words = {"XTRIM", d.Key(ValueKind::kStream)};
  Add(&words, Trim(d));
  return words;
}

Words Xautoclaim(Draw& d) {
  Words words = {"XAUTOCLAIM", d.Key(ValueKind::kStream),       d.Group(),
                 d.Consumer(), d.OneIn(3) ? d.Number(50) : "0", d.OneIn(2) ? d.Id() : "0"};
  if (d.OneIn(2)) Add(&words, {"COUNT", d.Number(10)});
  if (d.OneIn(4)) words.push_back("JUSTID");
  return words;
}

Words Xclaim(Draw& d) {
  Words words = {"XCLAIM", d.Key(ValueKind::kStream), d.Group(), d.Consumer(),
                 d.OneIn(3) ? d.Number(50) : "0"};
  for (size_t i = d.Below(3) + 1; i > 0; --i) words.push_back(d.Id());
  if (d.OneIn(5)) Add(&words, {"IDLE", d.Number(1000)});
  if (d.OneIn(5)) Add(&words, {"TIME", d.UnixMilliseconds()});
  if (d.OneIn(4)) Add(&words, {"RETRYCOUNT", d.Number(10)});
  if (d.OneIn(2)) words.push_back("FORCE");
  if (d.OneIn(4)) words.push_back("JUSTID");
  if (d.OneIn(5)) Add(&words, {"LASTID", d.Id()});
  return words;
}

Words Xreadgroup(Draw& d) {
  Words words = {"XREADGROUP", "GROUP", d.Group(), d.Consumer()};
  if (!d.OneIn(3)) Add(&words, {"COUNT", d.Number(10)});
  if (d.OneIn(4)) words.push_back("NOACK");
  if (d.OneIn(4)) Add(&words, {"BLOCK", d.Pick({"1", "20"})});
  words.push_back("STREAMS");
  const Words keys = d.Keys(ValueKind::kStream, 2);
  Add(&words, keys);
  for (size_t i = 0; i < keys.size(); ++i) words.push_back(d.OneIn(4) ? d.Id() : ">");
  return words;
}

Words Ids(Draw& d, Words words) {
  for (size_t i = d.Below(4) + 1; i > 0; --i) words.push_back(d.Id());
  return words;
}

Words XgroupCreate(Draw& d) {
  Words words = {"XGROUP", "CREATE", d.Key(ValueKind::kStream), d.Group(),
                 d.OneIn(2) ? d.Pick({"$", "0"}) : d.Id()};
  if (!d.OneIn(5)) words.push_back("MKSTREAM");
  if (d.OneIn(4)) Add(&words, {"ENTRIESREAD", d.Number(20)});
  return words;
}

Words XgroupSetid(Draw& d) {
  Words words = {"XGROUP", "SETID", d.Key(ValueKind::kStream), d.Group(),
                 d.OneIn(2) ? d.Pick({"$", "0"}) : d.Id()};
  if (d.OneIn(3)) Add(&words, {"ENTRIESREAD", d.Number(20)});
  return words;
}

Words Xsetid(Draw& d) {
  Words words = {"XSETID", d.Key(ValueKind::kStream), d.Id()};
  if (d.OneIn(3)) Add(&words, {"ENTRIESADDED", d.Number(3000), "MAXDELETEDID", d.Id()});
  return words;
}

// What each copy would do otherwise: by chance, by its clock, in the order of its tables.
constexpr const char* kScripts[] = {
    "return redis.call('SADD', KEYS[1], math.random(1, 1000))",
    "return redis.call('SET', KEYS[1], redis.call('TIME')[2])",
    "return redis.call('SPOP', KEYS[1], ARGV[1])",
    "return redis.call('XADD', KEYS[1], '*', 'f', ARGV[1])",
    "local e = redis.call('SMEMBERS', KEYS[1]) "
    "if e[1] then redis.call('RPUSH', KEYS[2], e[1]) end return #e",
    "return redis.call('PEXPIRE', KEYS[1], ARGV[1])",
    "redis.pcall('INCR', KEYS[1]) redis.pcall('LPUSH', KEYS[2], ARGV[1]) return redis.call('NONE')",
    "#!lua flags=no-writes\nreturn redis.call('TYPE', KEYS[1])",
    "return redis.call('DEL', KEYS[1], KEYS[2])",
    "redis.setresp(3) redis.call('HSET', KEYS[1], 'm1', ARGV[1]) "
    "return redis.call('HGETALL', KEYS[1])",
    "return redis.call('SET', 'not declared', ARGV[1])",
    "return redis.call('RENAME', KEYS[1], KEYS[2])",
    // Keys that are not declared, of the same hash tag.
    "local n = redis.call('INCR', KEYS[1] .. 'undeclared') "
    "redis.call('RPUSH', KEYS[2] .. 'undeclared', n) "
    "if n % 3 == 0 then redis.call('LPOP', KEYS[2] .. 'undeclared') end return n",
    "redis.pcall('LPUSH', KEYS[2], ARGV[1]) "
    "redis.call('SET', KEYS[1] .. 'lives', math.random(), 'PX', ARGV[1]) "
    "return redis.call('XADD', KEYS[1] .. 'events', 'MAXLEN', 20, '*', 'f', ARGV[1])",
    "redis.call('DEL', KEYS[1] .. 'undeclared', KEYS[2]) error('behind it')",
    "for i = 1, 130 do redis.call('XADD', KEYS[1], '*', 'f', i) end "
    "redis.pcall('XGROUP', 'CREATE', KEYS[1], 'group0', '0')",
};

// Without keys: they are stopped at first, and run anew.
constexpr const char* kKeylessScripts[] = {
    "redis.call('RPUSH', ARGV[1] .. 'keyless', math.random()) "
    "return redis.call('LTRIM', ARGV[1] .. 'keyless', -20, -1)",
    "local n = redis.call('INCR', 'keyless') "
    "redis.call('SET', 'keyless' .. n % 9, redis.call('TIME')[2], 'PX', ARGV[2]) return n",
    "local ok = pcall(redis.call, 'SPOP', ARGV[1]) redis.call('SADD', 'of keyless', ARGV[1]) "
    "return redis.call('PFCOUNT', ARGV[1])",
    "return redis.call('EXISTS', ARGV[1])",
};

Words Keyless(Draw& d, Words words) {
  const ValueKind kinds[] = {ValueKind::kSet, ValueKind::kString, ValueKind::kList};
  Add(&words, {"0", d.Key(kinds[d.Below(std::size(kinds))])});
  words.push_back(d.expiries() ? std::to_string(1 + d.Below(40)) : "3600000");
  return words;
}

Words KeysAndArguments(Draw& d, Words words) {
  const ValueKind kinds[] = {ValueKind::kSet, ValueKind::kString, ValueKind::kStream,
                             ValueKind::kHash, ValueKind::kNumber};
  Add(&words, {"2", d.Key(kinds[d.Below(std::size(kinds))]), d.Key(ValueKind::kList)});
  // Also the milliseconds that a key lives.
  words.push_back(d.expiries() ? std::to_string(1 + d.Below(40)) : "3600000");
  return words;
}

}  // namespace

std::vector<std::string> ScriptTexts() { return {std::begin(kScripts), std::end(kScripts)}; }

std::string FunctionLibrary() {
  std::string code = "#!lua name=writes\nlocal calls = 0\n";
  for (size_t i = 0; i < std::size(kScripts); ++i) {
    if (std::string_view(kScripts[i]).starts_with("#!")) continue;
    code += "redis.register_function('f" + std::to_string(i) +
            "', function(KEYS, ARGV) calls = calls + 1 " + kScripts[i] + " end)\n";
  }
  for (size_t i = 0; i < std::size(kKeylessScripts); ++i) {
    code += "redis.register_function('k" + std::to_string(i) + "', function(KEYS, ARGV) " +
            kKeylessScripts[i] + " end)\n";
  }
  return code;
}

Makers StreamMakers() {
  return {
      {"xack",
       [](Draw& d) {
         return Ids(d, {"XACK", d.Key(ValueKind::kStream), d.Group()});
       }},
      {"xadd", Xadd},
      {"xautoclaim", Xautoclaim},
      {"xclaim", Xclaim},
      {"xdel",
       [](Draw& d) {
         return Ids(d, {"XDEL", d.Key(ValueKind::kStream)});
       }},
      {"xgroup|create", XgroupCreate},
      {"xgroup|createconsumer",
       [](Draw& d) {
         return Words{"XGROUP", "CREATECONSUMER", d.Key(ValueKind::kStream), d.Group(),
                      d.Consumer()};
       }},
      {"xgroup|delconsumer",
       [](Draw& d) {
         return Words{"XGROUP", "DELCONSUMER", d.Key(ValueKind::kStream), d.Group(), d.Consumer()};
       }},
      {"xgroup|destroy",
       [](Draw& d) {
         return Words{"XGROUP", "DESTROY", d.Key(ValueKind::kStream), d.Group()};
       }},
      {"xgroup|setid", XgroupSetid},
      {"xreadgroup", Xreadgroup},
      {"xsetid", Xsetid},
      {"xtrim", Xtrim},
  };
}

Makers ScriptMakers() {
  return {
      {"eval",
       [](Draw& d) {
         if (d.OneIn(4)) {
           return Keyless(d, {"EVAL", kKeylessScripts[d.Below(std::size(kKeylessScripts))]});
         }
         return KeysAndArguments(d, {"EVAL", kScripts[d.Below(std::size(kScripts))]});
       }},
      {"evalsha",
       [](Draw& d) {
         return KeysAndArguments(d, {"EVALSHA", d.Sha()});
       }},
      {"fcall",
       [](Draw& d) {
         if (d.OneIn(4)) {
           return Keyless(d, {"FCALL", "k" + std::to_string(d.Below(std::size(kKeylessScripts)))});
         }
         return KeysAndArguments(d, {"FCALL", "f" + std::to_string(d.Below(std::size(kScripts)))});
       }},
  };
}

}  // namespace gemel::e2e

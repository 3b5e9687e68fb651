#include "tests/e2e/reply_oracle_values.h"

#include <map>
#include <vector>

#include "tests/e2e/wire.h"

namespace gemel::e2e::reply_oracle_test {
namespace {

std::string Count(Draw& draw) { return draw.Pick({"0", "1", "1", "2", "2", "3", "10", "-1"}); }
std::string Index(Draw& draw) { return draw.Index(); }
std::string SmallIndex(Draw& draw) { return std::to_string(draw.Below(12)); }
std::string Integer(Draw& draw) { return draw.Signed(); }
std::string Float(Draw& draw) { return draw.Float(); }
std::string AnyValue(Draw& draw) { return draw.Value(); }
std::string NumberOrValue(Draw& draw) { return draw.OneIn(2) ? draw.Signed() : draw.Value(); }
std::string Member(Draw& draw) { return draw.Member(); }
std::string Field(Draw& draw) { return draw.OneIn(2) ? "f" + draw.Number(4) : draw.Member(); }
std::string Database(Draw& draw) { return draw.OneIn(12) ? "16" : draw.Number(4); }
std::string ScoreBound(Draw& draw) { return draw.ScoreBound(); }
std::string LexBound(Draw& draw) { return draw.LexBound(); }
std::string Longitude(Draw& draw) { return draw.Longitude(); }
std::string Latitude(Draw& draw) { return draw.Latitude(); }
std::string Radius(Draw& draw) {
  return draw.Pick({"0", "1", "100", "5000", "200000.5", "2000000", "-1"});
}
// Times are far away or long gone: nothing expires between two replies.
std::string Seconds(Draw& draw) {
  return draw.OneIn(6) ? draw.Pick({"0", "-1", "9223372036854775807"})
                       : draw.Pick({"3600", "7200", "100000"});
}
std::string Milliseconds(Draw& draw) {
  return draw.OneIn(6) ? draw.Pick({"0", "-1", "9223372036854775807"})
                       : draw.Pick({"3600000", "7200000", "100000001"});
}
std::string UnixSeconds(Draw& draw) {
  return draw.OneIn(5) ? draw.Pick({"1", "0", "-1"}) : draw.Pick({"4000000000", "5000000000"});
}
std::string UnixMilliseconds(Draw& draw) {
  return draw.OneIn(5) ? draw.Pick({"1", "0", "-1"})
                       : draw.Pick({"4000000000000", "5000000000001"});
}
std::string Idle(Draw& draw) { return draw.OneIn(3) ? "9000000000000000" : "0"; }
std::string Milestone(Draw& draw) { return draw.Pick({"0", "1000000", "5"}); }
std::string Cursor(Draw& draw) { return draw.OneIn(6) ? draw.Number(20) : "0"; }
std::string Pattern(Draw& draw) {
  return draw.Pick(
      {"*", "*", "m*", "{?}*", "*1", "[^m]*", "nothing", "f?", "{0}[a-s]*", "\\*", ""});
}
std::string Id(Draw& draw) {
  return draw.OneIn(5) ? draw.Pick({"0", "0-0", "5-1", "-", "+", "$", ">", "77-*"})
                       : draw.Number(30) + "-" + draw.Number(3);
}
std::string NextId(Draw& draw) {
  return draw.OneIn(5) ? Id(draw) : draw.Number(1000) + "-" + draw.Number(3);
}
std::string RangeId(Draw& draw) {
  return draw.OneIn(2) ? draw.Pick({"-", "+", "(5-1", "(-", "3"}) : Id(draw);
}
std::string ReadId(Draw& draw) { return draw.OneIn(2) ? draw.Pick({"0", "5-1", "$"}) : Id(draw); }
std::string GroupReadId(Draw& draw) {
  return draw.OneIn(2) ? ">" : draw.Pick({"0", "5-1", ">", "3-0"});
}
std::string Group(Draw& draw) { return draw.OneIn(10) ? "nobody" : draw.Group(); }
std::string Consumer(Draw& draw) { return draw.Consumer(); }
std::string Encoding(Draw& draw) {
  return draw.Pick({"u8", "i8", "u4", "i16", "u1", "u63", "i64", "u64", "i65", "x3", "u0"});
}
std::string BitOffset(Draw& draw) {
  return draw.OneIn(3) ? "#" + draw.Number(20) : draw.Number(200);
}
std::string PlainBitOffset(Draw& draw) { return draw.Number(1500); }
std::string Bit(Draw& draw) { return draw.Pick({"0", "1", "1", "2"}); }
std::string BitOperation(Draw& draw) { return draw.Pick({"AND", "or", "XOR", "Not", "none"}); }
std::string Protocol(Draw& draw) { return draw.Pick({"2", "3", "2", "3", "4", "1"}); }
std::string ClientName(Draw& draw) { return draw.Pick({"me", "somebody", "with space", ""}); }
std::string User(Draw& draw) { return draw.OneIn(2) ? "default" : "nobody"; }
std::string Sha(Draw& draw) {
  return draw.OneIn(5) ? draw.Pick({"0123456789012345678901234567890123456789", "abc"})
                       : draw.Sha();
}
std::string Dump(Draw& draw) { return draw.OneIn(12) ? "broken" : draw.Dump(); }
std::string Frequency(Draw& draw) { return draw.Pick({"0", "5", "255", "256", "-1"}); }
std::string Function(Draw& draw) { return draw.Pick({"read", "put", "none", "beside", "keyless"}); }
std::string Type(Draw& draw) {
  return draw.Pick({"string", "list", "set", "zset", "hash", "stream", "nothing", "STRING"});
}
std::string Section(Draw& draw) { return draw.Pick({"server", "keyspace", "stats", "nothing"}); }
std::string Message(Draw& draw) { return draw.Value(); }
std::string LolwutVersion(Draw& draw) { return draw.Pick({"5", "6", "7"}); }
std::string Script(Draw& draw) { return OracleScripts()[draw.Below(OracleScripts().size())]; }

// By name, or by "row name" where that is another thing.
ValueMaker Named(const std::string& name) {
  static const std::map<std::string, ValueMaker> kMakers = {
      {"arg", NumberOrValue},
      {"bit", Bit},
      {"bitfield encoding", Encoding},
      {"bitfield offset", BitOffset},
      {"bitfield_ro encoding", Encoding},
      {"bitfield_ro offset", BitOffset},
      {"clientname", ClientName},
      {"connection-name", ClientName},
      {"consumer", Consumer},
      {"consumername", Consumer},
      {"count", Count},
      {"cursor", Cursor},
      {"db", Database},
      {"decrement", Integer},
      {"destination-db", Database},
      {"element", Member},
      {"end", Index},
      {"entries_added", SmallIndex},
      {"entries_read", Count},
      {"field", Field},
      {"frequency", Frequency},
      {"function", Function},
      {"getbit offset", PlainBitOffset},
      {"group", Group},
      {"groupname", Group},
      {"height", Radius},
      {"hset value", NumberOrValue},
      {"id", Id},
      {"increment", Integer},
      {"index", Index},
      {"index1", Database},
      {"index2", Database},
      {"last-id", NextId},
      {"latitude", Latitude},
      {"len", Count},
      {"limit", Count},
      {"longitude", Longitude},
      {"max", ScoreBound},
      {"max_deleted_entry_id", Id},
      {"member", Member},
      {"member1", Member},
      {"member2", Member},
      {"message", Message},
      {"milliseconds", Milliseconds},
      {"min", ScoreBound},
      {"min-idle-time", Idle},
      {"ms", Milestone},
      {"num-matches", Count},
      {"offset", SmallIndex},
      {"bitop operation", BitOperation},
      {"password", Message},
      {"pattern", Pattern},
      {"pivot", Member},
      {"protover", Protocol},
      {"radius", Radius},
      {"rank", Count},
      {"restore seconds", SmallIndex},
      {"score", Float},
      {"script", Script},
      {"seconds", Seconds},
      {"section", Section},
      {"scan cursor", [](Draw&) -> std::string { return "0"; }},
      {"select index", Database},
      {"serialized-value", Dump},
      {"setbit offset", PlainBitOffset},
      {"setbit value", Bit},
      {"setrange offset", SmallIndex},
      {"sha1", Sha},
      {"start", Index},
      {"stop", Index},
      {"threshold", SmallIndex},
      {"ttl", Milliseconds},
      {"type", Type},
      {"unix-time-milliseconds", UnixMilliseconds},
      {"unix-time-seconds", UnixSeconds},
      {"username", User},
      {"value", NumberOrValue},
      {"bitfield value", Integer},
      {"version", LolwutVersion},
      {"weight", Float},
      {"width", Radius},
      {"xadd id", NextId},
      {"xautoclaim start", Id},
      {"xpending end", RangeId},
      {"xpending start", RangeId},
      {"xrange end", RangeId},
      {"xrange start", RangeId},
      {"xread id", ReadId},
      {"xreadgroup id", GroupReadId},
      {"xrevrange end", RangeId},
      {"xrevrange start", RangeId},
      {"zincrby increment", Float},
      {"zlexcount max", LexBound},
      {"zlexcount min", LexBound},
      {"zrangebylex max", LexBound},
      {"zrangebylex min", LexBound},
      {"zremrangebylex max", LexBound},
      {"zremrangebylex min", LexBound},
      {"zrevrangebylex max", LexBound},
      {"zrevrangebylex min", LexBound},
  };
  const auto found = kMakers.find(name);
  return found == kMakers.end() ? nullptr : found->second;
}

}  // namespace

const std::vector<std::string>& OracleScripts() {
  static const std::vector<std::string> kScripts = {
      "return {KEYS,ARGV}",
      "return #KEYS",
      "return redis.call('get',KEYS[1])",
      "return redis.call('set',KEYS[1],ARGV[1])",
      "return redis.pcall('incr',KEYS[1])",
      // Of the same hash tag, and not declared.
      "return redis.call('append',KEYS[1]..':undeclared','x')",
      "redis.call('del',KEYS[1]..':undeclared') return redis.call('rpush',KEYS[1]..':list',1,2)",
      // Without keys it is on another shard than in a transaction with others: it leaves nothing.
      "if #KEYS>0 then return 0 end redis.call('append','keyless',ARGV[1] or '') "
      "return {redis.call('append','keyless','x'),redis.call('del','keyless')}",
      "return redis.call('lrange',KEYS[1],0,-1)",
      "return redis.call('type',KEYS[1])",
      "return redis.call('sadd',KEYS[1],unpack(ARGV))",
      "redis.setresp(3) return redis.call('zscore',KEYS[1],ARGV[1])",
      "redis.setresp(3) return redis.call('exists',KEYS[1]) == 1",
      "return {1,false,'x',{ok='fine'},{err='MY no'},nil,2}",
      "return {double=3.5}",
      "return {big_number='123456789012345678901234567890'}",
      "return tonumber(ARGV[1])",
      "return redis.error_reply('MY own')",
      "return redis.status_reply('DONE')",
      "error('no')",
      "error({err='MY table'})",
      "redis.call('nope')",
      "return redis.pcall('nope')",
      "return redis.call('get')",
      "x x",
      "#!lua flags=no-writes\nreturn redis.call('get',KEYS[1])",
      "#!lua flags=nothing\nreturn 1",
      "#!nolua\nreturn 1",
      "return redis.sha1hex(ARGV[1] or '')",
      "return cjson.encode({KEYS[1] or '',ARGV[1] or ''})",
      "return nothing",
      "nothing = 1",
  };
  return kScripts;
}

ValueMaker MakerOfValue(const std::string& row, const Argument& argument) {
  if (const ValueMaker maker = Named(row + " " + argument.name); maker != nullptr) return maker;
  if (const ValueMaker maker = Named(argument.name); maker != nullptr) return maker;
  if (argument.type == "integer") return Integer;
  if (argument.type == "double") return Float;
  return AnyValue;
}

ValueMaker MakerOfArguments(std::string_view row) {
  static const std::map<std::string_view, ValueMaker> kMakers = {
      {"client|kill",
       [](Draw& draw) {
         return draw.Pick({"ID 999999999", "ADDR 1.2.3.4:5", "1.2.3.4:5", "ID x", "ID 0",
                           "USER nobody", "TYPE master", "TYPE nothing", "SKIPME maybe",
                           "ID 999999999 SKIPME yes", "LADDR 1.2.3.4:5 TYPE pubsub", "ID",
                           "NOTHING x"});
       }},
      {"client|list",
       [](Draw& draw) {
         return draw.Pick({"", "TYPE normal", "TYPE master", "TYPE nothing", "ID 999999999", "ID x",
                           "ID", "NOTHING", "TYPE", "ID 999999999 999999998"});
       }},
      {"client|reply",
       [](Draw& draw) {
         return draw.Pick({"ON", "on", "maybe"});
       }},
      {"command|docs",
       [](Draw& draw) {
         return draw.Pick({"", "get", "nothing", "get nothing"});
       }},
      {"command|getkeys",
       [](Draw& draw) {
         return draw.Pick({"GET a",
                           "MSET a 1 b 2",
                           "EVAL x 2 a b c",
                           "SORT l BY p* STORE d",
                           "PING x",
                           "NOTHING x",
                           "GET",
                           "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
                           "EVAL x 0 a",
                           "XREAD COUNT 1 STREAMS a b 0 0",
                           "SET a",
                           "OBJECT ENCODING a",
                           "XGROUP CREATE a g 0",
                           "GEORADIUS k 1 1 1 m STORE d",
                           "LMPOP 2 a b LEFT",
                           "BITOP AND d a b",
                           "SORT l",
                           "MIGRATE h 1 a 0 0",
                           "EVAL x 9 a",
                           "CONFIG GET a",
                           "LMPOP x a b LEFT",
                           "MSET a 1 b",
                           "XREAD COUNT 1"});
       }},
      {"command|getkeysandflags",
       [](Draw& draw) {
         return draw.Pick({"GET a", "MSET a 1 b 2", "EVAL x 2 a b c", "SORT l STORE d", "PING x",
                           "NOTHING x", "COPY a b", "SET a 1 GET", "SET a 1", "ZUNIONSTORE d 1 a",
                           "DEL a b", "LMOVE a b LEFT LEFT", "XREADGROUP GROUP g c STREAMS a >",
                           "PFCOUNT a b", "RENAME a b", "GETEX a", "BITFIELD a GET u8 0"});
       }},
      {"command|info",
       [](Draw& draw) {
         return draw.Pick({"", "get", "nothing", "get set nothing", "config|get"});
       }},
      {"command|list",
       [](Draw& draw) {
         return draw.Pick({"", "FILTERBY PATTERN hge*", "FILTERBY MODULE none", "FILTERBY",
                           "FILTERBY NOTHING x", "FILTERBY PATTERN", "FILTERBY PATTERN none"});
       }},
      {"function|delete",
       [](Draw& draw) {
         return draw.Pick({"oracle", "other", "none"});
       }},
      {"function|list",
       [](Draw& draw) {
         return draw.Pick({"", "WITHCODE", "LIBRARYNAME *r*", "WITHCODE LIBRARYNAME other",
                           "LIBRARYNAME", "NOTHING", "LIBRARYNAME none WITHCODE WITHCODE"});
       }},
      {"function|load",
       [](Draw& draw) {
         return draw.Pick({
             "REPLACE "
             "#!lua\\_name=other\\nredis.register_function('third',function()return\\_3\\_end)",
             "#!lua\\_name=other\\nredis.register_function('third',function()return\\_3\\_end)",
             "#!lua\\_name=clash\\nredis.register_function('read',function()return\\_3\\_end)",
             "#!lua\\_name=empty\\nlocal\\_x=1",
             "#!lua\\_name=bad\\nx\\_x",
             "nothing",
             "#!lua",
             "#!nolua\\_name=other\\nreturn",
             "#!lua\\_name=a-b\\nreturn",
             "NOTHING x",
             "REPLACE",
         });
       }},
      {"config|get",
       [](Draw& draw) {
         return draw.Pick({"nothing", "timeout", "no*thing a?b"});
       }},
      {"config|set",
       [](Draw& draw) {
         return draw.Pick({"timeout 0", "timeout x", "nothing 1", "timeout", "timeout 0 timeout 0",
                           "timeout 0 nothing"});
       }},
  };
  const auto found = kMakers.find(row);
  return found == kMakers.end() ? nullptr : found->second;
}

Words WordsOfValue(const std::string& value) {
  Words words = WordsOf(value);
  for (std::string& word : words) {
    for (size_t at = 0; (at = word.find("\\n", at)) != std::string::npos;)
      word.replace(at, 2, "\n");
  }
  return words;
}

}  // namespace gemel::e2e::reply_oracle_test

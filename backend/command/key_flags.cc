#include "backend/command/key_flags.h"

#include "backend/command/ascii.h"
#include "backend/command/second_copy.h"

namespace gemel {

namespace {

constexpr std::string_view kRead = "RO access";
constexpr std::string_view kChange = "RW access update";
constexpr std::string_view kTake = "RW access delete";
constexpr std::string_view kStore = "OW update";

// Of these rows; a row that is in no group reads or changes all its keys. Names have a space on
// both sides.
struct Group {
  KeyFlags flags;
  std::string_view rows;
};

constexpr Group kGroups[] = {
    {{"RO", "RO"},
     " exists hexists hlen hstrlen llen memory|usage object|encoding object|freq object|idletime "
     "object|refcount scard sismember strlen touch type watch xlen zcard "},
    {{kRead, kRead}, " xreadgroup "},
    {{"RW update", "RW update"},
     " expire expireat geoadd hmset hset lset persist pexpire pexpireat setrange xack xadd xclaim "
     "xgroup|setid xsetid zadd "},
    {{kTake, kTake},
     " blmpop blpop brpop bzmpop bzpopmax bzpopmin getdel lmpop lpop rpop spop zmpop zpopmax "
     "zpopmin "},
    {{"RW delete", "RW delete"},
     " hdel lrem ltrim srem xautoclaim xdel xgroup|delconsumer xgroup|destroy xtrim zrem "
     "zremrangebylex zremrangebyrank zremrangebyscore "},
    {{"RW insert", "RW insert"},
     " append hsetnx linsert lpush lpushx pfadd rpush rpushx sadd xgroup|create "
     "xgroup|createconsumer "},
    {{kStore, kRead},
     " bitop geosearchstore sdiffstore sunionstore zdiffstore zinterstore zrangestore "
     "zunionstore "},
    {{kTake, "RW insert"}, " blmove brpoplpush lmove rpoplpush smove "},
    {{kStore, kStore}, " mset psetex restore setex "},
    {{"RM delete", "RM delete"}, " del unlink "},
    {{kRead, kStore}, " copy georadius georadiusbymember sort "},
    {{"OW insert", "OW insert"}, " msetnx setnx "},
    {{"RW access", "RW access"}, " pfcount pfdebug "},
    {{"RW access insert", kRead}, " pfmerge "},
    {{kTake, kStore}, " rename "},
    {{kTake, "OW insert"}, " renamenx "},
    {{"RW update", kRead}, " sinterstore "},
};

bool IsAmong(std::string_view name, std::string_view names) {
  for (size_t at = names.find(name); at != std::string_view::npos; at = names.find(name, at + 1)) {
    if (names[at - 1] == ' ' && names[at + name.size()] == ' ') return true;
  }
  return false;
}

}  // namespace

KeyFlags KeyFlagsOf(const CommandRow& row, std::span<const std::string_view> args) {
  if (row.name == "set") {  // its options say which
    for (const std::string_view arg : args.subspan(3)) {
      if (EqualsLower(arg, "get")) return {kChange, kChange};
    }
    return {kStore, kStore};
  }
  if (row.arg_rule == ArgRule::kBitfield && !IsWriteFor(row, args)) return {kRead, kRead};
  for (const Group& group : kGroups) {
    if (IsAmong(row.name, group.rows)) return group.flags;
  }
  const std::string_view all = row.IsWrite() ? kChange : kRead;
  return {all, all};
}

}  // namespace gemel

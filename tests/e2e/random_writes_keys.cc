// Makers for keys of any type, and for whole databases.

#include "tests/e2e/random_writes.h"

namespace gemel::e2e {
namespace {

Words Expire(Draw& d, const char* name, const std::string& time) {
  Words words = {name, d.AnyKey(), time};
  if (d.OneIn(3)) words.push_back(d.Pick({"NX", "XX", "GT", "LT"}));
  return words;
}

// Of several tags at times: the parts go to several shards.
Words OfKeys(Draw& d, const char* name) {
  Words words = {name, d.AnyKey()};
  while (d.OneIn(2)) words.push_back(d.AnyKey());
  return words;
}

Words Copy(Draw& d) {
  Words words = {"COPY", d.AnyKey(), d.AnyKey()};
  if (d.OneIn(2)) Add(&words, {"DB", d.Database()});
  if (d.OneIn(2)) Add(&words, {"REPLACE"});
  return words;
}

Words Restore(Draw& d) {
  const bool absolute = d.expiries() && d.OneIn(3);
  const std::string life = d.Milliseconds();
  Words words = {"RESTORE", d.AnyKey(), d.OneIn(2) || life[0] == '-' ? "0" : life, d.Dump()};
  if (absolute) words[2] = d.UnixMilliseconds();
  if (!d.OneIn(3)) words.push_back("REPLACE");
  if (absolute) words.push_back("ABSTTL");
  if (d.OneIn(4)) Add(&words, {"IDLETIME", d.Number()});
  if (d.OneIn(8)) Add(&words, {"FREQ", d.Number()});
  return words;
}

Words Sort(Draw& d) {
  const ValueKind kind = d.OneIn(2)   ? ValueKind::kList
                         : d.OneIn(2) ? ValueKind::kSet
                                      : ValueKind::kSorted;
  Words words = {"SORT", d.Key(kind)};
  // On several shards a pattern is refused.
  const bool by = d.OneIn(4);
  if (by) Add(&words, {"BY", d.Pick({"nosort", "{1}h*->m1", "{2}n*", "none_*"})});
  if (d.OneIn(4)) Add(&words, {"LIMIT", d.Number(3), d.Number(10)});
  if (d.OneIn(6)) Add(&words, {"GET", d.Pick({"#", "{1}n*", "{3}h*->m2"})});
  if (d.OneIn(3)) Add(&words, {d.Pick({"ASC", "DESC"})});
  const bool alpha = !d.OneIn(3);
  if (alpha) Add(&words, {"ALPHA"});
  // known: servers replicate it as it is, and elements of equal weight keep the order of the set,
  // which is another on a replica.
  const bool by_order = by && alpha && d.resyncs();
  if (!by_order && !d.OneIn(5)) Add(&words, {"STORE", d.Key(ValueKind::kList)});
  return words;
}

Words Flush(Draw& d, const char* name) {
  Words words = {name};
  if (d.OneIn(2)) words.push_back(d.Pick({"ASYNC", "SYNC"}));
  return words;
}

}  // namespace

Makers KeyMakers() {
  return {
      {"copy", Copy},
      {"del", [](Draw& d) { return OfKeys(d, "DEL"); }},
      {"unlink", [](Draw& d) { return OfKeys(d, "UNLINK"); }},
      {"expire", [](Draw& d) { return Expire(d, "EXPIRE", d.Seconds()); }},
      {"expireat", [](Draw& d) { return Expire(d, "EXPIREAT", d.UnixSeconds()); }},
      {"pexpire", [](Draw& d) { return Expire(d, "PEXPIRE", d.Milliseconds()); }},
      {"pexpireat", [](Draw& d) { return Expire(d, "PEXPIREAT", d.UnixMilliseconds()); }},
      {"persist",
       [](Draw& d) {
         return Words{"PERSIST", d.AnyKey()};
       }},
      {"move",
       [](Draw& d) {
         return Words{"MOVE", d.AnyKey(), d.Database()};
       }},
      {"rename",
       [](Draw& d) {
         return Words{"RENAME", d.AnyKey(), d.AnyKey()};
       }},
      {"renamenx",
       [](Draw& d) {
         return Words{"RENAMENX", d.AnyKey(), d.AnyKey()};
       }},
      {"restore", Restore},
      {"sort", Sort},
      {"flushall", [](Draw& d) { return Flush(d, "FLUSHALL"); }},
      {"flushdb", [](Draw& d) { return Flush(d, "FLUSHDB"); }},
      {"swapdb",
       [](Draw& d) {
         return Words{"SWAPDB", d.Database(), d.Database()};
       }},
  };
}

}  // namespace gemel::e2e

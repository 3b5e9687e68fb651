// Makers for strings, bitmaps and HyperLogLogs.

#include "tests/e2e/random_writes.h"

namespace gemel::e2e {
namespace {

// How long what is stored lives, in the words of SET and GETEX.
Words LifeOption(Draw& d) {
  switch (d.Below(4)) {
    case 0:
      return {"EX", d.Seconds()};
    case 1:
      return {"PX", d.Milliseconds()};
    case 2:
      return {"EXAT", d.UnixSeconds()};
    default:
      return {"PXAT", d.UnixMilliseconds()};
  }
}

Words SetString(Draw& d) {
  Words words = {"SET", d.Key(d.OneIn(3) ? ValueKind::kNumber : ValueKind::kString), d.Value()};
  if (d.OneIn(3)) Add(&words, {d.Pick({"NX", "XX"})});
  if (d.OneIn(4)) Add(&words, {"GET"});
  if (d.OneIn(3)) Add(&words, d.OneIn(4) ? Words{"KEEPTTL"} : LifeOption(d));
  return words;
}

Words GetEx(Draw& d) {
  Words words = {"GETEX", d.Key(ValueKind::kString)};
  if (!d.OneIn(4)) Add(&words, d.OneIn(4) ? Words{"PERSIST"} : LifeOption(d));
  return words;
}

Words Pairs(Draw& d, const char* name) {
  Words words = {name};
  for (size_t i = d.Below(3) + 1; i > 0; --i) Add(&words, {d.Key(ValueKind::kString), d.Value()});
  return words;
}

Words Bitfield(Draw& d) {
  Words words = {"BITFIELD", d.Key(ValueKind::kBits)};
  for (size_t i = d.Below(3) + 1; i > 0; --i) {
    // known: where it fails on a key that was not there, that is there now, and servers do not
    // replicate it.
    const std::string overflow = d.Pick({"WRAP", "SAT", "FAIL"});
    if (d.OneIn(3) && (overflow != "FAIL" || !d.resyncs())) Add(&words, {"OVERFLOW", overflow});
    const std::string type = d.Pick({"u8", "i8", "u1", "i16", "u63", "i64"});
    const std::string offset = (d.OneIn(2) ? "#" : "") + d.Number(20);
    const std::string order = d.Pick({"GET", "SET", "INCRBY"});
    Add(&words, {order, type, offset});
    if (order != "GET") Add(&words, {d.Signed()});
  }
  return words;
}

Words Bitop(Draw& d) {
  Words words = {"BITOP", d.Pick({"AND", "OR", "XOR", "NOT"}), d.Key(ValueKind::kBits)};
  Add(&words, d.Keys(ValueKind::kBits, words[1] == "NOT" ? 1 : 3));
  return words;
}

Words PfAdd(Draw& d) {
  Words words = {"PFADD", d.Key(ValueKind::kHyperLogLog)};
  for (size_t i = d.Below(4); i > 0; --i) words.push_back(d.Value());
  return words;
}

Words PfMerge(Draw& d) {
  Words words = {"PFMERGE", d.Key(ValueKind::kHyperLogLog)};
  Add(&words, d.Keys(ValueKind::kHyperLogLog));
  return words;
}

}  // namespace

Makers StringMakers() {
  return {
      {"append",
       [](Draw& d) {
         return Words{"APPEND", d.Key(ValueKind::kString), d.Value()};
       }},
      {"decr",
       [](Draw& d) {
         return Words{"DECR", d.Key(ValueKind::kNumber)};
       }},
      {"decrby",
       [](Draw& d) {
         return Words{"DECRBY", d.Key(ValueKind::kNumber), d.Signed()};
       }},
      {"getdel",
       [](Draw& d) {
         return Words{"GETDEL", d.Key(ValueKind::kString)};
       }},
      {"getex", GetEx},
      {"getset",
       [](Draw& d) {
         return Words{"GETSET", d.Key(ValueKind::kString), d.Value()};
       }},
      {"incr",
       [](Draw& d) {
         return Words{"INCR", d.Key(ValueKind::kNumber)};
       }},
      {"incrby",
       [](Draw& d) {
         return Words{"INCRBY", d.Key(ValueKind::kNumber), d.Signed()};
       }},
      {"incrbyfloat",
       [](Draw& d) {
         return Words{"INCRBYFLOAT", d.Key(ValueKind::kNumber), d.Float()};
       }},
      {"mset", [](Draw& d) { return Pairs(d, "MSET"); }},
      {"msetnx", [](Draw& d) { return Pairs(d, "MSETNX"); }},
      {"psetex",
       [](Draw& d) {
         return Words{"PSETEX", d.Key(ValueKind::kString), d.Milliseconds(), d.Value()};
       }},
      {"set", SetString},
      {"setex",
       [](Draw& d) {
         return Words{"SETEX", d.Key(ValueKind::kString), d.Seconds(), d.Value()};
       }},
      {"setnx",
       [](Draw& d) {
         return Words{"SETNX", d.Key(ValueKind::kString), d.Value()};
       }},
      {"setrange",
       [](Draw& d) {
         return Words{"SETRANGE", d.Key(ValueKind::kString), d.Number(400), d.Value()};
       }},
      {"bitfield", Bitfield},
      {"bitop", Bitop},
      {"setbit",
       [](Draw& d) {
         return Words{"SETBIT", d.Key(ValueKind::kBits), d.Number(2000), d.Number(2)};
       }},
      {"pfadd", PfAdd},
      {"pfcount",
       [](Draw& d) {
         return Words{"PFCOUNT", d.Key(ValueKind::kHyperLogLog)};
       }},
      {"pfmerge", PfMerge},
  };
}

}  // namespace gemel::e2e

// Makers for lists, sets and hashes.

#include "tests/e2e/random_writes.h"

namespace gemel::e2e {
namespace {

Words Members(Draw& d, const char* name, ValueKind kind) {
  Words words = {name, d.Key(kind)};
  const size_t count = d.Count();
  for (size_t i = 0; i < count; ++i) words.push_back(count > 10 ? d.RareMember() : d.Member());
  return words;
}

Words Fields(Draw& d, const char* name) {
  Words words = {name, d.Key(ValueKind::kHash)};
  for (size_t i = d.Count(); i > 0; --i) Add(&words, {d.Member(), d.Value()});
  return words;
}

Words PopElements(Draw& d, const char* name, ValueKind kind) {
  Words words = {name, d.Key(kind)};
  if (d.OneIn(2)) words.push_back(d.OneIn(4) ? d.Number() : d.Number(5));
  return words;
}

Words Lmpop(Draw& d) {
  const Words keys = d.Keys(ValueKind::kList);
  Words words = {"LMPOP", std::to_string(keys.size())};
  Add(&words, keys);
  words.push_back(d.Pick({"LEFT", "RIGHT"}));
  if (d.OneIn(2)) Add(&words, {"COUNT", d.Number(5)});
  return words;
}

// One that waits for nothing does so for a moment.
std::string Moment(Draw& d) { return d.OneIn(2) ? "0.001" : "0.02"; }

Words Blmpop(Draw& d) {
  Words words = Lmpop(d);
  words[0] = "BLMPOP";
  words.insert(words.begin() + 1, Moment(d));
  return words;
}

Words PopOfSeveral(Draw& d, const char* name) {
  Words words = {name};
  Add(&words, d.Keys(ValueKind::kList));
  words.push_back(Moment(d));
  return words;
}

Words StoreSet(Draw& d, const char* name) {
  Words words = {name, d.Key(ValueKind::kSet)};
  Add(&words, d.Keys(ValueKind::kSet));
  return words;
}

}  // namespace

Makers ListAndSetMakers() {
  return {
      {"blmove",
       [](Draw& d) {
         return Words{"BLMOVE",
                      d.Key(ValueKind::kList),
                      d.Key(ValueKind::kList),
                      d.Pick({"LEFT", "RIGHT"}),
                      d.Pick({"LEFT", "RIGHT"}),
                      Moment(d)};
       }},
      {"blmpop", Blmpop},
      {"blpop", [](Draw& d) { return PopOfSeveral(d, "BLPOP"); }},
      {"brpop", [](Draw& d) { return PopOfSeveral(d, "BRPOP"); }},
      {"brpoplpush",
       [](Draw& d) {
         return Words{"BRPOPLPUSH", d.Key(ValueKind::kList), d.Key(ValueKind::kList), Moment(d)};
       }},
      {"linsert",
       [](Draw& d) {
         return Words{"LINSERT", d.Key(ValueKind::kList), d.Pick({"BEFORE", "AFTER"}), d.Member(),
                      d.Value()};
       }},
      {"lmove",
       [](Draw& d) {
         return Words{"LMOVE", d.Key(ValueKind::kList), d.Key(ValueKind::kList),
                      d.Pick({"LEFT", "RIGHT"}), d.Pick({"LEFT", "RIGHT"})};
       }},
      {"lmpop", Lmpop},
      {"lpop", [](Draw& d) { return PopElements(d, "LPOP", ValueKind::kList); }},
      {"lpush", [](Draw& d) { return Members(d, "LPUSH", ValueKind::kList); }},
      {"lpushx", [](Draw& d) { return Members(d, "LPUSHX", ValueKind::kList); }},
      {"lrem",
       [](Draw& d) {
         return Words{"LREM", d.Key(ValueKind::kList), d.Index(), d.Member()};
       }},
      {"lset",
       [](Draw& d) {
         return Words{"LSET", d.Key(ValueKind::kList), d.Index(), d.Value()};
       }},
      {"ltrim",
       [](Draw& d) {
         return Words{"LTRIM", d.Key(ValueKind::kList), d.Index(), d.OneIn(2) ? d.Index() : "20"};
       }},
      {"rpop", [](Draw& d) { return PopElements(d, "RPOP", ValueKind::kList); }},
      {"rpoplpush",
       [](Draw& d) {
         return Words{"RPOPLPUSH", d.Key(ValueKind::kList), d.Key(ValueKind::kList)};
       }},
      {"rpush", [](Draw& d) { return Members(d, "RPUSH", ValueKind::kList); }},
      {"rpushx", [](Draw& d) { return Members(d, "RPUSHX", ValueKind::kList); }},

      {"sadd", [](Draw& d) { return Members(d, "SADD", ValueKind::kSet); }},
      {"sdiffstore", [](Draw& d) { return StoreSet(d, "SDIFFSTORE"); }},
      {"sinterstore", [](Draw& d) { return StoreSet(d, "SINTERSTORE"); }},
      {"sunionstore", [](Draw& d) { return StoreSet(d, "SUNIONSTORE"); }},
      {"smove",
       [](Draw& d) {
         return Words{"SMOVE", d.Key(ValueKind::kSet), d.Key(ValueKind::kSet), d.Member()};
       }},
      {"spop", [](Draw& d) { return PopElements(d, "SPOP", ValueKind::kSet); }},
      {"srem", [](Draw& d) { return Members(d, "SREM", ValueKind::kSet); }},

      {"hdel", [](Draw& d) { return Members(d, "HDEL", ValueKind::kHash); }},
      {"hincrby",
       [](Draw& d) {
         return Words{"HINCRBY", d.Key(ValueKind::kHash), d.Member(), d.Signed()};
       }},
      {"hincrbyfloat",
       [](Draw& d) {
         return Words{"HINCRBYFLOAT", d.Key(ValueKind::kHash), d.Member(), d.Float()};
       }},
      {"hmset", [](Draw& d) { return Fields(d, "HMSET"); }},
      {"hset", [](Draw& d) { return Fields(d, "HSET"); }},
      {"hsetnx",
       [](Draw& d) {
         return Words{"HSETNX", d.Key(ValueKind::kHash), d.Member(), d.Value()};
       }},
  };
}

}  // namespace gemel::e2e

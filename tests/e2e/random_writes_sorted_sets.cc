// Makers for sorted sets and places.

#include "tests/e2e/random_writes.h"

namespace gemel::e2e {
namespace {

Words Zadd(Draw& d) {
  if (d.OneIn(5)) return Words{"ZADD", d.LexKey(), "0", d.Member(), "0", d.Member()};
  Words words = {"ZADD", d.Key(ValueKind::kSorted)};
  if (d.OneIn(4)) words.push_back(d.Pick({"NX", "XX"}));
  if (d.OneIn(5)) words.push_back(d.Pick({"GT", "LT"}));  // with NX an error
  if (d.OneIn(4)) words.push_back("CH");
  const bool increment = d.OneIn(5);
  if (increment) words.push_back("INCR");
  const size_t count = increment ? 1 : d.Count();
  for (size_t i = 0; i < count; ++i) {
    Add(&words, {d.OneIn(20) ? d.Pick({"inf", "-inf"}) : d.Float(),
                 count > 10 ? d.RareMember() : d.Member()});
  }
  return words;
}

Words Zmpop(Draw& d) {
  const Words keys = d.Keys(ValueKind::kSorted);
  Words words = {"ZMPOP", std::to_string(keys.size())};
  Add(&words, keys);
  words.push_back(d.Pick({"MIN", "MAX"}));
  if (d.OneIn(2)) Add(&words, {"COUNT", d.Number(5)});
  return words;
}

// One that waits for nothing does so for a moment.
std::string MomentOf(Draw& d) { return d.OneIn(2) ? "0.001" : "0.02"; }

Words Bzmpop(Draw& d) {
  Words words = Zmpop(d);
  words[0] = "BZMPOP";
  words.insert(words.begin() + 1, MomentOf(d));
  return words;
}

Words PopOfSortedSets(Draw& d, const char* name) {
  Words words = {name};
  Add(&words, d.Keys(ValueKind::kSorted));
  words.push_back(MomentOf(d));
  return words;
}

Words PopScored(Draw& d, const char* name) {
  Words words = {name, d.Key(ValueKind::kSorted)};
  if (d.OneIn(2)) words.push_back(d.Number(5));
  return words;
}

Words StoreSorted(Draw& d, const char* name, bool weighed) {
  // Of sets, too.
  const Words keys = d.Keys(d.OneIn(4) ? ValueKind::kSet : ValueKind::kSorted);
  Words words = {name, d.Key(ValueKind::kSorted), std::to_string(keys.size())};
  Add(&words, keys);
  if (weighed && d.OneIn(3)) {
    words.push_back("WEIGHTS");
    // known: a negative one makes -0 of 0. In a skip list it stays -0; where servers load that as a
    // listpack (RESTORE, a resync), it is 0.
    for (size_t i = 0; i < keys.size(); ++i) words.push_back(d.Pick({"0.5", "1", "3e5", "0.1"}));
  }
  if (weighed && d.OneIn(3)) Add(&words, {"AGGREGATE", d.Pick({"SUM", "MIN", "MAX"})});
  return words;
}

Words Zrangestore(Draw& d) {
  Words words = {"ZRANGESTORE", d.Key(ValueKind::kSorted), d.Key(ValueKind::kSorted)};
  const std::string by = d.Pick({"", "BYSCORE", "BYLEX"});
  if (by.empty()) {
    Add(&words, {d.Index(), d.Index()});
  } else if (by == "BYSCORE") {
    Add(&words, {d.ScoreBound(), d.ScoreBound(), by});
  } else {
    if (d.OneIn(2)) words[2] = d.LexKey();
    Add(&words, {d.LexBound(), d.LexBound(), by});
  }
  if (d.OneIn(3)) words.push_back("REV");
  if (!by.empty() && d.OneIn(3)) Add(&words, {"LIMIT", d.Number(3), d.Number(5)});
  return words;
}

Words Geoadd(Draw& d) {
  Words words = {"GEOADD", d.Key(ValueKind::kGeo)};
  if (d.OneIn(5)) words.push_back(d.Pick({"NX", "XX"}));
  if (d.OneIn(4)) words.push_back("CH");
  for (size_t i = d.Below(3) + 1; i > 0; --i) {
    Add(&words, {d.Longitude(), d.Latitude(), d.Member()});
  }
  return words;
}

std::string Unit(Draw& d) { return d.Pick({"m", "km", "mi", "ft"}); }

Words Georadius(Draw& d, bool by_member) {
  Words words = {by_member ? "GEORADIUSBYMEMBER" : "GEORADIUS", d.Key(ValueKind::kGeo)};
  Add(&words, by_member ? Words{d.Member()} : Words{d.Longitude(), d.Latitude()});
  Add(&words, {d.Number(1000), d.OneIn(3) ? Unit(d) : "km"});
  if (d.OneIn(3)) {
    Add(&words, {"COUNT", d.Number(5)});
    if (d.OneIn(2)) words.push_back("ANY");
  }
  if (d.OneIn(3)) words.push_back(d.Pick({"ASC", "DESC"}));
  if (!d.OneIn(5)) Add(&words, {d.Pick({"STORE", "STOREDIST"}), d.Key(ValueKind::kGeo)});
  return words;
}

Words Geosearchstore(Draw& d) {
  Words words = {"GEOSEARCHSTORE", d.Key(ValueKind::kGeo), d.Key(ValueKind::kGeo)};
  Add(&words, d.OneIn(3) ? Words{"FROMMEMBER", d.Member()}
                         : Words{"FROMLONLAT", d.Longitude(), d.Latitude()});
  Add(&words, d.OneIn(2) ? Words{"BYRADIUS", d.Number(1000), "km"}
                         : Words{"BYBOX", d.Number(2000), d.Number(2000), "km"});
  if (d.OneIn(3)) words.push_back(d.Pick({"ASC", "DESC"}));
  if (d.OneIn(3)) {
    Add(&words, {"COUNT", d.Number(5)});
    if (d.OneIn(2)) words.push_back("ANY");
  }
  if (d.OneIn(3)) words.push_back("STOREDIST");
  return words;
}

}  // namespace

Makers SortedSetMakers() {
  return {
      {"zadd", Zadd},
      {"zdiffstore", [](Draw& d) { return StoreSorted(d, "ZDIFFSTORE", false); }},
      {"zincrby",
       [](Draw& d) {
         return Words{"ZINCRBY", d.Key(ValueKind::kSorted), d.Float(), d.Member()};
       }},
      {"zinterstore", [](Draw& d) { return StoreSorted(d, "ZINTERSTORE", true); }},
      {"bzmpop", Bzmpop},
      {"bzpopmax", [](Draw& d) { return PopOfSortedSets(d, "BZPOPMAX"); }},
      {"bzpopmin", [](Draw& d) { return PopOfSortedSets(d, "BZPOPMIN"); }},
      {"zmpop", Zmpop},
      {"zpopmax", [](Draw& d) { return PopScored(d, "ZPOPMAX"); }},
      {"zpopmin", [](Draw& d) { return PopScored(d, "ZPOPMIN"); }},
      {"zrangestore", Zrangestore},
      {"zrem",
       [](Draw& d) {
         return Words{"ZREM", d.Key(ValueKind::kSorted), d.Member(), d.Member()};
       }},
      {"zremrangebylex",
       [](Draw& d) {
         return Words{"ZREMRANGEBYLEX", d.LexKey(), d.LexBound(), d.LexBound()};
       }},
      {"zremrangebyrank",
       [](Draw& d) {
         return Words{"ZREMRANGEBYRANK", d.Key(ValueKind::kSorted), d.Index(), d.Index()};
       }},
      {"zremrangebyscore",
       [](Draw& d) {
         return Words{"ZREMRANGEBYSCORE", d.Key(ValueKind::kSorted), d.ScoreBound(),
                      d.ScoreBound()};
       }},
      {"zunionstore", [](Draw& d) { return StoreSorted(d, "ZUNIONSTORE", true); }},
      {"geoadd", Geoadd},
      {"georadius", [](Draw& d) { return Georadius(d, false); }},
      {"georadiusbymember", [](Draw& d) { return Georadius(d, true); }},
      {"geosearchstore", Geosearchstore},
  };
}

}  // namespace gemel::e2e

// A user with a key space of its own and each row of the command table: it names no keys, or all of
// them get the prefix, or it is refused. A new row has to be one of these.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "backend/command/key_finder.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/spaces/space_args.h"

namespace gemel::space_rows_test {
namespace {

constexpr std::string_view kPrefix = "t*[1]\\:";

using Text = std::vector<std::string>;

Text WordsOf(const CommandRow& row) {
  const size_t bar = row.name.find('|');
  Text words = {std::string(row.name.substr(0, bar))};
  if (bar != std::string_view::npos) words.emplace_back(row.name.substr(bar + 1));
  return words;
}

// Arguments with as many keys as there may well be.
Text SampleOf(const CommandRow& row) {
  Text words = WordsOf(row);
  const auto fill = [&words](size_t size) {
    while (words.size() < size) words.push_back("w" + std::to_string(words.size()));
  };
  switch (row.movable) {
    case Movable::kNumkeys:
      fill(row.numkeys_at);
      words.insert(words.end(), {"2", "k1", "k2"});
      break;
    case Movable::kDestNumkeys:
      words.insert(words.end(), {"dest", "2", "k1", "k2"});
      break;
    case Movable::kStreams:
      if (row.IsWrite()) words.insert(words.end(), {"GROUP", "streams", "c"});
      words.insert(words.end(), {"COUNT", "1", "STREAMS", "k1", "k2", "0", "0"});
      break;
    case Movable::kSort:
      words.insert(words.end(), {"k1", "LIMIT", "0", "1", "STORE", "dest"});
      break;
    case Movable::kGeoRadius:
      fill(row.numkeys_at);
      words.insert(words.end(), {"STORE", "dest"});
      break;
    case Movable::kMigrate:
      words.insert(words.end(), {"h", "1", "", "0", "1", "KEYS", "k1", "k2"});
      break;
    case Movable::kNone:
      break;
  }
  if (row.arity >= 0) {
    fill(static_cast<size_t>(row.arity));
    return words;
  }
  fill(static_cast<size_t>(-row.arity));
  if (row.movable != Movable::kNone) return words;
  // More of them, in whole steps.
  const size_t step = row.key_rule == KeyRule::kRange ? static_cast<size_t>(row.key_step) : 1;
  fill(words.size() + 2 * step);
  return words;
}

std::vector<std::string_view> Views(const Text& words) { return {words.begin(), words.end()}; }

Text Into(const CommandRow& row, const Text& words, std::string_view prefix = kPrefix) {
  std::vector<uint32_t> keys;
  std::string frame;
  const std::string wrong = IntoSpace(row, Views(words), prefix, &keys, &frame);
  if (!wrong.empty()) return {wrong};
  std::vector<std::string_view> args;
  SplitFrame(frame, &args);
  return {args.begin(), args.end()};
}

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

Text Ask(const Text& words, std::string_view prefix = kPrefix) {
  const CommandRow* row = Table().Find(Views(words));
  return row == nullptr ? Text{"unknown"} : Into(*row, words, prefix);
}

TEST(SpaceRows, EachIsTranslatedOrRefusedOrNamesNoKeys) {
  size_t translated = 0;
  size_t refused = 0;
  size_t keyless = 0;
  std::vector<uint32_t> keys;
  for (const CommandRow& row : Table().rows()) {
    SCOPED_TRACE(row.name);
    if (row.split == Split::kNotSupported) continue;  // of everybody
    const SpaceRule rule = SpaceRuleOf(row);
    EXPECT_EQ(rule == SpaceRule::kRefused, !RefusalInSpace(row).empty());
    if (rule == SpaceRule::kRefused) {
      EXPECT_TRUE(RefusalInSpace(row).starts_with("NOPERM "));
      ++refused;
      continue;
    }
    const Text before = SampleOf(row);
    ASSERT_TRUE(ArityFits(row, before.size()));
    ASSERT_TRUE(FindKeys(row, Views(before), &keys));
    const std::vector<uint32_t> at = keys;
    const Text after = Into(row, before);
    if (row.key_rule == KeyRule::kNone || rule == SpaceRule::kAsItIs) {
      ++keyless;
      if (rule == SpaceRule::kKeys || rule == SpaceRule::kAsItIs) {
        EXPECT_EQ(after, before);
      }
      continue;
    }
    ++translated;
    ASSERT_FALSE(at.empty());
    ASSERT_EQ(after.size(), before.size());
    // By the table's own words the keys are where they were, and are these.
    ASSERT_TRUE(FindKeys(row, Views(after), &keys));
    EXPECT_EQ(keys, at);
    for (uint32_t i = 0; i < after.size(); ++i) {
      const bool key = std::find(at.begin(), at.end(), i) != at.end();
      EXPECT_EQ(after[i], key ? std::string(kPrefix) + before[i] : before[i]) << i;
    }
    // And back.
    std::vector<std::string_view> args = Views(after);
    Text room;
    OutOfSpace(row, kPrefix, &keys, &args, &room);
    EXPECT_EQ(Text(args.begin(), args.end()), before);
  }
  EXPECT_GT(translated, 140u);
  EXPECT_GT(refused, 60u);
  EXPECT_GT(keyless, 40u);
}

// What has no keys and is not refused: nothing in it is about one. Whoever adds a row thinks of it.
TEST(SpaceRows, NoOtherKeylessOnesAreAllowed) {
  const std::set<std::string_view> harmless = {
      // A connection's own.
      "auth", "hello", "quit", "reset", "ping", "echo", "select", "multi", "exec", "discard",
      "unwatch", "readonly", "readwrite", "asking", "wait", "client|caching", "client|getname",
      "client|getredir", "client|id", "client|info", "client|reply", "client|setinfo",
      "client|setname", "client|trackinginfo", "acl|whoami", "acl|cat", "acl|genpass",
      // Of the server as a whole, without names of keys.
      "time", "role", "info", "lastsave", "lolwut", "memory|doctor", "memory|malloc-stats",
      "memory|stats", "memory|purge", "command", "command|count", "command|docs", "command|getkeys",
      "command|getkeysandflags", "command|info", "command|list", "cluster|info", "cluster|keyslot",
      "cluster|myid", "cluster|nodes", "cluster|shards", "cluster|slots",
      // Channels.
      "pubsub|numpat", "pubsub|shardchannels", "pubsub|shardnumsub"};
  std::set<std::string_view> found;
  for (const CommandRow& row : Table().rows()) {
    if (row.split == Split::kNotSupported || row.key_rule != KeyRule::kNone) continue;
    if (SpaceRuleOf(row) != SpaceRule::kKeys || row.name.ends_with("|help")) continue;
    found.insert(row.name);
    EXPECT_TRUE(harmless.contains(row.name)) << row.name;
  }
  for (const std::string_view name : harmless) EXPECT_TRUE(found.contains(name)) << name;
}

TEST(SpaceRows, NamesInReplies) {
  const auto names = [](std::string_view name) { return Table().FindByName(name)->names; };
  EXPECT_EQ(names("keys"), ReplyNames::kElements);
  EXPECT_EQ(names("scan"), ReplyNames::kLastList);
  EXPECT_EQ(names("client|trackinginfo"), ReplyNames::kLastList);
  for (const char* name :
       {"blpop", "brpop", "bzpopmin", "bzpopmax", "lmpop", "zmpop", "blmpop", "bzmpop"}) {
    EXPECT_EQ(names(name), ReplyNames::kFirst) << name;
  }
  for (const char* name : {"xread", "xreadgroup"}) EXPECT_EQ(names(name), ReplyNames::kMapKeys);
}

TEST(SpaceRows, Patterns) {
  const std::string escaped = "t\\*\\[1\\]\\\\:";
  EXPECT_EQ(Ask({"KEYS", "a*"}), (Text{"KEYS", escaped + "a*"}));
  EXPECT_EQ(Ask({"SCAN", "0"}), (Text{"SCAN", "0", "MATCH", escaped + "*"}));
  EXPECT_EQ(Ask({"SCAN", "5", "COUNT", "match", "Match", "a*", "TYPE", "set"}),
            (Text{"SCAN", "5", "COUNT", "match", "Match", escaped + "a*", "TYPE", "set"}));
  EXPECT_EQ(Ask({"SCAN", "5", "MATCH", "a", "MATCH", "b"}),
            (Text{"SCAN", "5", "MATCH", escaped + "a", "MATCH", escaped + "b"}));
  // Whatever a node makes of it, it looks through nothing else.
  for (const Text& words :
       {Text{"SCAN", "0", "WHAT", "x"}, {"SCAN", "0", "MATCH", "x", "WHAT", "MATCH"}}) {
    Text more = words;
    more.insert(more.end(), {"MATCH", escaped + "*"});
    if (words[2] == "MATCH") more[3] = escaped + "x";
    EXPECT_EQ(Ask(words), more);
  }
}

TEST(SpaceRows, Sort) {
  EXPECT_EQ(
      Ask({"SORT", "k", "BY", "w_*->f", "GET", "#", "GET", "g_*", "ASC", "STORE", "d"}, "t:"),
      (Text{"SORT", "t:k", "BY", "t:w_*->f", "GET", "#", "GET", "t:g_*", "ASC", "STORE", "t:d"}));
  EXPECT_EQ(Ask({"SORT_RO", "k", "LIMIT", "0", "by", "BY", "nosort"}, "t:"),
            (Text{"SORT_RO", "t:k", "LIMIT", "0", "by", "BY", "nosort"}));
  // A star of the prefix would be taken for the element.
  EXPECT_TRUE(Ask({"SORT", "k", "GET", "g_*"}).at(0).starts_with("NOPERM "));
  EXPECT_EQ(Ask({"SORT", "k", "GET", "#"}).at(1), std::string(kPrefix) + "k");
}

TEST(SpaceRows, Tracking) {
  EXPECT_EQ(Ask({"CLIENT", "TRACKING", "ON"}, "t:"), (Text{"CLIENT", "TRACKING", "ON"}));
  EXPECT_EQ(Ask({"CLIENT", "TRACKING", "ON", "BCAST"}, "t:"),
            (Text{"CLIENT", "TRACKING", "ON", "BCAST"}));
  EXPECT_EQ(Ask({"CLIENT", "TRACKING", "ON", "PREFIX", "a", "BCAST", "prefix", "b"}, "t:"),
            (Text{"CLIENT", "TRACKING", "ON", "PREFIX", "t:a", "BCAST", "prefix", "t:b"}));
}

TEST(SpaceRows, Channels) {
  EXPECT_EQ(Ask({"SUBSCRIBE", "news", "__keyspace@0__:k", "__keyevent@0__:set"}, "t:"),
            (Text{"SUBSCRIBE", "news", "__keyspace@0__:t:k", "__keyevent@0__:set"}));
  EXPECT_EQ(Ask({"PUBSUB", "NUMSUB", "__keyspace@0__:k"}, "t:"),
            (Text{"PUBSUB", "NUMSUB", "__keyspace@0__:t:k"}));
  EXPECT_EQ(Ask({"PSUBSCRIBE", "n*", "__keyspace@*__:k*"}, "t:"),
            (Text{"PSUBSCRIBE", "n*", "__keyspace@*__:t:k*"}));
  EXPECT_TRUE(Ask({"PSUBSCRIBE", "__key*:x"}, "t:").at(0).starts_with("NOPERM "));
  EXPECT_TRUE(Ask({"PUBLISH", "__keyspace@0__:k", "set"}).at(0).starts_with("NOPERM "));
  EXPECT_EQ(Ask({"PUBLISH", "k", "set"}), (Text{"PUBLISH", "k", "set"}));
  EXPECT_EQ(Ask({"SPUBLISH", "k", "set"}), (Text{"SPUBLISH", "k", "set"}));
}

// They go to no shard, and an error is their answer.
TEST(SpaceRows, MalformedKeysStay) {
  EXPECT_EQ(Ask({"LMPOP", "x", "a", "LEFT"}), (Text{"LMPOP", "x", "a", "LEFT"}));
  EXPECT_EQ(Ask({"MSET", "a", "b", "c"}), (Text{"MSET", "a", "b", "c"}));
}

TEST(SpaceRows, OperatorsCommandsNeedKeys) {
  ExtraCommand none;
  none.name = "none.keys";
  none.first_key = none.last_key = none.key_step = 0;
  ExtraCommand two;
  two.name = "two.keys";
  two.first_key = 1;
  two.last_key = 2;
  const CommandTable table({none, two});
  EXPECT_FALSE(RefusalInSpace(*table.FindByName("none.keys")).empty());
  EXPECT_EQ(Into(*table.FindByName("two.keys"), {"two.keys", "a", "b", "c"}, "t:"),
            (Text{"two.keys", "t:a", "t:b", "c"}));
}

}  // namespace
}  // namespace gemel::space_rows_test

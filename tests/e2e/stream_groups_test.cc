// Consumer groups, whose deliveries a node decides by its clock: both copies know the same of them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::stream_groups_test {
namespace {

class Streams {
 public:
  explicit Streams(unsigned seed) : random_(seed) {}

  Words Next() {
    const std::string key = Key();
    switch (Below(14)) {
      case 0:
      case 1:
        return {"XADD", key, "*", "f", "v"};
      case 2:
        return {"XADD", key, Below(2) == 0 ? "MAXLEN" : "MINID", "~", "5", "*", "f", "v"};
      case 3:
        return {"XADD", key, "MAXLEN", "=", "150", "*", "f", "v"};
      case 4:
        return Below(4) == 0 ? Words{"XTRIM", key, "MAXLEN", "~", "20"}
                             : Words{"XDEL", key, SomeId()};
      case 5:
      case 6:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "COUNT", "3", "STREAMS", key, ">"};
      case 7:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "STREAMS", key, "{t}other", ">", ">"};
      case 8:
        return {"XREADGROUP", "GROUP", Group(),   Consumer(), "NOACK",
                "COUNT",      "2",     "STREAMS", key,        ">"};
      case 9:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "COUNT", "2", "STREAMS", key, "0"};
      case 10:
        return {"XACK", key, Group(), SomeId(), SomeId()};
      case 11: {
        Words claim = {"XCLAIM", key, Group(), Consumer(), Below(2) == 0 ? "0" : "3"};
        for (unsigned i = Below(4); i < 4; ++i) claim.push_back(SomeId());
        for (const Words& option : std::vector<Words>{{"IDLE", "70000"},
                                                      {"RETRYCOUNT", "7"},
                                                      {"FORCE"},
                                                      {"JUSTID"},
                                                      {"LASTID", "5-5"}}) {
          if (Below(4) == 0) claim.insert(claim.end(), option.begin(), option.end());
        }
        return claim;
      }
      case 12: {
        Words claim = {"XAUTOCLAIM", key, Group(), Consumer(), Below(2) == 0 ? "0" : "3", "0"};
        if (Below(2) == 0) claim.insert(claim.end(), {"COUNT", "4"});
        if (Below(3) == 0) claim.push_back("JUSTID");
        return claim;
      }
      default:
        return {"XGROUP", "DELCONSUMER", key, Group(), Consumer()};
    }
  }
  // IDs are worth knowing for what comes later.
  void Learn(const std::string& reply) {
    for (std::sregex_iterator at(reply.begin(), reply.end(), kId), end; at != end; ++at) {
      ids_.push_back(at->str());
    }
    while (ids_.size() > 60) ids_.erase(ids_.begin() + Below(60));
  }

 private:
  static inline const std::regex kId{"[0-9]{13}-[0-9]+"};

  unsigned Below(unsigned bound) { return static_cast<unsigned>(random_()) % bound; }
  std::string Key() { return Below(2) == 0 ? "{t}a" : "{t}b"; }
  std::string Group() { return Below(2) == 0 ? "g" : "h"; }
  std::string Consumer() { return "c" + std::to_string(Below(3)); }
  std::string SomeId() { return ids_.empty() || Below(20) == 0 ? "7-7" : ids_[Below(ids_.size())]; }

  std::mt19937 random_;
  std::vector<std::string> ids_;
};

// All that a node knows of them, without when it was.
std::string Known(Client client) {
  std::string text;
  for (const char* key : {"{t}a", "{t}b", "{t}other"}) {
    text += client("XRANGE", key, "-", "+").Text() + "\n";
    text += client("XINFO", "GROUPS", key).Text() + "\n";
    for (const char* group : {"g", "h"}) {
      text += client("XPENDING", key, group).Text() + "\n";
      for (const Reply& entry : client("XPENDING", key, group, "-", "+", "10000").items) {
        text += entry.items.at(0).Text() + " " + entry.items.at(1).Text() + " " +
                entry.items.at(3).Text() + "\n";
      }
      for (const Reply& consumer : client("XINFO", "CONSUMERS", key, group).items) {
        text += consumer.Field("name").Text() + " " + consumer.Field("pending").Text() + "\n";
      }
    }
  }
  return text;
}

// GEMEL_STREAMS_SEED: as in a failure that is to be seen again.
TEST(StreamGroups, AreTheSameOnBothCopies) {
  const char* set = std::getenv("GEMEL_STREAMS_SEED");
  const unsigned seed =
      set != nullptr ? static_cast<unsigned>(std::stoul(set)) : std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  for (const char* key : {"{t}a", "{t}b", "{t}other"}) {
    for (const char* group : {"g", "h"}) client("XGROUP", "CREATE", key, group, "0", "MKSTREAM");
  }
  Streams streams(seed);
  std::vector<Words> last;
  for (int i = 0; i < 1500; ++i) {
    last.push_back(streams.Next());
    const Reply reply = client.Run(last.back());
    EXPECT_FALSE(reply.IsError()) << last.back()[0] << ": " << reply;
    streams.Learn(reply.Text());
    if (i % 50 != 49) continue;
    const std::string first = Known(cluster.node(0, 0).Connect());
    const std::string second = Known(cluster.node(0, 1).Connect());
    if (first != second) {
      std::string commands;
      for (const Words& words : last) {
        for (const std::string& word : words) commands += word + " ";
        commands += "\n";
      }
      FAIL() << "one copy:\n" << first << "the other:\n" << second << "after:\n" << commands;
    }
    last.clear();
  }
  // By what follows from the replies, and not by copying whole keys.
  const Reply shard = client("PROXY", "SHARDS").items.at(0);
  EXPECT_EQ(shard.Field("diverged"), ":0");
  EXPECT_EQ(shard.Field("repaired"), ":0");
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::stream_groups_test

// Gemels that see each other on a node, and who gives way.

#include "backend/link/other_proxies.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace gemel::other_proxies_test {
namespace {

ProxyInstance Proxy(const std::string& id, uint64_t started_s = 100) {
  return {id, "state-" + id, "machine", 12, 345, started_s, "web1", "127.0.0.1:6379"};
}

std::string Line(int id, const std::string& name, int db = 0, int idle = 0) {
  return "id=" + std::to_string(id) + " addr=1:1 name=" + name +
         " age=9 idle=" + std::to_string(idle) + " flags=N db=" + std::to_string(db) + " sub=0\n";
}

TEST(OtherProxiesTest, NamesAreReadAsTheyWereMade) {
  ProxyInstance other = Proxy("aa");
  other.host = "a host; of\nmine";
  const std::string list = Line(1, ConnectionName(Proxy("me"), "s", true)) +
                           Line(2, ConnectionName(other, "s 1", true), 0, 7) +
                           Line(3, ConnectionName(other, "s 2", true), 0, 3) +
                           Line(4, ConnectionName(other, "s", false)) +
                           Line(5, ConnectionName(Proxy("bb"), "s", true), 1) + Line(6, "") +
                           Line(7, "gemel:s") + Line(8, "gemel:a;b;c;d;e;f;g;h") + "nonsense\n\n";
  const std::vector<SeenProxy> seen = ProxiesIn(list, 0, Proxy("me"));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].proxy.id, "aa");
  EXPECT_EQ(seen[0].proxy.pid, 12u);
  EXPECT_EQ(seen[0].proxy.pid_since, 345u);
  EXPECT_EQ(seen[0].proxy.host, "a_host__of_mine");
  EXPECT_TRUE(seen[0].serves);
  EXPECT_EQ(seen[0].idle_s, 3u);
  EXPECT_EQ(seen[0].client_ids, (std::vector<std::string>{"2", "3"}));
  EXPECT_FALSE(seen[1].serves);
  EXPECT_EQ(Describe(seen[0].proxy),
            "gemel on host a_host__of_mine (pid 12, listening on 127.0.0.1:6379, started "
            "1970-01-01 00:01:40 UTC)");
  const std::string name = ConnectionName(other, std::string(500, 'x'), true);
  EXPECT_EQ(name.find_first_of(" \n"), std::string::npos);
}

TEST(OtherProxiesTest, AMemberOfTheSameFleetIsNoRival) {
  ProxyInstance self = Proxy("me");
  const ShardTurn mine{"f1", 7, "m2"};
  const std::string list = Line(1, ConnectionName(Proxy("aa"), "s", true, mine)) +
                           Line(2, ConnectionName(Proxy("bb"), "s", true, {"f2", 9, "m3"})) +
                           Line(3, ConnectionName(Proxy("cc"), "s", false, {"f1", 0, "m4"})) +
                           Line(4, ConnectionName(Proxy("dd"), "s", true));
  // Who is in no fleet sees all of them.
  std::vector<SeenProxy> seen = ProxiesIn(list, 0, self);
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0].proxy.fleet_id, "f1");
  EXPECT_TRUE(Describe(seen[0].proxy).ends_with(", member m2 of fleet f1)"));
  self.fleet_id = "f1";
  seen = ProxiesIn(list, 0, self);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].proxy.id, "bb");
  EXPECT_EQ(seen[1].proxy.id, "dd");
}

TEST(OtherProxiesTest, ATurnIsReadAsItWasNamed) {
  ProxyInstance self = Proxy("aa");
  self.fleet_id = "f 1";
  const std::string plain = ConnectionName(self, "s", true);
  EXPECT_EQ(plain, "gemel:s;aa;state-aa;machine;12.345;100;web1;127.0.0.1:6379");
  const std::string name = ConnectionName(self, "s:a", true, {"f 1", 18446744073709551615u, "m;1"});
  EXPECT_EQ(name,
            "gemel:s:a;aa;state-aa;machine;12.345;100;web1;127.0.0.1:6379;f_1;"
            "18446744073709551615;m_1");
  for (const std::string end : {"", ":side", ":feed", ":channels"}) {
    const std::optional<NamedConnection> named = ParseConnectionName(name + end);
    ASSERT_TRUE(named.has_value());
    EXPECT_EQ(named->shard, "s:a");
    EXPECT_EQ(named->turn, (ShardTurn{"f_1", 18446744073709551615u, "m_1"}));
    EXPECT_EQ(named->proxy.fleet_id, "f_1");
    EXPECT_EQ(named->proxy.listen, "127.0.0.1:6379");
    const std::optional<NamedConnection> of_none = ParseConnectionName(plain + end);
    ASSERT_TRUE(of_none.has_value());
    EXPECT_EQ(of_none->turn, ShardTurn());
    EXPECT_EQ(of_none->proxy.listen, "127.0.0.1:6379");
  }
  for (const std::string wrong : {";f1", ";f1;2", ";f1;x;m", ";;2;m", ";f1;2;m;x"}) {
    EXPECT_FALSE(ParseConnectionName(plain + wrong).has_value()) << wrong;
  }
}

// Two that start at once, on two nodes: name on each, look at each, then go on as NextStartStep
// says, in every order of their steps.
struct Starter {
  ProxyInstance self;
  int step = 0;  // 0, 1: names; 2, 3: looks; then it decides
  std::vector<SeenProxy> seen = {};
  bool serves = false;
  bool gone = false;
};

struct NodeNames {
  std::array<int, 2> names = {};  // by starter: 0 nothing, 1 undecided, 2 serves
};

void Advance(std::array<Starter, 2>* starters, std::array<NodeNames, 2>* nodes, size_t who) {
  Starter& me = (*starters)[who];
  const size_t other = 1 - who;
  if (me.step < 2) {
    (*nodes)[static_cast<size_t>(me.step++)].names[who] = 1;
    return;
  }
  if (me.step < 4) {
    if (me.step == 2) me.seen.clear();
    const int name = (*nodes)[static_cast<size_t>(me.step++ - 2)].names[other];
    if (name != 0) me.seen.push_back({(*starters)[other].self, name == 2, 0, {}});
    return;
  }
  ProxyInstance whom;
  switch (NextStartStep(me.self, me.seen, &whom)) {
    case StartStep::kServe:
      me.serves = true;
      for (NodeNames& node : *nodes) node.names[who] = 2;
      break;
    case StartStep::kYield:
      EXPECT_EQ(whom, (*starters)[other].self);
      me.gone = true;
      for (NodeNames& node : *nodes) node.names[who] = 0;
      break;
    case StartStep::kWait:
      me.step = 2;
      break;
  }
}

TEST(OtherProxiesTest, OfTwoThatStartAtOnceExactlyOneServes) {
  int first_won = 0;
  constexpr int kSteps = 12;
  for (int order = 0; order < (1 << kSteps); ++order) {
    std::array<Starter, 2> starters;
    starters[0].self = Proxy("aa");
    starters[1].self = Proxy("bb");
    std::array<NodeNames, 2> nodes;
    // After the drawn order both go on in turn.
    for (int i = 0; i < kSteps + 40; ++i) {
      const size_t who = i < kSteps ? static_cast<size_t>((order >> i) & 1) : i % 2;
      if (!starters[who].serves && !starters[who].gone) Advance(&starters, &nodes, who);
    }
    EXPECT_NE(starters[0].serves, starters[1].serves) << order;
    EXPECT_NE(starters[0].gone, starters[1].gone) << order;
    first_won += starters[0].serves ? 1 : 0;
  }
  EXPECT_GT(first_won, 0);
  EXPECT_LT(first_won, 1 << kSteps);
}

}  // namespace
}  // namespace gemel::other_proxies_test

// What the status page is fed with, and what it orders.

#include "proxy/metrics/status_json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/log/event_log.h"
#include "proxy/metrics/page_order.h"
#include "proxy/metrics/status_page.h"
#include "tests/unit/session_fakes.h"

namespace gemel::status_json_test {
namespace {

using session_test::World;
using Words = std::vector<std::string>;

TEST(SplitCommand, AsOneTypesIt) {
  EXPECT_EQ(SplitCommand("  GET   k "), (Words{"GET", "k"}));
  EXPECT_EQ(SplitCommand("SET \"a b\" 'c \\n\"'"), (Words{"SET", "a b", "c \\n\""}));
  EXPECT_EQ(SplitCommand("GET \"\\x41\\n\\\"\\\\\""), (Words{"GET", "A\n\"\\"}));
  EXPECT_EQ(SplitCommand("GET a\"b\"c ''"), (Words{"GET", "abc", ""}));
  EXPECT_EQ(SplitCommand(""), Words());
  for (const char* open : {"GET \"", "GET 'a", "GET \"\\\"", "GET \"a\\"}) {
    EXPECT_FALSE(SplitCommand(open)) << open;
  }
}

TEST(StatusJson, HasTheShardsAndWhatOthersNamed) {
  World world(2);
  EventLog events;
  events.Add(1, NoteLevel::kWarn, "shard 'a': a \"quoted\" \xff line");
  world.process.events = &events;
  std::vector<WorkerReadings> readings(1);
  readings[0].config = std::make_shared<const Config>(*world.config);
  readings[0].pool = std::make_shared<const Pool>(world.config->pool(), 1);
  world.workers[0]->shards[0]->Read(/*for_people=*/true, &readings[0].shards.emplace_back());
  const std::string json = StatusJson(world.process, readings, false);
  EXPECT_NE(json.find("\"name\":\"a\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"role\":\"primary\""), std::string::npos);
  EXPECT_NE(json.find("\"state\":\"in-sync\""), std::string::npos);
  EXPECT_NE(json.find("{\"name\":\"b\",\"elsewhere\":true}"), std::string::npos) << json;
  EXPECT_NE(json.find("a \\\"quoted\\\" "), std::string::npos) << json;
  EXPECT_NE(json.find("\"actions\":false"), std::string::npos);
  EXPECT_NE(StatusJson(world.process, readings, true).find("\"actions\":true"), std::string::npos);
}

TEST(CommandPlaces, WhereItGoesByThePool) {
  World world(2);
  const std::string a = world.Key(0);
  const std::string b = world.Key(1);
  CommandPlaces places = PlacesOf(*world.pool, {"MGET", a, b});
  EXPECT_EQ(places.error + places.refused, "");
  ASSERT_EQ(places.keys.size(), 2U);
  EXPECT_EQ(places.keys[0].shard, "a");
  EXPECT_EQ(places.keys[1].shard, "b");
  EXPECT_EQ(places.frame, "");
  EXPECT_EQ(PlacesOf(*world.pool, {"SET", a, "v"}).frame, kExplainWrite);
  EXPECT_EQ(PlacesOf(*world.pool, {"GET", "x{tag}y"}).keys[0].hashed, "\"tag\"");
  EXPECT_NE(PlacesOf(*world.pool, {"GET"}).error, "");
  EXPECT_NE(PlacesOf(*world.pool, {"NOSUCH", "k"}).error, "");
  EXPECT_NE(PlacesOf(*world.pool, {}).error, "");
  EXPECT_NE(PlacesOf(*world.pool, {"PING"}).refused, "");
  Words many = {"MGET"};
  for (int i = 0; i < 100; ++i) many.push_back("k" + std::to_string(i));
  EXPECT_NE(PlacesOf(*world.pool, many).error, "");
}

TEST(PageOrder, OfShardsAndNodesThatThereAre) {
  World world(2, "", 1, 2);
  const auto read = [&](const std::string& text) { return ReadPageOrder(*world.pool, text); };
  const auto promote = read("promote \"b\" 127.0.0.1:8001");
  ASSERT_TRUE(promote);
  EXPECT_EQ(promote->order.verb, ShardOrder::Verb::kPromote);
  EXPECT_EQ(promote->order.node, "127.0.0.1:8001");
  EXPECT_EQ(promote->slots, std::vector<uint32_t>{1});
  EXPECT_EQ(read("promote a")->order.node, "");
  EXPECT_EQ(read("drain 127.0.0.1:8000")->order.verb, ShardOrder::Verb::kDrain);
  EXPECT_EQ(read("undrain 127.0.0.1:8000")->order.verb, ShardOrder::Verb::kUndrain);
  EXPECT_EQ(read("resync 127.0.0.1:8000")->order.verb, ShardOrder::Verb::kResync);
  for (const char* wrong :
       {"", "promote", "promote c", "promote a 127.0.0.1:8001", "promote a 127.0.0.1:8000 FORCE",
        "drain a", "drain 127.0.0.1:8000 x", "flushall a", "promote \"a"}) {
    EXPECT_FALSE(read(wrong)) << wrong;
  }
}

TEST(StatusPageText, ItsOwnStyleAndScriptCountAndNothingElse) {
  const PageAnswer page = StatusPage();
  EXPECT_TRUE(page.body.starts_with("<!doctype html>"));
  EXPECT_TRUE(page.body.ends_with("</html>\n"));
  EXPECT_EQ(page.body.find(" style=\""), std::string::npos);
  EXPECT_EQ(page.body.find("innerHTML"), std::string::npos);
  EXPECT_NE(page.headers.find("script-src 'sha256-"), std::string::npos);
  EXPECT_NE(page.headers.find("style-src 'sha256-"), std::string::npos);
}

}  // namespace
}  // namespace gemel::status_json_test

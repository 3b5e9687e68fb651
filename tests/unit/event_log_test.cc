// PROXY EVENTS: what is kept of the notes, and how it is told.

#include "proxy/log/event_log.h"

#include <gtest/gtest.h>

#include "tests/unit/session_fakes.h"

namespace gemel::event_log_test {
namespace {

TEST(EventLog, SetsTheShardApart) {
  EventLog log;
  log.Add(1, NoteLevel::kWarn, "shard 'a': promoted n1 to primary");
  log.Add(2, NoteLevel::kInfo, "the last proxy did not stop in order");
  log.Add(3, NoteLevel::kError, "shard 'b: x");
  const std::vector<Event> events = log.Last(10);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].shard, "a");
  EXPECT_EQ(events[0].text, "promoted n1 to primary");
  EXPECT_EQ(events[0].level, NoteLevel::kWarn);
  EXPECT_EQ(events[0].unix_us, 1);
  EXPECT_EQ(events[1].shard, "");
  EXPECT_EQ(events[1].text, "the last proxy did not stop in order");
  EXPECT_EQ(events[2].shard, "");
  EXPECT_EQ(events[2].text, "shard 'b: x");
}

TEST(EventLog, IsBounded) {
  EventLog log;
  EXPECT_TRUE(log.Last(1).empty());
  for (size_t i = 0; i < 2 * EventLog::kKept; ++i) {
    log.Add(static_cast<int64_t>(i), NoteLevel::kInfo, std::to_string(i));
  }
  std::vector<Event> events = log.Last(~size_t{0});
  ASSERT_EQ(events.size(), EventLog::kKept);
  EXPECT_EQ(events.front().text, std::to_string(EventLog::kKept));
  EXPECT_EQ(events.back().text, std::to_string(2 * EventLog::kKept - 1));
  events = log.Last(2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].text, std::to_string(2 * EventLog::kKept - 1));
  log.Add(0, NoteLevel::kInfo, std::string(1 << 20, 'x') + "\r\n");
  EXPECT_EQ(log.Last(1)[0].text, std::string(EventLog::kMaxText, 'x') + "...");
  log.Add(0, NoteLevel::kInfo, "a node said\r\n\x1b[2J");
  EXPECT_EQ(log.Last(1)[0].text, "a node said\\r\\n\\x1b[2J");
}

TEST(EventLog, Times) {
  EXPECT_EQ(IsoTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(IsoTime(1700000000123456), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(IsoTime(1709164799999999), "2024-02-28T23:59:59.999Z");
  EXPECT_EQ(IsoTime(1709164800000000), "2024-02-29T00:00:00.000Z");
}

// The commands as a client sees them, without shards that could obey.
class ControlCommands : public ::testing::Test {
 protected:
  std::string Ask(const session_test::Args& args) { return world_.Ask(client_, args); }

  session_test::World world_{2};
  session_test::FakeClient& client_ = world_.Connect();
};

TEST_F(ControlCommands, Events) {
  EXPECT_EQ(Ask({"PROXY", "EVENTS"}), "*0\r\n");
  EventLog log;
  world_.process.events = &log;
  log.Add(1700000000123456, NoteLevel::kWarn, "shard 'a': one");
  log.Add(1700000001000000, NoteLevel::kInfo, "two");
  const std::string two =
      "*8\r\n$4\r\ntime\r\n$24\r\n2023-11-14T22:13:21.000Z\r\n$5\r\nlevel\r\n$4\r\ninfo\r\n"
      "$5\r\nshard\r\n$0\r\n\r\n$5\r\nevent\r\n$3\r\ntwo\r\n";
  EXPECT_EQ(Ask({"PROXY", "EVENTS"}),
            "*2\r\n*8\r\n$4\r\ntime\r\n$24\r\n2023-11-14T22:13:20.123Z\r\n$5\r\nlevel\r\n$4\r\n"
            "warn\r\n$5\r\nshard\r\n$1\r\na\r\n$5\r\nevent\r\n$3\r\none\r\n" +
                two);
  EXPECT_EQ(Ask({"proxy", "events", "1"}), "*1\r\n" + two);
  for (const char* wrong : {"0", "-1", "1001", "x", "1x", "", "99999999999999999999"}) {
    EXPECT_EQ(Ask({"PROXY", "EVENTS", wrong}), "-ERR the count of PROXY EVENTS is 1 to 1000\r\n");
  }
  EXPECT_EQ(Ask({"PROXY", "EVENTS", "1", "2"}),
            "-ERR wrong number of arguments for 'proxy|events' command\r\n");
}

TEST_F(ControlCommands, MistakesAreToldBySentence) {
  EXPECT_EQ(Ask({"PROXY", "PROMOTE", "x"}),
            "-ERR there is no shard 'x'; PROXY SHARDS names them\r\n");
  EXPECT_EQ(Ask({"PROXY", "PROMOTE", "a", "127.0.0.1:1", "NOW"}),
            "-ERR expected PROXY PROMOTE <shard> [<node> [FORCE]]\r\n");
  EXPECT_EQ(Ask({"PROXY", "PROMOTE", "a", "127.0.0.1:1", "FORCE", "x"}),
            "-ERR expected PROXY PROMOTE <shard> [<node> [FORCE]]\r\n");
  EXPECT_EQ(Ask({"PROXY", "PROMOTE", "a", "127.0.0.1:1"}),
            "-ERR shard 'a': it has no node 127.0.0.1:1; its nodes are n\r\n");
  for (const char* verb : {"RESYNC", "DRAIN", "UNDRAIN"}) {
    EXPECT_EQ(Ask({"PROXY", verb, "127.0.0.1:9"}),
              "-ERR no shard has a node 127.0.0.1:9; PROXY SHARDS names them\r\n");
    const std::string reply = Ask({"PROXY", verb, "here"});
    EXPECT_TRUE(reply.starts_with("-ERR 'here' is no address of a node: ")) << reply;
    EXPECT_LT(Ask({"PROXY", verb, std::string(100000, 'x')}).size(), 2000u);
    EXPECT_EQ(Ask({"PROXY", verb}).substr(0, 31), "-ERR wrong number of arguments ");
  }
  EXPECT_LT(Ask({"PROXY", "PROMOTE", std::string(100000, 'x')}).size(), 1000u);
}

TEST_F(ControlCommands, HelpNamesThem) {
  const std::string help = Ask({"PROXY", "HELP"});
  for (const char* line : {"+EVENTS ", "+PROMOTE <shard> [<node>]", "+PROMOTE <shard> <node> FORCE",
                           "+RESYNC <node>", "+DRAIN <node>", "+UNDRAIN <node>"}) {
    EXPECT_NE(help.find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace gemel::event_log_test

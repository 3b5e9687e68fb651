// What a client sends stays text: in the log, in what gemel tells of itself, and in its replies.

#include <gtest/gtest.h>

#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::text_of_others_test {
namespace {

// A client's text in the log, in the events and in INFO is one line that no terminal obeys.
TEST(TextOfOthers, TheLogIsNotTheClients) {
  ReloadWorld world({.shards = 1, .copies = 1});
  Client client = world.Connect();
  const std::string text =
      "x\r\n2026-01-01 00:00:00.000 error forged\x1b[2J\u009b31m\u0085\u202eforged\u2028forged";
  for (const char* option : {"log.level", "ring.hash_tag", "limits.max_bulk", "maxclients"}) {
    EXPECT_TRUE(client("CONFIG", "SET", option, text).IsError());
  }
  ASSERT_TRUE(Eventually([&] { return Has(world.proxy().Log(), "CONFIG SET limits.max_bulk"); }));
  for (const std::string& seen :
       {world.proxy().Log(), client("PROXY", "EVENTS").Text(), client("INFO", "reload").bytes,
        client("PROXY", "STATUS").Text()}) {
    EXPECT_TRUE(Has(seen, "forged"));
    EXPECT_FALSE(Has(seen, "\n2026-01-01"));
    for (const char* bad : {"\x1b[2J", "\u009b", "\u0085", "\u202e", "\u2028"}) {
      EXPECT_FALSE(Has(seen, bad)) << seen;
    }
  }
}

// An answer to a command is one frame, whatever is in the command.
TEST(TextOfOthers, NoReplyIsSplit) {
  ReloadWorld world({.shards = 1, .copies = 1});
  const std::string text = "x\r\n+FORGED\r\n$6\r\nforged\r\n:1";
  const std::vector<Words> commands = {
      {text},
      {"CONFIG", text},
      {"CONFIG", "SET", text, "1"},
      {"CONFIG", "SET", "log.level", text},
      {"CONFIG", "SET", "limits.max_bulk", text},
      {"CONFIG", "SET", "requirepass", "a\xff" + text},
      {"CLIENT", "LIST", "TYPE", text},
      {"CLIENT", "SETNAME", text},
      {"CLIENT", "KILL", "TYPE", text},
      {"HELLO", "2", text},
      {"HELLO", "2", "SETNAME", text},
      {"HELLO", "2", "AUTH", text, text},
      {"AUTH", text, text},
      {"PROXY", "PROMOTE", text},
      {"PROXY", "PROMOTE", text, text},
      {"PROXY", "DRAIN", text},
      {"PROXY", "RELOAD", text},
      {"PROXY", "EXPLAIN", text},
      {"PROXY", "AUDIT", text},
      {"COMMAND", "DOCS", text},
      {"SCAN", text},
      {"SELECT", text},
      {"EVAL", text, "0"},
  };
  for (const Words& command : commands) {
    Client client = world.Connect();
    client.Append(command);
    client.Append({"ECHO", "behind"});
    client.Read();
    EXPECT_EQ(client.Read(), "behind") << command[0];
  }
  // A line of CLIENT LIST and of INFO is gemel's, too.
  Client client = world.Connect();
  EXPECT_FALSE(Has(client("CLIENT", "LIST").bytes, "FORGED"));
  EXPECT_FALSE(Has(client("INFO").bytes, "\n+FORGED"));
}

}  // namespace
}  // namespace gemel::e2e::text_of_others_test

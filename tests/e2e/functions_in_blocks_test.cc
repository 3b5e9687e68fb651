// FUNCTION LOAD in a transaction, and what calls its functions behind it: as Redis has it.

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::functions_in_blocks_test {
namespace {

// f writes what it is told, and `number` in front of it; r reads.
std::string Library(const std::string& name, const std::string& suffix, int number) {
  const std::string text = std::to_string(number);
  return "#!lua name=" + name + "\nredis.register_function('f" + suffix +
         "', function(keys, args) return redis.call('append', keys[1], '" + text +
         "' .. args[1]) end)\nredis.register_function{function_name='r" + suffix +
         "', flags={'no-writes'}, callback=function(keys) return redis.call('get', keys[1]) end}";
}

class FunctionsInBlocks : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  FunctionsInBlocks()
      : cluster_(
            {.shards = std::get<0>(GetParam()), .copies = std::get<1>(GetParam()), .workers = 2}) {}

  Cluster cluster_;
};

// Shards, and copies of each.
INSTANTIATE_TEST_SUITE_P(Ways, FunctionsInBlocks,
                         ::testing::Values(std::tuple(1, 1), std::tuple(1, 2), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::to_string(std::get<0>(info.param)) + "x" +
                                  std::to_string(std::get<1>(info.param));
                         });

TEST_P(FunctionsInBlocks, AreRediss) {
  const std::vector<std::vector<Words>> blocks = {
      // Loaded and called; read and written.
      {{"FUNCTION", "LOAD", Library("one", "", 1)},
       {"FCALL", "f", "1", "{t}k", "a"},
       {"GET", "{t}k"},
       {"FCALL_RO", "r", "1", "{t}k"},
       {"FCALL", "R", "1", "{t}k"}},
      // It is there already: it is not loaded, and the old one is called.
      {{"FUNCTION", "LOAD", Library("one", "", 2)}, {"FCALL", "f", "1", "{t}k", "b"}},
      {{"FUNCTION", "LOAD", "REPLACE", Library("one", "", 3)}, {"FCALL", "f", "1", "{t}k", "c"}},
      // One that only read, replaced by one that writes.
      {{"FUNCTION", "LOAD", "REPLACE",
        "#!lua name=one\nredis.register_function('r', function(keys) return redis.call('set', "
        "keys[1], 'w') end)"},
       {"FCALL", "r", "1", "{t}k"},
       {"FCALL_RO", "r", "1", "{t}k"},
       {"FCALL", "f", "1", "{t}k", "d"}},
      // Called before it is loaded.
      {{"FCALL", "f2", "1", "{t}k", "e"},
       {"FUNCTION", "LOAD", Library("two", "2", 2)},
       {"FCALL", "f2", "1", "{t}k", "e"}},
      // Two of one name, then one that replaces both.
      {{"FUNCTION", "LOAD", Library("three", "3", 3)},
       {"FUNCTION", "LOAD", Library("three", "3", 4)},
       {"FCALL", "f3", "1", "{t}k", "f"},
       {"FUNCTION", "LOAD", "REPLACE", Library("three", "3", 5)},
       {"FCALL", "f3", "1", "{t}k", "g"}},
      // What cannot be loaded, and what does not register what is called.
      {{"FUNCTION", "LOAD", "#!lua name=bad\nf9 = "}, {"FCALL", "f9", "1", "{t}k", "h"}},
      {{"FUNCTION", "LOAD", "BAD", Library("four", "4", 4)}, {"FCALL", "f4", "1", "{t}k", "i"}},
      {{"FUNCTION", "LOAD", Library("five", "5", 5)}, {"FCALL", "f6", "1", "{t}k", "j"}},
      // Of a name that is taken.
      {{"FUNCTION", "LOAD", "#!lua name=six\nredis.register_function('f3', function() end)"},
       {"FCALL", "f3", "1", "{t}k", "k"}},
      // Without keys.
      {{"FUNCTION", "LOAD",
        "#!lua name=seven\nredis.register_function('n', function() return 7 end)"},
       {"FCALL", "n", "0"}},
  };
  RedisNode alone;
  for (const bool resp3 : {false, true}) {
    alone.Connect()("FLUSHALL");
    alone.Connect()("FUNCTION", "FLUSH");
    cluster_.Connect()("FLUSHALL");
    cluster_.Connect()("FUNCTION", "FLUSH");
    Wire gemel(cluster_.proxy().port());
    Wire redis(alone.port());
    if (resp3) {
      gemel.Ask({"HELLO", "3"});
      redis.Ask({"HELLO", "3"});
    }
    for (const std::vector<Words>& block : blocks) {
      std::vector<Words> all = {{"MULTI"}};
      all.insert(all.end(), block.begin(), block.end());
      // And afterwards, on all nodes.
      for (const Words& words : std::vector<Words>{{"EXEC"},
                                                   {"FCALL", "f", "1", "{t}k", "x"},
                                                   {"FCALL", "f3", "1", "{o}k", "x"},
                                                   {"GET", "{t}k"}}) {
        all.push_back(words);
      }
      for (const Words& words : all) {
        EXPECT_EQ(gemel.Ask(words), redis.Ask(words))
            << words[0] << " " << words.back() << " in block with " << block[0].back();
      }
    }
  }
  cluster_.ExpectCopiesEqual();
}

// Nothing of a block that was not executed stays on a node, in whose way it would be.
TEST_P(FunctionsInBlocks, WhatIsNotExecutedIsNotLoaded) {
  Client client = cluster_.Connect();
  client("WATCH", "{t}w");
  cluster_.Connect()("SET", "{t}w", "v");
  client("MULTI");
  client("FUNCTION", "LOAD", Library("one", "", 1));
  client("FCALL", "f", "1", "{t}k", "a");
  EXPECT_EQ(client("EXEC"), "(nil)");
  EXPECT_EQ(client("FUNCTION", "LIST").items.size(), 0u);
  EXPECT_EQ(client("FCALL", "f", "1", "{t}k", "a"), "-ERR Function not found");
  EXPECT_EQ(client("FUNCTION", "LOAD", Library("other", "", 2)), "other");
  EXPECT_EQ(client("FCALL", "f", "1", "{t}k", "a"), ":2");
  EXPECT_EQ(client("GET", "{t}k"), "2a");
  // A block that no node takes: it has too many keys for one whose outcome may differ.
  if (std::get<1>(GetParam()) == 1) return;
  client("MULTI");
  client("FUNCTION", "LOAD", Library("third", "7", 3));
  client("FCALL", "f7", "1", "{t}k", "a");
  Words many = {"MSET"};
  for (int i = 0; i < 100; ++i) {
    many.push_back("{t}many" + std::to_string(i));
    many.push_back("v");
  }
  client.Run(many);
  EXPECT_TRUE(client("EXEC").IsError());
  EXPECT_EQ(client("FUNCTION", "LIST", "LIBRARYNAME", "third").items.size(), 0u);
  EXPECT_EQ(client("FUNCTION", "LOAD", Library("fourth", "7", 4)), "fourth");
  EXPECT_EQ(client("FCALL", "f7", "1", "{t}l", "a"), ":2");
}

}  // namespace
}  // namespace gemel::e2e::functions_in_blocks_test

// What Resync makes of nodes that replicate already, of nodes that refuse to, and of its turn among
// others; and the watch over roles.

#include <gtest/gtest.h>

#include <string>

#include "backend/resync/role_watch.h"
#include "tests/unit/resync_world.h"

namespace gemel::resync_test::resync_adopt_test {
namespace {

// Node 1 is a live replica of node 0, whatever it calls it.
void MakeReplica(World* world, const std::string& host = "10.0.0.1") {
  world->model.nodes[1].as_replica.on = true;
  world->model.nodes[1].as_replica.host = host;
  world->model.nodes[1].as_replica.host_port = "7000";
  world->model.nodes[1].keys = world->model.nodes[0].keys;
}

TEST(ResyncAdopt, LiveReplicaIsTakenOverWithoutACopy) {
  for (const char* host : {"10.0.0.1", "primary.example"}) {
    World world({.adopted = true, .user = "gemel", .password = "secret"});
    MakeReplica(&world, host);
    world.Start();
    ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));
    EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 1U);
    for (const std::string& command : world.log) {
      EXPECT_TRUE(command == "1 REPLICAOF NO ONE" || command.find("INFO") == 2) << command;
    }
    EXPECT_EQ(world.Noted("taken over without a new copy"), 1U);
    EXPECT_EQ(world.Noted("was taken over as the replica that it was of 10.0.0.1:7000"), 1U);
    EXPECT_EQ(world.Noted("(0 bytes copied)"), 1U);
    world.Write();
    world.Settle();
    EXPECT_EQ(world.model.written[0], 1U);
    EXPECT_EQ(world.model.written[1], 1U);
  }
}

TEST(ResyncAdopt, ReplicaIsTakenOverAlsoWhereThePrimaryIsEmpty) {
  // Both are empty, but the replica must leave its master before it is written to.
  World world({.adopted = true});
  world.model.nodes[0].keys = 0;
  MakeReplica(&world);
  world.Start();
  EXPECT_FALSE(world.InSync());
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_FALSE(world.model.nodes[1].as_replica.on);
}

TEST(ResyncAdopt, ReplicaOfAnotherServerIsCopied) {
  World world({.copies = 3, .adopted = true});
  MakeReplica(&world, "10.0.0.3");
  world.model.master_index = 2;
  world.model.nodes[2].alive = false;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.Count("1 REPLICAOF 10.0.0.1 7000") > 0; }));
  world.model.master_index = 0;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(1); }));
}

TEST(ResyncAdopt, WritableReplicaIsCopied) {
  // Whoever could write to it may have done so.
  World world({.adopted = true});
  MakeReplica(&world);
  world.model.nodes[1].as_replica.read_only = false;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 2U);
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
  EXPECT_EQ(world.Noted("taken over"), 0U);
}

TEST(ResyncAdopt, CopyUnderWayGoesOn) {
  // As the proxy before this one left it.
  World world({});
  MakeReplica(&world);
  world.model.nodes[1].as_replica.sync_polls = 5;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.model.nodes[1].input, 1000)
      << "REPLICAOF to where it copies from changes nothing";
}

TEST(ResyncAdopt, CopyThatWasCutOffIsNotCopiedAgain) {
  World world({});
  world.model.start_sync_polls = 10;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  world.model.nodes[0].alive = false;
  world.Lose(0);
  world.Step();
  EXPECT_FALSE(world.resync->active());
  world.model.nodes[1].as_replica.sync_polls = 0;  // the primary's process went on
  world.model.nodes[0].alive = true;
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
  EXPECT_EQ(world.Noted("taken over without a new copy"), 1U);
}

TEST(ResyncAdopt, NothingIsMadeAReplicaOfAReplica) {
  // The two are swapped in the config: the primary is a replica of the replica.
  World world({.adopted = true});
  world.model.nodes[0].as_replica.on = true;
  world.model.nodes[0].as_replica.host = "10.0.0.2";
  world.model.nodes[0].as_replica.host_port = "7000";
  world.model.master_index = 1;
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 500));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 0U);
  EXPECT_NE(world.resync->note(1).find(
                "its primary 10.0.0.1:7000 is itself a REPLICAOF replica of 10.0.0.2:7000"),
            std::string::npos);
  EXPECT_EQ(world.Noted("send it REPLICAOF NO ONE or name another primary"), 1U);
  world.model.nodes[0].as_replica.on = false;  // by hand
  world.model.master_index = 0;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(ResyncAdopt, SomebodyElseTookTheCopyAwayDuringTheHandOver) {
  World world({});
  world.Start();
  world.on_command = [&](size_t) {
    // It follows another stream when it is told to leave, and nobody has noticed.
    if (world.Count("1 REPLICAOF NO ONE") == 1 && world.model.nodes[1].as_replica.on) {
      world.model.master_index = 1;
    }
  };
  EXPECT_TRUE(world.RunUntil(
      [&] { return world.Noted("had left the primary's stream before it was told to") > 0; }));
  EXPECT_FALSE(world.InSync());
  EXPECT_FALSE(world.shard().ports().resync.paused());
}

TEST(ResyncAdopt, NodeThatRefusesReplicaOfIsCopiedKeyByKey) {
  for (const char* error : {"ERR unknown command 'REPLICAOF', with args beginning with: ",
                            "NOPERM this user has no permissions to run the 'replicaof' command",
                            "ERR REPLICAOF not allowed in cluster mode."}) {
    ResyncBoard board(1);
    World world({.board = &board});
    world.model.nodes[1].refuses_replicaof = error;
    world.Start();
    ASSERT_TRUE(world.RunUntil([&] { return !board.running().empty(); }));
    EXPECT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }, 500));
    EXPECT_EQ(world.Noted("10.0.0.2:7000 refuses REPLICAOF (" + std::string(error) +
                          "): it is copied key by key from 10.0.0.1:7000"),
              1U);
    EXPECT_EQ(world.Noted("10.0.0.2:7000 was copied key by key from 10.0.0.1:7000 in"), 1U);
    EXPECT_EQ(world.resync->note(1), "");
    EXPECT_EQ(board.totals().done, 1U);
    EXPECT_EQ(world.shard().figures().Get("resyncs"), 1U);
  }
}

TEST(ResyncAdopt, CopyKeyByKeyThatFailsIsTriedAgainMoreAndMoreRarely) {
  ResyncBoard board(1);
  World world({.board = &board});
  world.model.nodes[1].refuses_replicaof = "ERR unknown command 'REPLICAOF'";
  world.model.refuses_scan = "NOPERM no SCAN";
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 2000));
  EXPECT_EQ(world.resync->note(1),
            "put off: the copying key by key was broken off: SCAN: NOPERM no SCAN");
  EXPECT_GT(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U) << "it may be allowed by then";
  EXPECT_LT(world.Count("1 REPLICAOF 10.0.0.1 7000"), 8U);
  EXPECT_TRUE(board.running().empty());
  world.Write();
  world.Settle();
  EXPECT_EQ(world.replies, Words{"+OK\r\n"});
  world.model.nodes[1].refuses_replicaof.clear();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }, 4000));
}

TEST(ResyncAdopt, ReplicaThatRefusesReplicaOfStaysStale) {
  World world({});
  world.model.nodes[1].refuses_replicaof = "ERR unknown command 'REPLICAOF'";
  world.model.nodes[1].as_replica.on = true;
  world.model.nodes[1].as_replica.host = "10.9.9.9";
  world.model.nodes[1].as_replica.sync_polls = 1 << 20;
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 500));
  EXPECT_EQ(world.Noted("10.0.0.2:7000 is a replica and refuses REPLICAOF ("), 1U);
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U) << "tried again only after a minute";
}

TEST(ResyncAdopt, ErrorThatPassesIsTriedAgainSoon) {
  World world({});
  world.model.nodes[1].refuses_replicaof = "LOADING Redis is loading the dataset in memory";
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 200));
  EXPECT_GT(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
  world.model.nodes[1].refuses_replicaof.clear();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(ResyncAdopt, WaitsForItsTurn) {
  ResyncBoard board(1);
  std::string why;
  auto other = board.Take("b", "10.0.1.1:7000", "10.0.1.2:7000", true, &why);
  World world({.board = &board});
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 100));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 0U);
  EXPECT_EQ(world.resync->note(1),
            "waits for its turn: as many as may copy already (max_parallel)");
  EXPECT_EQ(world.Noted("put off"), 0U);
  other.reset();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  EXPECT_EQ(board.Take("b", "10.0.1.1:7000", "10.0.1.2:7000", true, &why), nullptr);
  ASSERT_EQ(board.running().size(), 1U);
  EXPECT_EQ(board.running()[0].copy, "10.0.0.2:7000");
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));
  EXPECT_TRUE(board.running().empty());
  EXPECT_EQ(board.totals().done, 1U);
}

TEST(ResyncAdopt, LiveReplicaNeedNotWait) {
  ResyncBoard board(1);
  std::string why;
  const auto other = board.Take("b", "10.0.1.1:7000", "10.0.1.2:7000", true, &why);
  World world({.adopted = true, .board = &board});
  MakeReplica(&world);
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(ResyncAdopt, AttemptThatFailsGivesItsPlaceBack) {
  ResyncBoard board(1);
  World world({.board = &board});
  world.Start();
  world.model.start_sync_polls = 1000;
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  EXPECT_EQ(board.running().size(), 1U);
  world.Restart(1);
  world.model.nodes[1].alive = false;
  world.Lose(1, true);
  ASSERT_TRUE(world.RunUntil([&] { return !world.resync->active(); }, 5000));
  EXPECT_TRUE(board.running().empty());
  world.resync.reset();
}

TEST(ResyncAdopt, ProgressIsShown) {
  ResyncBoard board(1);
  World world({.board = &board});
  world.model.start_sync_polls = 1000000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  // Sent while it is made: the primary knows how far it is.
  for (int i = 0; i <= 100; ++i) {
    world.model.nodes[1].as_replica.sync_read = i * 10000;
    world.model.saved_keys = i;
    world.Step(100);
  }
  EXPECT_EQ(board.running()[0].progress.phase, "copying");
  EXPECT_NEAR(board.running()[0].progress.percent, 50, 5);
  EXPECT_NEAR(static_cast<double>(board.running()[0].progress.rate), 100000, 20000);
  EXPECT_NE(world.resync->note(1).find(" %, "), std::string::npos) << world.resync->note(1);
  EXPECT_GE(world.Noted("resync of 10.0.0.2:7000: copying from 10.0.0.1:7000: "), 4U);
  EXPECT_LE(world.Noted("resync of 10.0.0.2:7000: copying from 10.0.0.1:7000: "), 6U);
  // Sent as a file.
  world.model.nodes[1].as_replica.sync_read = 3 << 20;
  world.model.nodes[1].as_replica.sync_total = 4 << 20;
  for (int i = 0; i < 20; ++i) world.Step();
  EXPECT_EQ(board.running()[0].progress.percent, 75);
  EXPECT_EQ(board.running()[0].progress.total, 4 << 20);
  EXPECT_NE(world.resync->note(1).find("3.0 MB of 4.0 MB, 75 %"), std::string::npos)
      << world.resync->note(1);
}

TEST(ResyncAdopt, LongPauseIsGivenUpAndTriedAgain) {
  World world({});
  world.model.start_lag = 500;
  world.model.nodes[1].as_replica.catches_up = 0;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.shard().ports().resync.paused(); }));
  world.Write();
  // Long before pause_ms (1000).
  ASSERT_TRUE(world.RunUntil([&] { return !world.shard().ports().resync.paused(); }, 10));
  world.Settle();
  EXPECT_EQ(world.replies, Words{"+OK\r\n"});
  EXPECT_TRUE(world.resync->active()) << "the copy goes on as a replica";
  EXPECT_EQ(world.Noted("took longer than 50 ms: writes go on"), 1U);
  world.model.nodes[1].as_replica.catches_up = 1 << 20;
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
}

TEST(RoleWatch, CopyThatSomebodyMadeAReplicaLosesItsPlace) {
  World world({});
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));
  RoleWatch watch(world.shard().ports().resync, &world, &world);
  uint64_t now_ms = 0;
  const auto step = [&] {
    watch.Tick(now_ms += 100);
    world.Step();
  };
  for (int i = 0; i < 50; ++i) step();
  EXPECT_TRUE(world.InSync());
  EXPECT_EQ(world.Noted("lost the connection"), 0U);

  world.model.nodes[1].as_replica.on = true;
  world.model.nodes[1].as_replica.host = "10.9.9.9";
  world.model.nodes[1].as_replica.host_port = "6379";
  for (int i = 0; i < 20 && world.InSync(); ++i) step();
  EXPECT_FALSE(world.InSync());
  EXPECT_EQ(world.Noted("somebody made it a replica of 10.9.9.9:6379"), 2U);
  EXPECT_EQ(world.Noted("10.0.0.2:7000 is stale"), 1U);
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));

  // For a while, and back again.
  world.model.nodes[1].replid2 = "abcdef";
  world.model.nodes[1].second_offset = 77;
  for (int i = 0; i < 20 && world.InSync(); ++i) step();
  EXPECT_FALSE(world.InSync());
  EXPECT_EQ(world.Noted("somebody made it a replica of another server for a while"), 2U);
}

TEST(RoleWatch, IdThatRedisForgetsByItselfIsNoMatter) {
  World world({});
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));
  RoleWatch watch(world.shard().ports().resync, &world, &world);
  for (uint32_t copy : {0U, 1U}) {
    world.model.nodes[copy].replid = "new";
    world.model.nodes[copy].replid2 = "0000";
    world.model.nodes[copy].second_offset = -1;
  }
  for (uint64_t i = 0; i < 50; ++i) {
    watch.Tick(i * 100);
    world.Step();
  }
  EXPECT_TRUE(world.InSync());
  world.Lose(1);
  world.RunUntil([&] { return world.shard().link(1)->up(); });
  world.Settle();
  EXPECT_TRUE(world.InSync());
  EXPECT_EQ(world.Noted("meanwhile"), 0U);
  EXPECT_EQ(world.shard().copies().run_id(1), "run1+0");
}

}  // namespace
}  // namespace gemel::resync_test::resync_adopt_test

// Resync against nodes of a model, and every place where something can go wrong.

#include "backend/resync/resync.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/resync_world.h"

namespace gemel::resync_test::resync_test {
namespace {

TEST(Resync, MakesAStaleCopyEqual) {
  World world({});
  world.Start();
  std::vector<std::string> shown;
  ASSERT_TRUE(world.RunUntil([&] {
    const std::string note = world.resync->note(1);
    if (shown.empty() || shown.back() != note) shown.push_back(note);
    return world.InSync();
  }));
  world.log.erase(std::unique(world.log.begin(), world.log.end()), world.log.end());
  EXPECT_EQ(world.log,
            (Words{"0 INFO replication", "1 INFO", "0 CONFIG GET repl-diskless-sync*",
                   "1 REPLICAOF 10.0.0.1 7000", "1 INFO", "0 INFO", "1 INFO", "0 INFO replication",
                   "0 INFO", "1 INFO replication", "1 REPLICAOF NO ONE", "1 INFO"}));
  EXPECT_EQ(shown,
            (Words{"", "copying from 10.0.0.1:7000", "copying from 10.0.0.1:7000: 0 %", ""}));
  EXPECT_FALSE(world.shard().ports().resync.paused());
  EXPECT_FALSE(world.resync->active());
  EXPECT_EQ(ProcessOf(world.shard().info().copies[1].run_id), "run1");
  EXPECT_EQ(world.shard().figures().Get("resyncs"), 1U);
  EXPECT_EQ(world.Noted("was resynced from 10.0.0.1:7000 in "), 1U);
  EXPECT_EQ(world.Noted("(4.9 KB copied); writes were paused for 0 ms"), 1U);
  world.Write();
  world.Settle();
  EXPECT_EQ(world.model.written[1], 1U);
}

TEST(Resync, NothingToDo) {
  World world({.copies = 1});
  world.Start();
  for (int i = 0; i < 100; ++i) world.Step();
  EXPECT_TRUE(world.log.empty());
}

TEST(Resync, PasswordIsGivenToTheCopyAndToNobodyElse) {
  World world({.user = "gemel", .password = "secret"});
  world.Start();
  world.fail_at = 2;
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.log[2], "1 CONFIG SET masterauth secret");
  EXPECT_EQ(world.log[5], "1 CONFIG SET masterauth secret") << "the first one failed";
  EXPECT_EQ(world.log[6], "1 CONFIG SET masteruser gemel");
  EXPECT_EQ(world.Noted("CONFIG SET masterauth"), 1U);
  EXPECT_EQ(world.Noted("secret"), 0U);
}

TEST(Resync, PrimaryOnAUnixSocket) {
  World world({.primary = "unix:/tmp/a.sock"});
  world.model.nodes[0].port = "6400";
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.log[2], "0 CONFIG GET port");
  EXPECT_EQ(world.Count("1 REPLICAOF 127.0.0.1 6400"), 1U);
}

TEST(Resync, PrimaryWithoutAPort) {
  World world({.primary = "unix:/tmp/a.sock"});
  world.model.nodes[0].port = "0";
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }, 200)) << "key by key";
  EXPECT_EQ(world.Noted("give it a port on 127.0.0.1: it is copied key by key"), 1U);
  EXPECT_EQ(world.Count("1 REPLICAOF 127.0.0.1 0"), 0U);
}

TEST(Resync, EmptyPrimaryDoesNotWipeItsReplica) {
  World world({.adopted = true});
  world.model.nodes[0].keys = 0;
  world.model.nodes[1].keys = 1234;
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 500));
  EXPECT_EQ(world.Noted("holds 1234 keys: perhaps they are swapped"), 1U);
  // Also once the primary got its first key through the proxy.
  world.model.nodes[0].keys = 1;
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 500));
  EXPECT_EQ(world.Noted("was empty at the first start"), 1U);
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 0U);
  // FLUSHALL by hand.
  world.model.nodes[1].keys = 0;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, AdoptedShardWithDataInThePrimary) {
  World world({.adopted = true});
  world.model.nodes[0].keys = 1;
  world.model.nodes[1].keys = 1234;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Noted("swapped"), 0U);
}

TEST(Resync, WhatItCopiedItselfIsNotTakenForSomebodysData) {
  World world({.adopted = true});
  world.model.nodes[0].keys = 0;
  world.model.nodes[1].keys = 0;
  world.model.nodes[1].alive = false;
  world.Start();
  world.Write();
  world.Settle();
  world.model.nodes[0].keys = 1;
  world.model.nodes[1].alive = true;
  world.model.start_lag = 100;
  world.model.nodes[1].as_replica.catches_up =
      0;  // so the first hand-over fails, and the copy holds keys
  ASSERT_TRUE(world.RunUntil([&] { return world.Noted("hand-over took longer") > 0; }));
  EXPECT_EQ(world.model.nodes[1].keys, 1);
  world.model.nodes[1].as_replica.catches_up = 100;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, EmptyPrimaryOfAKnownShardIsCopied) {
  // FLUSHALL through the proxy while the replica was away.
  World world({});
  world.model.nodes[0].keys = 0;
  world.model.nodes[1].keys = 1234;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, WritesAreHeldDuringTheHandOverAndThenReachBoth) {
  World world({});
  world.Start();
  bool wrote = false;
  world.on_command = [&](size_t) {
    if (wrote || !world.shard().ports().resync.paused()) return;
    wrote = true;
    world.Write();
    EXPECT_EQ(world.model.written[0], 0U);
  };
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));
  world.Settle();
  EXPECT_TRUE(wrote);
  EXPECT_EQ(world.model.written[0], 1U);
  EXPECT_EQ(world.model.written[1], 1U);
  EXPECT_EQ(world.replies, Words{"+OK\r\n"});
}

TEST(Resync, WaitsForWritesInFlight) {
  World world({});
  world.Start();
  world.model.nodes[0].answers_writes = false;
  world.Write();
  ASSERT_TRUE(world.RunUntil([&] { return world.shard().ports().resync.paused(); }));
  const size_t commands = world.log.size();
  world.Step();
  EXPECT_EQ(world.log.size(), commands) << "nothing is read before the writes are answered";
  world.model.nodes[0].answers_writes = true;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.replies, Words{"+OK\r\n"});
}

TEST(Resync, PausesOnlyOnceTheCopyIsNear) {
  World world({});
  world.model.start_lag = 10 << 20;
  world.model.nodes[1].as_replica.catches_up = 1 << 20;
  world.Start();
  std::string last;
  ASSERT_TRUE(world.RunUntil([&] {
    last = world.resync->note(1);
    return last.starts_with("catching up, ");
  }));
  EXPECT_FALSE(world.shard().ports().resync.paused());
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Noted("hand-over took longer"), 0U);
}

TEST(Resync, PauseHasAnEnd) {
  ResyncBoard board(1);
  World world({.resync = {.pause_ms = 40}, .board = &board});
  world.model.start_lag = 500;
  world.model.nodes[1].as_replica.catches_up = 0;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.shard().ports().resync.paused(); }));
  world.Write();
  ASSERT_TRUE(world.RunUntil([&] { return !world.shard().ports().resync.paused(); }));
  world.Settle();
  EXPECT_EQ(world.replies, Words{"+OK\r\n"}) << "the primary goes on alone";
  EXPECT_FALSE(world.InSync());
  EXPECT_EQ(world.Noted("pause_ms"), 1U);
  // One that was given up was a pause, too.
  EXPECT_EQ(board.totals().pauses, 1U);
  EXPECT_GE(board.totals().longest_pause_ms, 40U);
  EXPECT_EQ(board.totals().done, 0U);
  world.model.nodes[1].as_replica.catches_up = 1 << 20;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  // The copying itself was not begun anew.
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 1U);
}

TEST(Resync, CopyThatNeverCatchesUpCostsFewPauses) {
  ResyncBoard board(1);
  World world({.resync = {.pause_ms = 100, .timeout_s = 3600, .retry_ms = 1000}, .board = &board});
  world.model.start_lag = 100 << 20;
  world.model.nodes[1].as_replica.catches_up = 0;
  world.Start();
  int paused = 0;
  for (int i = 0; i < 30000; ++i) {  // ten minutes
    world.Step();
    paused += world.shard().ports().resync.paused() ? 1 : 0;
  }
  EXPECT_GT(paused, 0);
  EXPECT_LT(paused, 300) << "less than 1 % of the time";
  EXPECT_GT(board.totals().pauses, 1U);  // that each came to nothing
  EXPECT_GE(board.totals().longest_pause_ms, 100U);
}

TEST(Resync, AnotherServerBehindTheAddress) {
  // REPLICAOF 127.0.0.1 on another machine.
  World world({.copies = 3});
  world.model.master_index = 2;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(1); }, 500)) << "key by key";
  EXPECT_EQ(world.Noted("led 10.0.0.2:7000 to another server than the primary"), 2U)
      << "when it is given up, and when it is copied key by key";
  EXPECT_GE(world.Count("1 REPLICAOF NO ONE"), 1U);
  EXPECT_FALSE(world.model.nodes[1].as_replica.on);
}

TEST(Resync, SomebodyElsesReplicaOf) {
  World world({});
  world.model.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  world.model.nodes[1].as_replica.host = "10.9.9.9";
  ASSERT_TRUE(
      world.RunUntil([&] { return world.Noted("made it a replica of 10.9.9.9:7000") > 0; }));
  world.model.start_sync_polls = 1;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, CopyRestartsOnTheWay) {
  World world({});
  world.model.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  world.Restart(1);
  world.model.start_sync_polls = 2;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U);
  EXPECT_EQ(ProcessOf(world.shard().info().copies[1].run_id), "run1'");
}

TEST(Resync, CopyThatRestartsAtAnyMomentIsNeverTakenForInSync) {
  for (size_t at = 0; at < 20; ++at) {
    World world({});
    world.Start();
    bool restarted = false;
    world.on_command = [&](size_t number) {
      if (number != at) return;
      restarted = true;
      world.Restart(1);
    };
    ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); })) << at;
    if (!restarted) break;
    EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), at < 2 ? 1U : 2U) << at;
    EXPECT_EQ(ProcessOf(world.shard().info().copies[1].run_id), "run1'") << at;
    EXPECT_EQ(world.model.nodes[1].keys, 1) << at;
  }
}

TEST(Resync, ProcessThatLostItsPowerUnseenIsConnectedToAnew) {
  World world({});
  world.model.nodes[0].keys = 1;
  world.Start();
  world.model.nodes[1].run_id = "run1'";  // its connection says nothing as long as nothing is sent
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(ProcessOf(world.shard().info().copies[1].run_id), "run1'");
}

TEST(Resync, ConnectionLostByTheSameProcessIsNoMatter) {
  World world({});
  world.model.start_sync_polls = 20;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  world.Lose(1);
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
}

TEST(Resync, ProcessThatHidesItsRunIdIsKnownByItsConnection) {
  World world({});
  world.model.nodes[1].run_id = "";
  world.model.start_sync_polls = 20;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  world.Lose(1);
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U);
}

TEST(Resync, PrimaryAwayOnTheWay) {
  World world({});
  world.model.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  world.model.nodes[0].alive = false;
  world.Lose(0);
  world.Step();
  EXPECT_FALSE(world.resync->active());
  EXPECT_FALSE(world.RunUntil([&] { return world.resync->active(); }, 200));
  world.model.nodes[0].alive = true;
  world.model.nodes[1].as_replica.sync_polls = 1;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, PrimaryThatRestartedUnseenIsNotTakenForItself) {
  // Its link has not noticed yet that another process stands there.
  World world({});
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return !world.log.empty(); }));
  world.model.nodes[0].run_id += "'";
  EXPECT_TRUE(world.RunUntil([&] { return world.Noted("another process than before") > 0; }));
  EXPECT_FALSE(world.InSync());
  EXPECT_FALSE(world.shard().ports().resync.paused());
}

TEST(Resync, PrimaryChangesOnTheWay) {
  World world({.copies = 3});
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(1) && world.InSync(2); }));
  world.model.start_sync_polls = 1000;
  world.Restart(2);  // is stale now, and copied from node 0
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[2].as_replica.on; }));
  world.model.nodes[0].alive = false;
  world.Lose(0, true);
  world.model.master_index = 1;
  world.model.start_sync_polls = 3;
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(2); })) << world.notes.back();
  EXPECT_EQ(world.shard().info().primary, 1U);
  EXPECT_EQ(world.Count("2 REPLICAOF 10.0.0.2 7000"), 1U);
}

TEST(Resync, CopyThatCannotBeMadeEqualDoesNotKeepOthersWaiting) {
  World world({.copies = 3});
  world.Start();
  world.model.nodes[1].alive = false;  // its connection stays open, but no command gets through
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(2); }));
  EXPECT_FALSE(world.InSync(1));
  world.model.nodes[1].alive = true;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(1); }));
}

TEST(Resync, AnyCommandMayFail) {
  for (size_t at = 0;; ++at) {
    World world({.adopted = true, .user = "gemel", .password = "secret"});
    world.Start();
    world.fail_at = at;
    ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); })) << at;
    EXPECT_FALSE(world.shard().ports().resync.paused()) << at;
    if (world.log.size() <= at) break;
  }
}

TEST(Resync, MayBeDestroyedAtAnyMoment) {
  for (size_t at = 0;; ++at) {
    World world({});
    world.Start();
    bool destroyed = false;
    world.on_command = [&](size_t number) {
      if (number != at) return;
      destroyed = true;
      world.resync.reset();
    };
    world.RunUntil([&] { return world.InSync(); }, 100);
    EXPECT_FALSE(world.shard().ports().resync.paused()) << at;
    world.Write();
    world.Settle();
    EXPECT_EQ(world.replies.size(), 1U) << at;
    if (!destroyed) break;
  }
}

TEST(Resync, MayBeDestroyedWhileTheEditIsOnItsWay) {
  World world({});
  world.one_reply_a_step = true;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.Count("1 REPLICAOF NO ONE") == 1; }));
  for (int i = 0; i < 10 && world.edits() == 0; ++i) world.Settle();
  ASSERT_EQ(world.edits(), 1U);
  world.resync.reset();
  world.Write();
  world.one_reply_a_step = false;
  world.Settle();
  EXPECT_TRUE(world.InSync());
  EXPECT_EQ(world.model.written[0], 1U);
  EXPECT_EQ(world.model.written[1], 1U) << "held until the edit was in effect";
}

TEST(Resync, EditThatFails) {
  World world({});
  world.Start();
  world.disk_fails = true;
  ASSERT_TRUE(world.RunUntil([&] { return world.Noted("could not be marked in sync") > 0; }));
  EXPECT_FALSE(world.shard().ports().resync.paused());
  EXPECT_FALSE(world.InSync());
  world.disk_fails = false;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U);
}

TEST(Resync, EmptyCopyThatIsBeingCopiedIsNotMarkedInSync) {
  // The shard marks a copy in sync when both are empty, but what the copy's connection began with
  // says nothing any more once it was made a replica.
  World world({});
  world.model.nodes[0].keys = 1;
  world.model.nodes[1].keys = 0;
  world.model.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  world.model.nodes[0].keys = 0;  // FLUSHALL
  world.Lose(0);
  for (int i = 0; i < 200; ++i) {
    world.Step();
    ASSERT_FALSE(world.InSync() && world.model.nodes[1].as_replica.on);
  }
  world.model.nodes[1].as_replica.sync_polls = 0;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_FALSE(world.model.nodes[1].as_replica.on);
}

TEST(Resync, CopyWhoseConnectionBeganEmptyIsNoEmptyTwinOnceItWasWrittenTo) {
  World world({.adopted = true});
  world.model.nodes[0].keys = 0;
  world.model.nodes[1].keys = 0;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_TRUE(world.log.empty()) << "both were empty";
  world.Write();
  world.Settle();
  world.model.nodes[0].keys = world.model.nodes[1].keys = 1;
  // It loses its place, and not its connection.
  world.model.nodes[1].odd = true;
  world.Write();
  ASSERT_TRUE(world.RunUntil([&] { return !world.InSync(); }));
  world.model.nodes[0].keys = 0;  // FLUSHALL
  world.Lose(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 1U);
  EXPECT_EQ(world.model.nodes[1].keys, 0);
}

TEST(Resync, WholeCopyThatTakesTooLongStartsAgain) {
  World world({.resync = {.pause_ms = 1000, .timeout_s = 10, .retry_ms = 100}});
  world.model.start_sync_polls = 1000000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.Noted("timeout_s") > 0; }));
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 1U);
  world.model.start_sync_polls = 1;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, SilentCopyIsWaitedForAWhile) {
  World world({});
  world.model.start_sync_polls = 20;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  // Emptying its old data: no command is answered, and the link notices nothing.
  world.model.nodes[1].alive = false;
  for (int i = 0; i < 500; ++i) world.Step();
  EXPECT_TRUE(world.resync->active());
  world.model.nodes[1].alive = true;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
}

}  // namespace
}  // namespace gemel::resync_test::resync_test

// The audit on model nodes: what it finds, what it must not find, how it repairs, and how it keeps
// out of the way.

#include "backend/audit/audit.h"

#include <gtest/gtest.h>

#include "backend/events/printable_key.h"
#include "tests/unit/audit_world.h"

namespace gemel::audit_test::audit_test {
namespace {

Value Hash(Words pairs) { return {"hash", std::move(pairs)}; }
Value Set(Words members) { return {"set", std::move(members)}; }

void Fill(World* world, int keys) {
  for (int i = 0; i < keys; ++i) {
    world->SetAll("key:" + std::to_string(i), String(std::to_string(i)));
  }
}

class AuditBothWays : public testing::TestWithParam<bool> {  // is DEBUG allowed?
 protected:
  AuditBothWays() {
    for (ModelNode& node : world_.nodes) node.debug_allowed = GetParam();
  }
  World world_;
};
INSTANTIATE_TEST_SUITE_P(Debug, AuditBothWays, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Allowed" : "Refused");
});

TEST_P(AuditBothWays, EqualContentIsEqualInWhateverOrder) {
  Fill(&world_, 200);
  world_.SetAll("hash", Hash({"f", "1", "g", "2", "h", "3"}));
  world_.SetAll("set", Set({"a", "b", "c"}));
  world_.SetAll("list", {"list", {"a", "b", "a"}});
  world_.SetAll("zset", {"zset", {"a", "1", "b", "2"}});
  world_.SetAll("stream", {"stream", {"1-1", "f"}});
  world_.SetAll("module", {"module-t", {"x"}});
  const Report report = world_.Run();
  EXPECT_EQ(report.result(), "complete");
  EXPECT_EQ(report["compared"], 206);
  EXPECT_EQ(report["differences"], 0);
  EXPECT_EQ(report["skipped"], 0);
  EXPECT_EQ(world_.shard->figures().Get("audits"), 1u);
  EXPECT_EQ(world_.shard->figures().Get("audited"), 206u);
  EXPECT_EQ(world_.nodes[0].counts["RESTORE"] + world_.nodes[1].counts["RESTORE"], 0u);
}

TEST_P(AuditBothWays, FindsAndRepairsWhatDiffers) {
  Fill(&world_, 150);
  for (const char* key : {"hash", "swapped"}) world_.SetAll(key, Hash({"a", "b", "c", "d"}));
  world_.SetAll("list", {"list", {"a", "b"}});
  world_.SetAll("type", Set({"a"}));
  world_.SetAll("ttl", {"string", {"v"}, 50000});
  world_.SetAll("module", {"module-t", {"x"}});
  auto& primary = world_.nodes[0].data;
  auto& replica = world_.nodes[1].data;
  replica["key:7"] = String("other");
  replica["hash"] = Hash({"a", "b", "c", "e"});
  replica["swapped"] = Hash({"b", "a", "c", "d"});  // field and value
  replica["list"] = {"list", {"b", "a"}};
  replica["type"] = {"list", {"a"}};
  replica["ttl"].ttl_ms = 90000;
  primary["key:8"].ttl_ms = 100000;  // the replica's lives for ever
  replica.erase("key:9");
  replica["only there"] = String("x");
  primary["only\r\n here \xff"] = Set({"m"});
  const auto wanted = primary;
  const Report report = world_.Run();
  EXPECT_EQ(report.result(), "complete");
  EXPECT_EQ(report["differences"], 10) << world_.notes;
  EXPECT_EQ(report["repaired"], 10);
  EXPECT_EQ(report["skipped"], 0);
  EXPECT_EQ(primary, wanted);
  EXPECT_TRUE(world_.Equal());
  EXPECT_EQ(world_.shard->figures().Get("audit_differences"), 10u);
  EXPECT_EQ(world_.shard->figures().Get("audit_repaired"), 10u);
  EXPECT_NE(world_.notes.find("key \"only\\x0d\\x0a here \\xff\" differs: n1 does not have it"),
            std::string::npos)
      << world_.notes;
  EXPECT_EQ(world_.Run()["differences"], 0);
}

TEST_P(AuditBothWays, ThreeCopies) {
  World world({.interval_s = 0}, 3);
  for (ModelNode& node : world.nodes) node.debug_allowed = GetParam();
  Fill(&world, 100);
  world.nodes[1].data["only 1"] = String("x");
  world.nodes[2].data["only 2"] = String("x");
  world.nodes[2].data["both"] = world.nodes[1].data["both"] = String("x");
  world.nodes[2].data.erase("key:3");
  const Report report = world.Run();
  EXPECT_EQ(report["differences"], 4) << world.notes;
  EXPECT_EQ(report["repaired"], 4);
  EXPECT_TRUE(world.Equal());
}

TEST(Audit, ModulesWithoutDebugAreNotJudgedByTheirDumps) {
  World world;
  for (ModelNode& node : world.nodes) node.debug_allowed = false;
  world.nodes[0].data["m"] = {"module-t", {"x"}};
  world.nodes[1].data["m"] = {"module-t", {"y"}};
  const Report report = world.Run();
  EXPECT_EQ(report["differences"], 0);
  EXPECT_EQ(report["skipped"], 1);
  for (ModelNode& node : world.nodes) node.debug_allowed = true;
  EXPECT_EQ(world.Run()["repaired"], 1);
  EXPECT_TRUE(world.Equal());
}

TEST(Audit, WhatIsEqualAtTheSecondLookIsNoDifference) {
  World world;
  Fill(&world, 10);
  world.nodes[1].data["key:5"] = String("other");
  int looks = 0;
  world.on_command = [&](uint32_t copy, const Words& words) {
    if (copy == 1 && words.back() == "key:5" && words[0] == "TYPE" && ++looks == 2) {
      world.nodes[1].data["key:5"] = world.nodes[0].data["key:5"];
    }
    return true;
  };
  const Report report = world.Run();
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(report["compared"], 10);
  EXPECT_EQ(report["differences"], 0);
}

TEST(Audit, WhatIsAboutToExpireIsNoDifference) {
  World world;
  world.nodes[0].data["a"] = {"string", {"v"}, 300};
  world.nodes[1].data["b"] = {"string", {"v"}, 0};
  world.nodes[0].data["c"] = {"string", {"v"}, 900};
  world.nodes[1].data["c"] = {"string", {"w"}, 100};
  EXPECT_EQ(world.Run()["differences"], 0);
  EXPECT_EQ(world.nodes[0].counts["DUMP"], 0u);
}

TEST(Audit, ExpiryMayDifferByALittle) {
  for (const bool old : {false, true}) {
    World world;
    for (ModelNode& node : world.nodes) node.is_old = old;
    world.nodes[0].clock_ms = 70000;  // whose clock is ahead of the other's
    world.nodes[0].data["lag"] = {"string", {"v"}, 50000};
    world.nodes[1].data["lag"] = {"string", {"v"}, 51500};
    // Set at the same absolute time: by their clocks they expire at once.
    world.nodes[0].data["absolute"] = {"string", {"v"}, 50000};
    world.nodes[1].data["absolute"] = {"string", {"v"}, 120000};
    const Report report = world.Run();
    EXPECT_EQ(report["differences"], old ? 1 : 0) << world.notes;
  }
}

TEST(Audit, LargeValuesAreComparedByLength) {
  World world({.interval_s = 0, .max_value = 1000});
  world.SetAll("same", String("12345"));
  world.SetAll("longer", {"list", {"a", "b"}});
  for (ModelNode& node : world.nodes) {
    for (auto& [key, value] : node.data) value.size = 5000;
  }
  world.nodes[1].data["same"].parts = {"abcde"};
  world.nodes[1].data["longer"].parts = {"a"};
  const Report report = world.Run();
  EXPECT_EQ(report["differences"], 1);
  EXPECT_EQ(report["repaired"], 1);
  EXPECT_EQ(report["skipped"], 1);
  EXPECT_EQ(world.nodes[1].data["longer"], world.nodes[0].data["longer"]);
  for (const char* name : {"GET", "LRANGE", "DEBUG"}) EXPECT_EQ(world.nodes[0].counts[name], 0u);
}

TEST(Audit, SizesThatAreNotToldMeanLarge) {
  World world;
  for (ModelNode& node : world.nodes) node.memory_allowed = false;
  world.SetAll("k", String("v"));
  EXPECT_EQ(world.Run()["skipped"], 1);
  EXPECT_EQ(world.nodes[0].counts["GET"] + world.nodes[0].counts["DEBUG"], 0u);
}

TEST(Audit, WritesBetweenAreNoDifference) {
  World world;
  for (ModelNode& node : world.nodes) node.debug_allowed = false;
  Fill(&world, 130);
  // The replica is asked long after the primary, and much is written meanwhile.
  int written = 0;
  world.on_command = [&](uint32_t copy, const Words& words) {
    if (copy == 0 && words[0] == "GET" && written < 2000) {
      world.Write(words[1], "w" + std::to_string(++written));
      world.Write("key:" + std::to_string(written % 130), "x" + std::to_string(written));
      world.Write("new:" + std::to_string(written), "x");
    }
    return true;
  };
  const Report report = world.Run();
  EXPECT_EQ(report.result(), "complete");
  EXPECT_EQ(report["differences"], 0) << world.notes;
  EXPECT_GE(report["compared"], 130);
  EXPECT_GE(written, 130);
  EXPECT_TRUE(world.Equal());
}

TEST(Audit, AKeyIsLockedWhileItIsRepaired) {
  World world;
  world.SetAll("k", String("v"));
  world.nodes[1].data["k"] = String("other");
  World::Asked* write = nullptr;
  world.on_command = [&](uint32_t, const Words& words) {
    if (words[0] == "DUMP" && write == nullptr) {
      write = world.Write("k", "new");
      EXPECT_TRUE(world.shard->ports().audit.IsKeyLocked("k"));
    }
    if (words[0] == "RESTORE") {
      EXPECT_EQ(write->told, "");
    }
    return true;
  };
  EXPECT_EQ(world.Run()["repaired"], 1);
  ASSERT_NE(write, nullptr);
  EXPECT_EQ(write->told, "+OK\r\n");
  EXPECT_EQ(world.nodes[1].data["k"], String("new"));
  EXPECT_TRUE(world.Equal());
}

TEST(Audit, SaysWhatCannotBeRepaired) {
  World world;
  world.SetAll("k", String("v"));
  world.nodes[1].data["k"] = String("other");
  world.on_command = [&](uint32_t copy, const Words& words) {
    if (words[0] == "RESTORE") Answer(world.shard->link(copy), "-OOM no memory\r\n", world.now_ms);
    return words[0] != "RESTORE";
  };
  const Report report = world.Run();
  EXPECT_EQ(report["differences"], 1);
  EXPECT_EQ(report["repaired"], 0);
  // The copy has lost its place, as after any repair that fails.
  EXPECT_EQ(report.result(), "ended early: the roles of the copies changed");
  EXPECT_EQ(world.shard->ports().resync.in_sync(), Bit(0));
  EXPECT_EQ(world.Run().error,
            "ERR shard 'a' has one copy in sync (n0), so there is nothing to compare it with");
  // It is not forgotten which key it was.
  EXPECT_EQ(world.nodes[1].data["k"], String("other"));
  world.on_command = nullptr;
  for (int i = 0; i < 200; ++i) world.Step();
  EXPECT_EQ(world.shard->ports().resync.in_sync(), Bit(0) | Bit(1));
  EXPECT_TRUE(world.Equal());
}

TEST(Audit, OneCopyHasNothingToBeComparedWith) {
  World world({.interval_s = 1}, 1);
  EXPECT_EQ(world.Run().error,
            "ERR shard 'a' has one copy in sync (n0), so there is nothing to compare it with");
  for (int i = 0; i < 200; ++i) world.Step();
  EXPECT_EQ(world.nodes[0].counts["SCAN"], 0u);
}

TEST(Audit, ALostConnectionOnlyDelaysIt) {
  World world;
  Fill(&world, 100);
  int values = 0;
  world.on_command = [&](uint32_t copy, const Words& words) {
    if (copy == 1 && words[0] == "DEBUG" && ++values == 30) world.Lose(1);
    return true;
  };
  const Report report = world.Run();
  EXPECT_EQ(report.result(), "complete");
  EXPECT_EQ(report["compared"], 100);
  EXPECT_EQ(report["differences"], 0);
  EXPECT_EQ(report["skipped"], 0);
}

TEST(Audit, ACopyThatLeavesEndsTheRound) {
  World world;
  Fill(&world, 200);
  int values = 0;
  world.on_command = [&](uint32_t copy, const Words& words) {
    if (copy == 1 && words[0] == "DEBUG" && ++values == 30) {
      world.nodes[1].run_id = "another";  // it restarted
      world.nodes[1].data.clear();
      world.Lose(1);
    }
    return true;
  };
  const Report report = world.Run();
  EXPECT_EQ(report.result(), "ended early: the roles of the copies changed");
  EXPECT_EQ(report["differences"], 0);
  EXPECT_LT(report["compared"], 200);
  EXPECT_FALSE(world.audit->active());
  EXPECT_EQ(world.shard->figures().Get("audits"), 0u);
}

TEST(Audit, WaitsWhileTheShardIsPaused) {
  World world;
  Fill(&world, 10);
  world.shard->ports().resync.Pause([] {});
  World::Asked* request = world.Ask();
  for (int i = 0; i < 100; ++i) world.Step();
  EXPECT_EQ(world.nodes[0].counts["SCAN"], 0u);
  EXPECT_EQ(request->told, "");
  world.shard->ports().resync.Resume();
  EXPECT_EQ(world.Await(request).result(), "complete");
  // But not for ever.
  world.shard->ports().resync.Pause([] {});
  EXPECT_EQ(world.Await(world.Ask()).error.substr(0, 36), "CLUSTERDOWN shard 'a' is not ready: ");
}

TEST(Audit, CopiesThatSayOnlyErrorsAreSkipped) {
  World world;
  Fill(&world, 3);
  world.on_command = [&](uint32_t copy, const Words& words) {
    world.nodes[1].error = words[0] == "SCAN" || copy == 0 ? "" : "BUSY a script runs";
    return true;
  };
  const Report report = world.Run();
  EXPECT_EQ(report.result(), "complete");
  EXPECT_EQ(report["differences"], 0);
  EXPECT_EQ(report["compared"], 0);
  // Those of the primary, and again as what the replica seems not to have.
  EXPECT_GE(report["skipped"], 3);
}

TEST(Audit, AScanThatFailsEndsTheRound) {
  World world;
  world.nodes[0].error = "NOPERM this user has no permissions";
  const Report report = world.Run();
  EXPECT_NE(report.result().find("SCAN: NOPERM"), std::string::npos) << report.result();
}

TEST(Audit, KeysInBackgroundAreComparedAtTheRate) {
  World world({.keys_per_s = 100, .interval_s = 5});
  Fill(&world, 1000);
  world.nodes[1].data["key:500"] = String("other");
  while (!world.audit->active()) world.Step();
  const uint64_t began_ms = world.now_ms;
  const uint64_t before = world.shard->figures().Get("audited");
  for (int i = 0; i < 100; ++i) world.Step();  // 2 s
  EXPECT_GT(world.shard->figures().Get("audited"), before + 150);
  EXPECT_LT(world.shard->figures().Get("audited"), before + 300);
  while (world.audit->active()) world.Step();
  EXPECT_GT(world.now_ms, began_ms + 15000);  // the replica's keys are looked up, too
  EXPECT_EQ(world.shard->figures().Get("audits"), 1u);
  EXPECT_EQ(world.shard->figures().Get("audit_repaired"), 1u);
  EXPECT_TRUE(world.Equal());
  // The next round comes after the interval.
  const uint64_t ended_ms = world.now_ms;
  while (!world.audit->active()) world.Step();
  EXPECT_GE(world.now_ms, ended_ms + 4900);
}

TEST(Audit, LargerValuesCountForMoreKeys) {
  World world({.keys_per_s = 1000, .interval_s = 5});
  for (int i = 0; i < 200; ++i)
    world.SetAll("key:" + std::to_string(i), {"string", {"v"}, -1, 400000});
  while (!world.audit->active()) world.Step();
  for (int i = 0; i < 250; ++i) world.Step();  // 5 s, and each value counts as 98 keys
  EXPECT_LT(world.shard->figures().Get("audited"), 130u);
  while (world.audit->active()) world.Step();
  EXPECT_EQ(world.shard->figures().Get("audited"), 200u);
}

TEST(Audit, BackgroundCanBeOff) {
  World world({.interval_s = 0});
  Fill(&world, 5);
  for (int i = 0; i < 5000; ++i) world.Step(1000);
  EXPECT_EQ(world.nodes[0].counts["SCAN"], 0u);
}

TEST(Audit, OneThatIsWantedRunsAtFullSpeedThoughTheBackgroundIsOff) {
  World world({.keys_per_s = 1, .interval_s = 0});
  Fill(&world, 500);
  world.nodes[1].data["key:400"] = String("other");
  world.audit->Want();
  for (int i = 0; i < 100 && world.shard->figures().Get("audits") == 0; ++i) world.Step();
  EXPECT_EQ(world.shard->figures().Get("audits"), 1u);
  EXPECT_TRUE(world.Equal());
  for (int i = 0; i < 100; ++i) world.Step();
  EXPECT_FALSE(world.audit->active()) << "once is enough";
}

TEST(Audit, OneThatIsWantedBeginsAgainIfItCouldNotEnd) {
  World world({.keys_per_s = 1, .interval_s = 0});
  Fill(&world, 500);
  world.nodes[1].data["key:400"] = String("other");
  world.audit->Want();
  world.nodes[0].error = "NOPERM no";
  for (int i = 0; i < 1000 && !world.audit->active(); ++i) world.Step();
  EXPECT_TRUE(world.audit->active());
  for (int i = 0; i < 2000 && world.audit->active(); ++i) world.Step();
  world.nodes[0].error.clear();
  for (int i = 0; i < 2000 && world.shard->figures().Get("audits") == 0; ++i) world.Step();
  EXPECT_EQ(world.shard->figures().Get("audits"), 1u);
  EXPECT_TRUE(world.Equal());
}

TEST(Audit, OneThatIsWantedLeavesNoKeyOpenThatACopySaidNothingOf) {
  World world({.keys_per_s = 1, .interval_s = 0});
  Fill(&world, 500);
  world.nodes[1].data["key:400"] = String("other");
  world.audit->Want();
  world.on_command = [&](uint32_t copy, const Words& words) {
    // Whatever it is asked but to scan.
    world.nodes[1].error = words[0] == "SCAN" || copy == 0 ? "" : "BUSY a script runs";
    return true;
  };
  for (int i = 0; i < 1000 && world.shard->figures().Get("audits") == 0; ++i) world.Step();
  EXPECT_EQ(world.shard->figures().Get("audits"), 1u);
  EXPECT_FALSE(world.Equal());
  EXPECT_TRUE(world.audit->wanted());
  world.on_command = nullptr;
  world.nodes[1].error.clear();
  for (int i = 0; i < 1000 && world.audit->wanted(); ++i) world.Step();
  EXPECT_TRUE(world.Equal());
  // Where it never says anything, it is not asked for ever.
  world.audit->Want();
  world.on_command = [&](uint32_t copy, const Words& words) {
    world.nodes[1].error = words[0] == "SCAN" || copy == 0 ? "" : "BUSY a script runs";
    return true;
  };
  for (int i = 0; i < 100000 && world.audit->wanted(); ++i) world.Step();
  EXPECT_FALSE(world.audit->wanted());
}

TEST(Audit, ARequestEndsABackgroundRound) {
  World world({.keys_per_s = 10, .interval_s = 1});
  Fill(&world, 300);
  while (world.shard->figures().Get("audited") == 0) world.Step();
  const uint64_t began_ms = world.now_ms;
  const Report report = world.Run();
  EXPECT_EQ(report["compared"], 300);
  EXPECT_LT(world.now_ms, began_ms + 5000);
}

TEST(Audit, WhoAsksDuringARoundGetsOneOfHisOwn) {
  World world;
  Fill(&world, 100);
  World::Asked* second = nullptr;
  world.on_command = [&](uint32_t copy, const Words& words) {
    // When all is compared but for this key.
    if (copy == 0 && words[0] == "SCAN" && words[1] != "0" && second == nullptr) {
      second = world.Ask();
      world.nodes[1].data["key:0"] = String("other");
    }
    return true;
  };
  EXPECT_EQ(world.Run()["differences"], 0);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(world.Await(second)["differences"], 1);
}

TEST(Audit, AnswersAllWhenItStops) {
  World world;
  Fill(&world, 10);
  World::Asked* first = world.Ask();
  world.on_command = [&](uint32_t, const Words& words) { return words[0] != "SCAN"; };
  world.Step();
  EXPECT_TRUE(world.audit->active());
  World::Asked* second = world.Ask();
  world.audit->Stop();
  EXPECT_EQ(World::Parse(first->told).result(), "ended early: gemel is being stopped");
  EXPECT_EQ(World::Parse(second->told).error, "ERR gemel is being stopped");
  EXPECT_EQ(World::Parse(world.Ask()->told).error, "ERR gemel is being stopped");
}

TEST(Audit, HowManyMayWaitIsBounded) {
  World world;
  world.shard->ports().resync.Pause([] {});
  for (int i = 0; i < 64; ++i) EXPECT_EQ(world.Ask()->told, "");
  EXPECT_TRUE(world.Ask()->told.starts_with("-TRYAGAIN shard 'a'"));
}

TEST(Audit, TheLogDoesNotNameEveryKey) {
  World world;
  Fill(&world, 500);
  world.nodes[1].data.clear();
  const Report report = world.Run();
  EXPECT_EQ(report["differences"], 500);
  EXPECT_EQ(report["repaired"], 500);
  EXPECT_TRUE(world.Equal());
  EXPECT_LT(std::count(world.notes.begin(), world.notes.end(), '\n'), 30);
  EXPECT_NE(world.notes.find("500 differed, 500 repaired"), std::string::npos) << world.notes;
}

TEST(PrintableKey, IsOneShortLine) {
  EXPECT_EQ(PrintableKey("user:1"), "\"user:1\"");
  EXPECT_EQ(PrintableKey(std::string_view("a\0\n\"\\\xff", 6)), "\"a\\x00\\x0a\\\"\\\\\\xff\"");
  EXPECT_EQ(PrintableKey(std::string(100, 'k')), "\"" + std::string(64, 'k') + "\"... (100 bytes)");
}

}  // namespace
}  // namespace gemel::audit_test::audit_test

// What is shown of a resync, and how many may run.

#include "backend/resync/resync_progress.h"

#include <gtest/gtest.h>

#include <string>

#include "backend/resync/replication_info.h"
#include "backend/resync/resync_board.h"

namespace gemel::resync_progress_test {
namespace {

TEST(ResyncProgress, BytesForPeople) {
  EXPECT_EQ(BytesText(0), "0 bytes");
  EXPECT_EQ(BytesText(1023), "1023 bytes");
  EXPECT_EQ(BytesText(1536), "1.5 KB");
  EXPECT_EQ(BytesText(int64_t{45} << 20), "45.0 MB");
  EXPECT_EQ(BytesText(int64_t{3} << 40), "3.0 TB");
  EXPECT_EQ(BytesText(int64_t{5000} << 40), "5000.0 TB");
}

TEST(ResyncProgress, KnownTotal) {
  ProgressMeter meter;
  meter.Enter("copying", 1000);
  meter.See(0, 10 << 20, -1, 1000);
  EXPECT_EQ(ProgressText(meter.progress()), "0 bytes of 10.0 MB, 0 %");
  meter.See(1 << 20, 10 << 20, -1, 2000);
  EXPECT_EQ(ProgressText(meter.progress()), "1.0 MB of 10.0 MB, 10 %, 1.0 MB/s, 9 s left");
  meter.See(4 << 20, 10 << 20, -1, 3000);
  EXPECT_EQ(meter.progress().rate, 2 << 20) << "the last seconds count most";
  EXPECT_EQ(meter.progress().left_s, 3);
  meter.See(10 << 20, 10 << 20, -1, 4000);
  EXPECT_EQ(meter.progress().percent, 100);
  EXPECT_EQ(meter.progress().left_s, 0);
}

TEST(ResyncProgress, UnknownTotal) {
  ProgressMeter meter;
  meter.Enter("copying", 0);
  EXPECT_EQ(ProgressText(meter.progress()), "");
  meter.See(-1, -1, -1, 0);
  EXPECT_EQ(ProgressText(meter.progress()), "");
  meter.See(2 << 20, 0, -1, 2000);
  EXPECT_EQ(ProgressText(meter.progress()), "2.0 MB, 1.0 MB/s");
  meter.See(4 << 20, 0, 0.25, 4000);
  EXPECT_EQ(ProgressText(meter.progress()), "4.0 MB, 25 %, 1.0 MB/s, 13 s left");
}

TEST(ResyncProgress, StrangeNumbers) {
  ProgressMeter meter;
  meter.Enter("copying", 0);
  meter.See(50, 10, -1, 0);  // more than all
  EXPECT_EQ(meter.progress().percent, 100);
  meter.See(20, -5, 7, 5000);  // fewer than before: it began anew
  EXPECT_EQ(meter.progress().percent, 100);
  EXPECT_EQ(meter.progress().bytes, 20);
  EXPECT_EQ(meter.progress().rate, 0);
}

TEST(ResyncProgress, NextPhaseBeginsAnew) {
  ProgressMeter meter;
  meter.Enter("copying", 0);
  meter.See(100, 100, -1, 1000);
  meter.Enter("copying", 2000);
  EXPECT_EQ(meter.progress().bytes, 100);
  meter.Enter("loading", 3000);
  EXPECT_EQ(meter.progress().bytes, 0);
  EXPECT_EQ(meter.progress().percent, -1);
  EXPECT_EQ(meter.progress().rate, 0);
}

TEST(ResyncProgress, LinesForTheLog) {
  ProgressMeter meter;
  meter.Enter("copying", 0);
  std::string lines;
  for (int tenth = 0; tenth <= 1000; ++tenth) {  // 100 s
    const uint64_t now_ms = static_cast<uint64_t>(tenth) * 100;
    meter.See(tenth, 1000, -1, now_ms);
    if (meter.TakeLine(now_ms)) lines += std::to_string(meter.progress().percent) + " ";
  }
  EXPECT_EQ(lines, "10 20 30 40 50 60 70 80 90 100 ");
  // One that is done in a moment says nothing on the way.
  ProgressMeter fast;
  fast.Enter("copying", 0);
  for (uint64_t now_ms = 0; now_ms < 400; now_ms += 40) {
    fast.See(static_cast<int64_t>(now_ms), 400, -1, now_ms);
    EXPECT_FALSE(fast.TakeLine(now_ms));
  }
  // One whose end is not known speaks every ten seconds.
  ProgressMeter unknown;
  unknown.Enter("copying", 0);
  int count = 0;
  for (uint64_t now_ms = 0; now_ms <= 60000; now_ms += 100) {
    unknown.See(static_cast<int64_t>(now_ms), -1, -1, now_ms);
    count += unknown.TakeLine(now_ms) ? 1 : 0;
  }
  EXPECT_EQ(count, 6);
}

TEST(ReplicationInfo, Replica) {
  const ReplicationInfo info = ParseReplicationInfo(
      "# Persistence\r\nloading:1\r\nloading_total_bytes:200\r\nloading_loaded_bytes:50\r\n"
      "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:7000\r\n"
      "master_link_status:down\r\nmaster_sync_in_progress:1\r\nslave_repl_offset:7\r\n"
      "master_sync_total_bytes:-1\r\nmaster_sync_read_bytes:12\r\nslave_read_only:0\r\n"
      "master_replid:abc\r\nmaster_replid2:0000\r\ngarbage\r\n:\r\n");
  EXPECT_TRUE(info.is_replica);
  EXPECT_FALSE(info.link_up);
  EXPECT_TRUE(info.syncing);
  EXPECT_FALSE(info.read_only);
  EXPECT_TRUE(info.loading);
  EXPECT_EQ(info.host, "10.0.0.1");
  EXPECT_EQ(info.port, "7000");
  EXPECT_EQ(info.copy_offset, 7);
  EXPECT_EQ(info.master_offset, -1);
  EXPECT_EQ(info.sync_total, -1);
  EXPECT_EQ(info.sync_read, 12);
  EXPECT_EQ(info.loaded, 50);
  EXPECT_EQ(info.load_total, 200);
  EXPECT_EQ(info.replid, "abc");
  EXPECT_EQ(info.replid2, "");
}

TEST(ResyncBoard, LimitsAndShows) {
  ResyncBoard board(2);
  std::string why;
  auto a = board.Take("a", "n1", "n2", true, &why);
  ASSERT_NE(a, nullptr);
  auto b = board.Take("b", "n3", "n4", true, &why);
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(board.Take("c", "n5", "n6", true, &why), nullptr);
  EXPECT_EQ(why, "as many as may copy already (max_parallel)");
  // To hand over is no burden.
  EXPECT_NE(board.Take("c", "n5", "n6", false, &why), nullptr);
  ResyncProgress progress;
  progress.phase = "loading";
  progress.percent = 40;
  b->Show(progress);
  ASSERT_EQ(board.running().size(), 2U);
  EXPECT_EQ(board.running()[1].shard, "b");
  EXPECT_EQ(board.running()[1].source, "n3");
  EXPECT_EQ(board.running()[1].copy, "n4");
  EXPECT_EQ(board.running()[1].progress.percent, 40);
  a->Paused(30);
  a->Done();
  a.reset();
  b->Paused(50);  // given up
  b->Paused(20);
  b->Done();
  b.reset();
  auto c = board.Take("c", "n5", "n6", true, &why);
  EXPECT_NE(c, nullptr);
  c.reset();
  EXPECT_TRUE(board.running().empty());
  EXPECT_EQ(board.totals().done, 2U);
  EXPECT_EQ(board.totals().put_off, 2U);
  EXPECT_EQ(board.totals().last_pause_ms, 20U);
  EXPECT_EQ(board.totals().longest_pause_ms, 50U);
  EXPECT_EQ(board.totals().pauses, 3U);
}

TEST(ResyncBoard, OneAtATimeOnANode) {
  ResyncBoard board(10);
  std::string why;
  const auto a = board.Take("a", "n1", "n2", true, &why);
  // Two shards on one server, each with its own database.
  EXPECT_EQ(board.Take("b", "n1", "n3", true, &why), nullptr);
  EXPECT_EQ(why, "n1 has a part in the resync of shard 'a'");
  EXPECT_EQ(board.Take("b", "n3", "n2", true, &why), nullptr);
  EXPECT_EQ(board.Take("b", "n2", "n3", true, &why), nullptr);
  EXPECT_NE(board.Take("b", "n3", "n4", true, &why), nullptr);
}

}  // namespace
}  // namespace gemel::resync_progress_test

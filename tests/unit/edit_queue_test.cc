// EditQueue: every done once and in order, whatever the disk does in between.

#include "backend/topology/edit_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/rounds.h"

namespace gemel::edit_queue_test {
namespace {

std::shared_ptr<const Topology> Pair() {
  std::string error;
  auto topology = InitialTopology({{"s", {"a", "b"}}}, nullptr, &error);
  topology = Apply(*topology, {EditKind::kMarkInSync, "s", "b", "run", ""}, &error);
  return std::make_shared<const Topology>(*topology);
}

Edit Stale(const std::string& node) { return {EditKind::kMarkStale, "s", node, "", "why"}; }
Edit InSync(const std::string& node) { return {EditKind::kMarkInSync, "s", node, "run", ""}; }
Edit Promote(const std::string& node) { return {EditKind::kPromote, "s", node, "", "why"}; }

class Recorder {
 public:
  EditDone Next() {
    return [this, id = given_++](const EditResult& result) {
      ids.push_back(id);
      results.push_back(result);
    };
  }

  static void Run(const std::vector<EditQueue::Finished>& finished) {
    for (const auto& f : finished) f.done(f.result);
  }

  std::vector<int> ids;
  std::vector<EditResult> results;

 private:
  int given_ = 0;
};

TEST(EditQueue, EmptyHasNothingToDo) {
  EditQueue queue(Pair());
  std::vector<EditQueue::Finished> finished;
  EXPECT_EQ(queue.BeginWrite(), nullptr);
  EXPECT_FALSE(queue.NeedsEnd());
  EXPECT_TRUE(queue.idle());
  queue.EndWrite(true, "", &finished);  // no batch: nothing happens
  EXPECT_TRUE(finished.empty());
}

TEST(EditQueue, AnEditTakesEffectOnlyWhenItIsDurable) {
  const auto initial = Pair();
  EditQueue queue(initial);
  Recorder recorder;
  queue.Add(Stale("b"), recorder.Next());
  EXPECT_FALSE(queue.idle());
  const auto next = queue.BeginWrite();
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->epoch, initial->epoch + 1);
  EXPECT_EQ(queue.current(), initial);
  EXPECT_FALSE(queue.NeedsEnd());
  EXPECT_FALSE(queue.idle());
  std::vector<EditQueue::Finished> finished;
  queue.EndWrite(true, "", &finished);
  EXPECT_EQ(queue.current(), next);
  EXPECT_TRUE(queue.idle());
  EXPECT_TRUE(recorder.ids.empty());
  Recorder::Run(finished);
  ASSERT_EQ(recorder.ids, std::vector<int>{0});
  EXPECT_TRUE(recorder.results[0].ok);
  EXPECT_EQ(recorder.results[0].topology, next);
}

TEST(EditQueue, EditsDuringAWriteGoWithTheNextTogether) {
  EditQueue queue(Pair());
  Recorder recorder;
  std::vector<EditQueue::Finished> finished;
  queue.Add(Stale("b"), recorder.Next());
  ASSERT_NE(queue.BeginWrite(), nullptr);
  queue.Add(InSync("b"), recorder.Next());
  queue.Add(Promote("b"), recorder.Next());
  EXPECT_EQ(queue.BeginWrite(), nullptr) << "one write at a time";
  EXPECT_FALSE(queue.NeedsEnd());
  EXPECT_EQ(queue.waiting(), 3U);
  queue.EndWrite(true, "", &finished);
  EXPECT_EQ(finished.size(), 1U);
  const auto next = queue.BeginWrite();
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->shards[0].primary, 1U);
  queue.EndWrite(true, "", &finished);
  Recorder::Run(finished);
  EXPECT_EQ(recorder.ids, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(recorder.results[1].topology, next);
  EXPECT_EQ(recorder.results[2].topology, next);
  EXPECT_EQ(queue.waiting(), 0U);
}

TEST(EditQueue, AnIllegalEditIsRefusedAlone) {
  EditQueue queue(Pair());
  Recorder recorder;
  std::vector<EditQueue::Finished> finished;
  queue.Add(Stale("a"), recorder.Next());
  queue.Add(Stale("b"), recorder.Next());
  queue.Add(Promote("b"), recorder.Next());  // legal before the edit ahead of it, not after
  ASSERT_NE(queue.BeginWrite(), nullptr);
  queue.EndWrite(true, "", &finished);
  Recorder::Run(finished);
  ASSERT_EQ(recorder.ids, (std::vector<int>{0, 1, 2}));
  EXPECT_FALSE(recorder.results[0].ok);
  EXPECT_FALSE(recorder.results[0].error.empty());
  EXPECT_TRUE(recorder.results[1].ok);
  EXPECT_TRUE(recorder.results[1].error.empty());
  EXPECT_FALSE(recorder.results[2].ok);
  for (const EditResult& result : recorder.results) EXPECT_EQ(result.topology, queue.current());
}

TEST(EditQueue, NothingToWriteStillGivesResults) {
  const auto initial = Pair();
  EditQueue queue(initial);
  Recorder recorder;
  std::vector<EditQueue::Finished> finished;
  queue.Add(InSync("b"), recorder.Next());  // it is
  queue.Add(Stale("a"), recorder.Next());   // refused
  EXPECT_EQ(queue.BeginWrite(), nullptr);
  EXPECT_TRUE(queue.NeedsEnd());
  queue.EndWrite(true, "", &finished);
  EXPECT_FALSE(queue.NeedsEnd());
  Recorder::Run(finished);
  ASSERT_EQ(recorder.ids, (std::vector<int>{0, 1}));
  EXPECT_TRUE(recorder.results[0].ok);
  EXPECT_FALSE(recorder.results[1].ok);
  EXPECT_EQ(queue.current(), initial);
}

TEST(EditQueue, AFailedWriteFailsTheWholeBatch) {
  const auto initial = Pair();
  EditQueue queue(initial);
  Recorder recorder;
  std::vector<EditQueue::Finished> finished;
  queue.Add(Stale("b"), recorder.Next());
  queue.Add(Promote("b"), recorder.Next());
  ASSERT_NE(queue.BeginWrite(), nullptr);
  queue.EndWrite(false, "no space", &finished);
  Recorder::Run(finished);
  ASSERT_EQ(recorder.ids, (std::vector<int>{0, 1}));
  for (const EditResult& result : recorder.results) {
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.error, "no space");
    EXPECT_EQ(result.topology, initial);
  }
  EXPECT_EQ(queue.current(), initial);
  // Not poisoned: the same edit goes through once the disk does.
  queue.Add(Stale("b"), recorder.Next());
  ASSERT_NE(queue.BeginWrite(), nullptr);
  finished.clear();
  queue.EndWrite(true, "", &finished);
  EXPECT_TRUE(finished[0].result.ok);
}

TEST(EditQueue, DoneMayAddEdits) {
  EditQueue queue(Pair());
  int second = 0;
  queue.Add(Stale("b"), [&](const EditResult&) {
    queue.Add(InSync("b"), [&](const EditResult& result) { second += result.ok ? 1 : 100; });
  });
  for (int round = 0; round < 2; ++round) {
    ASSERT_NE(queue.BeginWrite(), nullptr);
    std::vector<EditQueue::Finished> finished;
    queue.EndWrite(true, "", &finished);
    Recorder::Run(finished);
  }
  EXPECT_EQ(second, 1);
  EXPECT_TRUE(queue.idle());
}

// Closes it, and runs it until that is told.
EditResult Closed(EditQueue* queue, bool clean, bool ok = true) {
  std::optional<EditResult> closed;
  queue->Close(clean, [&](const EditResult& result) { closed = result; });
  while (!queue->idle()) {
    EXPECT_FALSE(queue->closed());
    queue->BeginWrite();
    std::vector<EditQueue::Finished> finished;
    queue->EndWrite(ok, ok ? "" : "the disk is full", &finished);
    Recorder::Run(finished);
  }
  EXPECT_TRUE(queue->closed());
  EXPECT_TRUE(closed);
  return closed.value_or(EditResult());
}

TEST(EditQueue, CloseIsTheLastAndALateEditIsRefused) {
  for (const bool clean : {true, false}) {
    Topology initial = *Pair();
    initial.clean = false;
    EditQueue queue(std::make_shared<const Topology>(initial));
    Recorder recorder;
    queue.Add(Stale("b"), recorder.Next());
    const EditResult closed = Closed(&queue, clean);
    EXPECT_TRUE(closed.ok) << closed.error;
    EXPECT_EQ(closed.topology->clean, clean);
    ASSERT_EQ(recorder.results.size(), 1U);
    EXPECT_TRUE(recorder.results[0].ok);
    EXPECT_FALSE(recorder.results[0].topology->clean) << "answered before the end";
    queue.Add(InSync("b"), recorder.Next());
    EXPECT_EQ(queue.BeginWrite(), nullptr);
    ASSERT_TRUE(queue.NeedsEnd());
    std::vector<EditQueue::Finished> finished;
    queue.EndWrite(true, "", &finished);
    Recorder::Run(finished);
    EXPECT_FALSE(recorder.results[1].ok);
    EXPECT_EQ(recorder.results[1].error, kCoordinatorClosed);
    EXPECT_EQ(recorder.results[1].topology, closed.topology);
  }
}

TEST(EditQueue, CloseOnADiskThatFailsIsNotClean) {
  Topology initial = *Pair();
  initial.clean = false;
  EditQueue queue(std::make_shared<const Topology>(initial));
  const EditResult closed = Closed(&queue, true, false);
  EXPECT_FALSE(closed.ok);
  EXPECT_EQ(closed.error, "the disk is full");
  EXPECT_FALSE(closed.topology->clean);
}

TEST(FrontWatchers, EachIsToldOnceOfAnEpochAndMayComeAndGoMeanwhile) {
  FrontWatchers watchers;
  std::string told;
  const auto tell = [&](uint64_t epoch) {
    auto topology = std::make_shared<Topology>();
    topology->epoch = epoch;
    watchers.Tell(topology);
  };
  const auto note = [&](const std::string& name) {
    return [&told, name](const std::shared_ptr<const Topology>& topology) {
      told += name + std::to_string(topology->epoch) + " ";
    };
  };
  watchers.Add(5, note("a"));
  const uint64_t b = watchers.Add(7, note("b"));
  tell(5);
  EXPECT_EQ(told, "");
  tell(6);
  tell(6);
  tell(5);  // it was overtaken
  EXPECT_EQ(told, "a6 ");
  uint64_t c = 0;
  c = watchers.Add(6, [&](const std::shared_ptr<const Topology>& topology) {
    told += "c" + std::to_string(topology->epoch) + " ";
    watchers.Remove(b);
    watchers.Remove(c);
    watchers.Add(topology->epoch, note("d"));
  });
  tell(8);
  tell(9);
  EXPECT_EQ(told, "a6 a8 b8 c8 a9 d9 ");
}

TEST(SoleLease, EveryShardForEverAndAHigherEpochWithEachStart) {
  std::string error;
  Topology topology = *Pair();
  uint64_t epoch = 0;
  for (int start = 0; start < 4; ++start) {
    const auto initial = InitialTopology({{"s", {"a", "b"}}}, &topology, &error);
    ASSERT_TRUE(initial) << error;
    const ShardLease lease = SoleLease(*initial, "s", LeaseEpochOf(*initial));
    EXPECT_TRUE(lease.mine);
    EXPECT_EQ(lease.until_ms, ShardLease::kForEver);
    EXPECT_GT(lease.epoch, epoch);
    epoch = lease.epoch;
    EXPECT_FALSE(SoleLease(*initial, "t", epoch).mine);
    topology = *Apply(*initial, {EditKind::kOpen, "", "", "", ""}, &error);
    if (start % 2 == 0) topology = *Apply(topology, {EditKind::kClose, "", "", "", ""}, &error);
  }
}

// Random proposals, writes and failures. The disk is the last snapshot written; a replay of the
// edits that were answered with ok must give exactly it.
void RandomRun(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto initial = Pair();
  EditQueue queue(initial);
  std::shared_ptr<const Topology> disk = initial;
  std::shared_ptr<const Topology> writing;
  std::vector<Edit> edits;
  std::vector<size_t> answered;
  std::vector<EditResult> results;
  const auto end = [&](bool ok) {
    std::vector<EditQueue::Finished> finished;
    const auto before = queue.current();
    if (ok && writing) disk = writing;
    writing = nullptr;
    queue.EndWrite(ok, "disk", &finished);
    ASSERT_EQ(queue.current(), ok ? disk : before);
    for (auto& f : finished) f.done(f.result);
  };
  for (int step = 0; step < 200 || !queue.idle(); ++step) {
    const uint64_t dice = random() % 4;
    if (dice < 2 && step < 200) {
      edits.push_back({static_cast<EditKind>(random() % 7), random() % 10 == 0 ? "t" : "s",
                       random() % 2 == 0 ? "a" : "b", "run" + std::to_string(random() % 2), "why"});
      queue.Add(edits.back(), [&, id = edits.size() - 1](const EditResult& result) {
        answered.push_back(id);
        results.push_back(result);
      });
    } else if (dice == 2) {
      const auto next = queue.BeginWrite();
      if (next) {
        ASSERT_EQ(writing, nullptr);
        ASSERT_GT(next->epoch, disk->epoch);
        writing = next;
      } else if (queue.NeedsEnd()) {
        ASSERT_NO_FATAL_FAILURE(end(true));
      }
    } else if (writing) {
      ASSERT_NO_FATAL_FAILURE(end(random() % 3 != 0));
    }
  }
  ASSERT_EQ(answered.size(), edits.size());
  Topology replay = *initial;
  for (size_t i = 0; i < answered.size(); ++i) {
    ASSERT_EQ(answered[i], i);
    ASSERT_EQ(results[i].ok, results[i].error.empty());
    ASSERT_NE(results[i].topology, nullptr);
    if (i > 0) {
      ASSERT_GE(results[i].topology->epoch, results[i - 1].topology->epoch);
    }
    if (!results[i].ok) continue;
    std::string error;
    const std::optional<Topology> next = Apply(replay, edits[i], &error);
    ASSERT_TRUE(next) << error;
    replay = *next;
  }
  ASSERT_EQ(replay, *queue.current());
  ASSERT_EQ(replay, *disk);
}

TEST(EditQueue, RandomRunsAnswerEachEditOnceAndInOrder) {
  for (uint64_t seed = 1; seed <= Rounds(150); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(RandomRun(seed));
  }
}

}  // namespace
}  // namespace gemel::edit_queue_test

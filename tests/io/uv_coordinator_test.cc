// The coordinator of all workers: durable, in order, on the right thread, and never in the loop's
// way.

#include "backend/uv/uv_coordinator.h"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/child_process.h"
#include "tests/io/loop_fixture.h"

namespace gemel {
namespace {

// A disk that can be slow or broken.
class TestFile : public StateFile {
 public:
  explicit TestFile(std::atomic<int>* delay_ms, std::atomic<bool>* broken)
      : delay_ms_(delay_ms), broken_(broken) {}

 protected:
  int Sync(int fd) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(*delay_ms_));
    if (*broken_) {
      errno = EIO;
      return -1;
    }
    return StateFile::Sync(fd);
  }

 private:
  std::atomic<int>* delay_ms_;
  std::atomic<bool>* broken_;
};

Topology Pairs(int shards) {
  std::vector<ShardMembers> members;
  for (int i = 0; i < shards; ++i) {
    const std::string name = "s" + std::to_string(i);
    members.push_back({name, {name + "-a", name + "-b"}});
  }
  std::string error;
  Topology topology = *InitialTopology(members, nullptr, &error);
  for (const ShardMembers& shard : members) {
    topology =
        *Apply(topology, {EditKind::kMarkInSync, shard.name, shard.nodes[1], "run", ""}, &error);
  }
  topology.clean = false;
  return topology;
}

Edit Stale(const std::string& shard) {
  return {EditKind::kMarkStale, shard, shard + "-b", "", "why"};
}
Edit InSync(const std::string& shard) {
  return {EditKind::kMarkInSync, shard, shard + "-b", "run", ""};
}

class UvCoordinatorTest : public LoopTest {
 protected:
  void Make(int shards = 1, size_t max_waiting = UvCoordinator::kMaxWaiting) {
    auto file = std::make_unique<TestFile>(&delay_ms_, &broken_);
    std::string error;
    ASSERT_TRUE(file->Open(folder_.path(), &error)) << error;
    coordinator_ = std::make_unique<UvCoordinator>(
        &loop_, std::move(file), std::make_shared<const Topology>(Pairs(shards)), max_waiting);
    front_ = coordinator_->FrontFor(Post());
  }

  // To this thread: run by Turn.
  UvCoordinator::PostBack Post() {
    return [this](std::function<void()> closure) { posted_.push_back(std::move(closure)); };
  }

  EditDone Keep() {
    return [this](const EditResult& result) { results_.push_back(result); };
  }

  bool TurnUntil(const std::function<bool()>& condition) {
    return RunUntil([&] {
      while (!posted_.empty()) {
        const std::function<void()> closure = std::move(posted_.front());
        posted_.pop_front();
        closure();
      }
      return condition();
    });
  }

  EditResult Close(bool clean) {
    std::optional<EditResult> closed;
    coordinator_->Close(clean, [&](const EditResult& result) {
      EXPECT_FALSE(closed.has_value());
      closed = result;
    });
    EXPECT_FALSE(closed.has_value()) << "called back inside Close";
    EXPECT_TRUE(TurnUntil([&] { return closed.has_value(); }));
    return closed.value_or(EditResult());
  }

  // What a restart would find.
  std::optional<Topology> OnDisk() {
    StateFile file;
    std::string error;
    EXPECT_TRUE(file.Open(folder_.path(), &error)) << error;
    Topology topology;
    if (file.Read(&topology, &error) != StateFile::ReadResult::kFound) return std::nullopt;
    return topology;
  }

  e2e::TempFolder folder_;
  std::atomic<int> delay_ms_{0};
  std::atomic<bool> broken_{false};
  std::deque<std::function<void()>> posted_;
  std::vector<EditResult> results_;
  std::unique_ptr<UvCoordinator> coordinator_;
  std::unique_ptr<Coordinator> front_;
};

TEST_F(UvCoordinatorTest, EditIsDurableBeforeItIsAnswered) {
  Make();
  front_->Propose(Stale("s0"), Keep());
  EXPECT_TRUE(results_.empty()) << "called back inside Propose";
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 1; }));
  EXPECT_TRUE(results_[0].ok) << results_[0].error;
  EXPECT_EQ(results_[0].topology->shards[0].copies[1].state, CopyState::kStale);
  EXPECT_EQ(coordinator_->current(), results_[0].topology);
  coordinator_.reset();
  const auto disk = OnDisk();
  ASSERT_TRUE(disk.has_value());
  EXPECT_EQ(*disk, *results_[0].topology);
}

TEST_F(UvCoordinatorTest, IllegalEditIsRefusedAndOthersGoOn) {
  Make();
  front_->Propose({EditKind::kMarkStale, "s0", "s0-a", "", "why"}, Keep());
  front_->Propose({EditKind::kMarkStale, "none", "s0-a", "", "why"}, Keep());
  front_->Propose(Stale("s0"), Keep());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 3; }));
  EXPECT_FALSE(results_[0].ok);
  EXPECT_FALSE(results_[1].ok);
  EXPECT_TRUE(results_[2].ok);
}

TEST_F(UvCoordinatorTest, CloseMarksTheStateCleanOnlyWhenAskedTo) {
  for (const bool clean : {true, false}) {
    Make();
    front_->Propose(Stale("s0"), Keep());
    const EditResult closed = Close(clean);
    EXPECT_TRUE(closed.ok) << closed.error;
    EXPECT_EQ(closed.topology->clean, clean);
    ASSERT_TRUE(TurnUntil([&] { return results_.size() == 1; })) << "what waited was answered";
    EXPECT_TRUE(results_[0].ok);
    results_.clear();
    // The folder's lock is free already, though the coordinator and its front still live.
    const auto disk = OnDisk();
    ASSERT_TRUE(disk.has_value());
    EXPECT_EQ(disk->clean, clean);
  }
}

TEST_F(UvCoordinatorTest, CloseWithNothingEverProposed) {
  Make();
  EXPECT_TRUE(Close(false).ok);
  EXPECT_FALSE(OnDisk().has_value());
}

TEST_F(UvCoordinatorTest, ProposalsAfterCloseAreRefused) {
  Make();
  delay_ms_ = 50;
  front_->Propose(Stale("s0"), Keep());
  RunFor(5);  // the write is under way
  coordinator_->Close(true, [this](const EditResult& result) { results_.push_back(result); });
  front_->Propose(InSync("s0"), Keep());
  EXPECT_TRUE(results_.empty());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 3; }));
  EXPECT_FALSE(results_[0].ok) << "refused at once";
  EXPECT_TRUE(results_[1].ok);
  EXPECT_TRUE(results_[2].topology->clean);
  coordinator_.reset();
  front_->Propose(InSync("s0"), Keep());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 4; }));
  EXPECT_FALSE(results_[3].ok);
  EXPECT_EQ(results_[3].error, "gemel is being stopped");
}

TEST_F(UvCoordinatorTest, BrokenDiskFailsEditsAndTheSnapshotStands) {
  Make();
  const auto before = coordinator_->current();
  broken_ = true;
  front_->Propose(Stale("s0"), Keep());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 1; }));
  EXPECT_FALSE(results_[0].ok);
  EXPECT_FALSE(results_[0].error.empty());
  EXPECT_EQ(results_[0].topology, before);
  EXPECT_EQ(coordinator_->current(), before);
  EXPECT_FALSE(Close(true).ok);
  broken_ = false;
}

TEST_F(UvCoordinatorTest, DiskWorksAgain) {
  Make();
  broken_ = true;
  front_->Propose(Stale("s0"), Keep());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 1; }));
  broken_ = false;
  front_->Propose(Stale("s0"), Keep());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 2; }));
  EXPECT_TRUE(results_[1].ok);
}

TEST_F(UvCoordinatorTest, SlowDiskDoesNotBlockTheLoop) {
  Make();
  delay_ms_ = 300;
  front_->Propose(Stale("s0"), Keep());
  int turns = 0;
  ASSERT_TRUE(TurnUntil([&] {
    ++turns;
    return results_.size() == 1;
  }));
  EXPECT_GT(turns, 10);
}

TEST_F(UvCoordinatorTest, TooManyEditsAreRefused) {
  Make(1, 10);
  delay_ms_ = 50;
  for (int i = 0; i < 15; ++i) front_->Propose(Stale("s0"), Keep());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 15; }));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(results_[i].error, "too many changes of roles wait to be written to disk (10)");
  }
  for (size_t i = 5; i < 15; ++i) EXPECT_TRUE(results_[i].ok);
  front_->Propose(InSync("s0"), Keep());
  ASSERT_TRUE(TurnUntil([&] { return results_.size() == 16; }));
  EXPECT_TRUE(results_[15].ok) << "there is room again";
}

TEST_F(UvCoordinatorTest, DestroyedDuringAWrite) {
  Make();
  delay_ms_ = 50;
  front_->Propose(Stale("s0"), Keep());
  RunFor(10);
  coordinator_.reset();
  RunFor(100);
  EXPECT_TRUE(results_.empty());
  EXPECT_TRUE(posted_.empty());
}

TEST_F(UvCoordinatorTest, DestroyedWithProposalsNotLookedAt) {
  Make();
  front_->Propose(Stale("s0"), Keep());
  coordinator_.reset();
  RunFor(20);
  EXPECT_TRUE(results_.empty());
}

TEST_F(UvCoordinatorTest, AnswerLeadsToTheNextEdit) {
  Make();
  int left = 20;
  EditDone next = [&](const EditResult& result) {
    EXPECT_TRUE(result.ok);
    if (--left > 0) front_->Propose(left % 2 == 0 ? Stale("s0") : InSync("s0"), next);
  };
  front_->Propose(Stale("s0"), next);
  EXPECT_TRUE(TurnUntil([&] { return left == 0; }));
}

// A worker: proposes edits for its own shard, one after the other and some at once, and sees its
// results in order, on its own thread.
class Worker {
 public:
  Worker(UvCoordinator* coordinator, std::string shard)
      : shard_(std::move(shard)),
        front_(coordinator->FrontFor([this](std::function<void()> closure) {
          const std::lock_guard lock(mutex_);
          closures_.push_back(std::move(closure));
          wake_.notify_one();
        })) {}

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  void Join() { thread_.join(); }
  bool ended() const { return ended_; }
  size_t wrong() const { return wrong_; }

 private:
  void Run() {
    const std::thread::id self = std::this_thread::get_id();
    constexpr int kRounds = 30;
    constexpr int kAtOnce = 4;
    // It sees what the others change, too, each epoch once and on its own thread.
    uint64_t seen = 0;
    const uint64_t watch = front_->Watch([&](const std::shared_ptr<const Topology>& topology) {
      if (topology->epoch <= seen || std::this_thread::get_id() != self) ++wrong_;
      seen = topology->epoch;
    });
    for (int round = 0; round < kRounds; ++round) {
      int answered = 0;
      for (int i = 0; i < kAtOnce; ++i) {
        const bool stale = i % 2 == 0;
        front_->Propose(
            stale ? Stale(shard_) : InSync(shard_), [&, i, stale](const EditResult& result) {
              const ShardInfo& info =
                  result.topology->shards[static_cast<size_t>(result.topology->IndexOf(shard_))];
              if (!result.ok || i != answered || std::this_thread::get_id() != self) ++wrong_;
              // The last edit of a batch is what is in effect after it.
              if (i == kAtOnce - 1 && (info.copies[1].state == CopyState::kStale) != stale)
                ++wrong_;
              ++answered;
            });
        if (answered > i) ++wrong_;
      }
      while (answered < kAtOnce) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !closures_.empty(); });
        const std::function<void()> closure = std::move(closures_.front());
        closures_.pop_front();
        lock.unlock();
        closure();
      }
      if (!front_->LeaseOf(shard_).mine || front_->current()->epoch < seen) ++wrong_;
    }
    if (seen == 0) ++wrong_;
    front_->Unwatch(watch);
    ended_ = true;
  }

  const std::string shard_;
  std::unique_ptr<Coordinator> front_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> closures_;
  std::thread thread_;
  std::atomic<size_t> wrong_{0};
  std::atomic<bool> ended_{false};
};

TEST_F(UvCoordinatorTest, ManyThreads) {
  constexpr int kThreads = 4;
  Make(kThreads);
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < kThreads; ++i) {
    workers.push_back(std::make_unique<Worker>(coordinator_.get(), "s" + std::to_string(i)));
  }
  for (const auto& worker : workers) worker->Start();
  EXPECT_TRUE(TurnUntil([&] {
    for (const auto& worker : workers) {
      if (!worker->ended()) return false;
    }
    return true;
  }));
  for (const auto& worker : workers) {
    worker->Join();
    EXPECT_EQ(worker->wrong(), 0U);
  }
  EXPECT_TRUE(Close(true).ok);
  EXPECT_TRUE(OnDisk()->clean);
}

}  // namespace
}  // namespace gemel

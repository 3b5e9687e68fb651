// A worker's shards come and go by their leases, and none is served when these have run out. The
// nodes are never reached: what a shard has it holds.

#include "proxy/worker/uv_worker_fleet.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/resp/resp_writer.h"
#include "backend/uv/uv_stream_group.h"
#include "config/config_load.h"
#include "proxy/dispatch/elsewhere.h"
#include "proxy/worker/uv_worker_shards.h"
#include "tests/io/loop_fixture.h"

namespace gemel::uv_worker_fleet_test {
namespace {

constexpr const char* kConfig = R"(
[[shard]]
name = "a"
primary = "127.0.0.1:1"
[[shard]]
name = "b"
primary = "127.0.0.1:2"
)";

class FakeCoordinator : public Coordinator {
 public:
  explicit FakeCoordinator(std::shared_ptr<const Topology> topology)
      : topology_(std::move(topology)) {}
  void Propose(Edit, EditDone) override {}
  std::shared_ptr<const Topology> current() const override { return topology_; }
  uint64_t Watch(Watcher) override { return 1; }
  void Unwatch(uint64_t) override {}
  ShardLease LeaseOf(std::string_view shard) const override {
    const auto found = leases.find(std::string(shard));
    return found != leases.end() ? found->second : ShardLease{};
  }
  uint64_t LeasesUntilMs() const override { return until_ms; }
  void Give(const std::string& shard, uint64_t epoch, bool clean) override {
    given += shard + " " + std::to_string(epoch) + (clean ? " clean; " : "; ");
  }

  std::map<std::string, ShardLease> leases;
  uint64_t until_ms = 1000;
  std::string given;

 private:
  std::shared_ptr<const Topology> topology_;
};

class FakeElsewhere : public Elsewhere {
 public:
  void Submit(Request* request) override {
    request->OwnFrame();
    held.push_back(request);
  }
  std::vector<Request*> held;
};

class UvWorkerFleetTest : public LoopTest, public ShardEnv, public RequestSink {
 protected:
  UvWorkerFleetTest() {
    ConfigError error;
    config_ = LoadConfigText(kConfig, "/tmp/gemel.toml", &error);
    EXPECT_TRUE(config_) << error.ToString();
    pool_ = std::make_unique<Pool>(config_->pool(), 1);
    Topology topology;
    for (const ShardConfig& shard : config_->pool().shards) {
      ShardInfo& info = topology.shards.emplace_back();
      info.name = shard.name;
      info.copies.push_back({shard.primary.ToString(), CopyState::kInSync, "r", ""});
    }
    coordinator_ =
        std::make_unique<FakeCoordinator>(std::make_shared<const Topology>(std::move(topology)));
    streams_ = std::make_unique<UvStreamGroup>(&loop_);
    links_.streams = streams_.get();
    dispatcher_ = std::make_unique<Dispatcher>(pool_.get(), 0, 1);
    dispatcher_->set_elsewhere(&elsewhere_);
    UvOwnedShard::World world{};
    world.loop = &loop_;
    world.links = &links_;
    world.chunks = &chunks_;
    world.env = this;
    shards_ = std::make_unique<UvWorkerShards>(world, dispatcher_.get(), &stats_, 0);
    shards_->JoinFleet({{},
                        [this](uint32_t slot) {
                          told_ += "home " + std::to_string(slot) + "; ";
                          for (Request* request : std::exchange(elsewhere_.held, {})) {
                            dispatcher_->ComeHome(request);
                          }
                        },
                        [this](const std::string& shard) { told_ += "gone " + shard + "; "; }});
    UvWorkerFleet::World fleet;
    fleet.coordinator = coordinator_.get();
    fleet.shards = shards_.get();
    fleet.serving = [this] { return UvWorkerFleet::Serving{pool_.get(), nullptr}; };
    fleet.now_ms = [this] { return now_ms_; };
    fleet.boot_ms = [this] { return boot_ms_; };
    fleet.note = [this](const std::string& text) { notes_ += text; };
    fleet_.Join(std::move(fleet));
  }
  ~UvWorkerFleetTest() override {
    shards_->Stop();
    links_.dirty.clear();
    shards_->Clear();
  }
  void Own(const std::string& shard, uint64_t epoch, bool leaving = false) {
    ShardLease& lease = coordinator_->leases[shard];
    lease.mine = true;
    lease.epoch = epoch;
    lease.leaving = leaving;
    fleet_.OnLeases();
  }
  void Lose(const std::string& shard) {
    coordinator_->leases[shard].mine = false;
    fleet_.OnLeases();
  }
  Request* Ask(uint16_t slot) {
    Request& request = requests_.emplace_back();
    request.sink = this;
    request.shard = slot;
    request.session = 1;
    request.row = pool_->table().FindByName("get");
    std::string frame;
    AppendCommand(&frame, std::vector<std::string_view>{"GET", "k"});
    request.frame = frame;
    dispatcher_->Submit(&request);
    return &request;
  }
  void Tick() {
    shards_->Tick(now_ms_ += 20);
    fleet_.Tick();
  }
  std::string Told() { return std::exchange(told_, {}); }

  uint64_t NowMs() override { return now_ms_; }
  void Propose(Edit, EditDone) override {}
  void NotHere(Request* request) override { dispatcher_->NotHere(request); }
  void Note(NoteLevel, const std::string&) override {}
  void OnReply(Request* request, const Reply& reply) override {
    dispatcher_->Answered(*request);
    answers_ += reply.bytes;
  }

  std::optional<Config> config_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<FakeCoordinator> coordinator_;
  std::unique_ptr<UvStreamGroup> streams_;
  UvLinkContext links_;
  ChunkPool chunks_;
  WorkerStats stats_;
  FakeElsewhere elsewhere_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<UvWorkerShards> shards_;
  UvWorkerFleet fleet_;
  std::deque<Request> requests_;
  uint64_t now_ms_ = 1000;
  uint64_t boot_ms_ = 500;
  std::string told_;
  std::string notes_;
  std::string answers_;
};

using Requests = std::vector<Request*>;

TEST_F(UvWorkerFleetTest, ShardsComeWithTheirLeases) {
  Request* early = Ask(0);
  EXPECT_EQ(elsewhere_.held, Requests{early});
  Own("a", 3);
  EXPECT_EQ(Told(), "home 0; ");
  ASSERT_EQ(shards_->all().size(), 1u);
  EXPECT_EQ(shards_->all()[0]->lease_epoch(), 3u);
  EXPECT_TRUE(elsewhere_.held.empty()) << "it has come home";
  Ask(0);
  EXPECT_TRUE(elsewhere_.held.empty());
  Request* other = Ask(1);
  EXPECT_EQ(elsewhere_.held, Requests{other});
  fleet_.OnLeases();
  EXPECT_EQ(Told(), "") << "nothing has changed";
  EXPECT_EQ(answers_, "");
}

TEST_F(UvWorkerFleetTest, AShardIsHandedOverWithWhatItHolds) {
  Own("a", 3);
  Request* held = Ask(0);
  Own("a", 3, /*leaving=*/true);
  Request* later = Ask(0);
  EXPECT_EQ(coordinator_->given, "");
  Told();
  Tick();
  EXPECT_EQ(Told(), "gone a; ");
  EXPECT_EQ(coordinator_->given, "a 3 clean; ");
  EXPECT_EQ(elsewhere_.held, (Requests{held, later}));
  EXPECT_TRUE(shards_->all().empty());
  Tick();
  fleet_.OnLeases();
  EXPECT_EQ(coordinator_->given, "a 3 clean; ") << "once";
  Own("a", 5);
  EXPECT_EQ(Told(), "home 0; ");
  EXPECT_TRUE(elsewhere_.held.empty());
}

TEST_F(UvWorkerFleetTest, AHandOverThatIsCalledOffBringsTheShardBack) {
  Own("a", 3);
  Own("a", 3, /*leaving=*/true);
  Own("a", 3);
  Told();
  Tick();
  EXPECT_EQ(Told(), "gone a; home 0; ");
  EXPECT_EQ(coordinator_->given, "");
}

TEST_F(UvWorkerFleetTest, WhatIsNotHereIsGivenAtOnce) {
  Own("a", 3, /*leaving=*/true);
  fleet_.OnLeases();
  EXPECT_EQ(coordinator_->given, "a 3; ");
  EXPECT_EQ(Told(), "");
}

TEST_F(UvWorkerFleetTest, ALostLeaseCutsItsShardOff) {
  Own("a", 3);
  Own("b", 4);
  Request* held = Ask(0);
  Told();
  Lose("a");
  EXPECT_EQ(Told(), "gone a; ");
  EXPECT_EQ(elsewhere_.held, Requests{held});
  EXPECT_EQ(shards_->all().size(), 1u);
  Own("b", 9);
  EXPECT_EQ(Told(), "gone b; home 1; ") << "of another epoch it is another lease";
  EXPECT_EQ(coordinator_->given, "");
}

TEST_F(UvWorkerFleetTest, NothingIsServedOnceTheLeasesHaveRunOut) {
  Own("a", 3);
  Own("b", 4);
  Request* held = Ask(0);
  Told();
  boot_ms_ = 999;
  fleet_.Check();
  EXPECT_EQ(Told(), "");
  boot_ms_ = 1000;
  fleet_.Check();
  EXPECT_EQ(Told(), "gone b; gone a; ");
  EXPECT_EQ(elsewhere_.held, Requests{held});
  EXPECT_NE(notes_.find("have run out"), std::string::npos);
  Tick();
  fleet_.OnLeases();
  EXPECT_EQ(Told(), "") << "they are not renewed";
  coordinator_->until_ms = 2000;
  Tick();
  EXPECT_EQ(Told(), "") << "what was on its way may have reached one copy only";
  EXPECT_EQ(coordinator_->given, "a 3; b 4; ");
  Tick();
  fleet_.OnLeases();
  EXPECT_EQ(coordinator_->given, "a 3; b 4; ") << "once";
  Own("a", 5);
  Own("b", 6);
  EXPECT_EQ(Told(), "home 0; home 1; ");
  EXPECT_EQ(answers_, "");
}

TEST_F(UvWorkerFleetTest, WhatWasCutOffDoesNotBeginAgainInTheSameTurn) {
  Own("a", 3);
  Told();
  Lose("a");
  Own("a", 3);
  EXPECT_EQ(Told(), "gone a; ");
  EXPECT_EQ(coordinator_->given, "a 3; ") << "with its replicas in doubt";
  Own("a", 4);
  EXPECT_EQ(Told(), "home 0; ");
}

}  // namespace
}  // namespace gemel::uv_worker_fleet_test

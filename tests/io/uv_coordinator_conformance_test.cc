// The coordinator of a state file keeps to what any has to.

#include <atomic>
#include <cerrno>
#include <deque>

#include "backend/uv/uv_coordinator.h"
#include "tests/coordinator_conformance.h"
#include "tests/e2e/child_process.h"
#include "tests/io/loop_fixture.h"

namespace gemel::uv_coordinator_conformance_test {
namespace {

class BreakableFile : public StateFile {
 public:
  explicit BreakableFile(const std::atomic<bool>* broken) : broken_(broken) {}

 protected:
  int Sync(int fd) override {
    if (!*broken_) return StateFile::Sync(fd);
    errno = EIO;
    return -1;
  }

 private:
  const std::atomic<bool>* broken_;
};

class Turning : public LoopTest {
 public:
  using LoopTest::loop_;
  using LoopTest::RunUntil;

 private:
  void TestBody() override {}
};

class FileHarness {
 public:
  ~FileHarness() { service_.reset(); }

  void Make(const Topology& initial) {
    auto file = std::make_unique<BreakableFile>(&broken_);
    std::string error;
    EXPECT_TRUE(file->Open(folder_.path(), &error)) << error;
    service_ = std::make_unique<UvCoordinator>(&turning_.loop_, std::move(file),
                                               std::make_shared<const Topology>(initial));
  }
  CoordinatorService* service() { return service_.get(); }
  CoordinatorService::PostBack Post() {
    return [this](std::function<void()> task) { posted_.push_back(std::move(task)); };
  }
  bool TurnUntil(const std::function<bool()>& condition) {
    return turning_.RunUntil([&] {
      while (!posted_.empty()) {
        const std::function<void()> task = std::move(posted_.front());
        posted_.pop_front();
        task();
      }
      return condition();
    });
  }
  void End() { service_.reset(); }
  std::optional<Topology> Kept() {
    std::string error;
    const auto opened = OpenCoordinator(kFileCoordinator, {folder_.path()}, &error);
    EXPECT_NE(opened, nullptr) << error;
    if (opened == nullptr || opened->stored() == nullptr) return std::nullopt;
    return *opened->stored();
  }
  void set_broken(bool broken) { broken_ = broken; }

 private:
  Turning turning_;
  e2e::TempFolder folder_;
  std::atomic<bool> broken_{false};
  std::deque<std::function<void()>> posted_;
  std::unique_ptr<UvCoordinator> service_;
};

TEST(CoordinatorTable, AnUnknownNameIsRefusedBySentence) {
  std::string error;
  EXPECT_EQ(OpenCoordinator("paxos", {"state"}, &error), nullptr);
  EXPECT_EQ(error, "there is no coordinator \"paxos\", only: file");
}

TEST(CoordinatorTable, TheFileThatCannotBeOpenedOrReadSaysWhy) {
  const e2e::TempFolder folder;
  std::string error;
  const auto first = OpenCoordinator(kFileCoordinator, {folder.path()}, &error);
  ASSERT_NE(first, nullptr) << error;
  EXPECT_EQ(first->stored(), nullptr);
  EXPECT_EQ(OpenCoordinator(kFileCoordinator, {folder.path()}, &error), nullptr);
  EXPECT_NE(error.find("is in use by process"), std::string::npos) << error;
}

}  // namespace
}  // namespace gemel::uv_coordinator_conformance_test

namespace gemel::conformance {
using uv_coordinator_conformance_test::FileHarness;
INSTANTIATE_TYPED_TEST_SUITE_P(UvCoordinator, CoordinatorConformance, FileHarness);
}  // namespace gemel::conformance

// Voters of raft and those who ask them, for tests of what happens to them.

#ifndef GEMEL_TESTS_IO_RAFT_FIXTURE_H_
#define GEMEL_TESTS_IO_RAFT_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/io/engine_views.h"
#include "tests/io/raft_voters.h"

namespace gemel::raft_test {

class RaftTest : public ::testing::Test {
 protected:
  using Outcome = RegisterOutcome;

  explicit RaftTest(VotersOptions options = {}) : voters_(options) {}

  void StartAll() {
    for (size_t i = 0; i < voters_.founders().size(); ++i) ASSERT_EQ(voters_.Start(i), "");
    ASSERT_TRUE(engines_test::Ready(&turning_, voters_.Options()));
  }
  std::unique_ptr<Registers> View(uint32_t time_limit_ms = 2000, std::string name = "") {
    if (name.empty()) name = "asker" + std::to_string(++views_);
    EngineOptions options = voters_.Options(name);
    options.time_limit_ms = time_limit_ms;
    return engines_test::Open(&turning_.loop_, options);
  }
  size_t Leader() {
    const size_t none = voters_.addresses().size();
    size_t leader = none;
    EXPECT_TRUE(turning_.RunUntil([&] { return (leader = voters_.Leader()) < none; }));
    return leader;
  }
  // Until it is known; the version.
  uint64_t Put(Registers* view, const std::string& name, const std::string& text) {
    for (int tries = 0; tries < 100; ++tries) {
      const std::optional<RegisterValue> now = engines_test::ReadAtLast(&turning_, view, name);
      if (!now) break;
      if (now->version > 0 && now->text == text) return now->version;
      engines_test::WriteTo(&turning_, view, name, now->version, text);
    }
    ADD_FAILURE() << "cannot be written: " << view->trouble();
    return 0;
  }

  engines_test::Turning turning_;
  Voters voters_;
  int views_ = 0;
};

}  // namespace gemel::raft_test

#endif  // GEMEL_TESTS_IO_RAFT_FIXTURE_H_

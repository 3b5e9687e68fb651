// A world under load whose config file changes.

#ifndef GEMEL_TESTS_E2E_RELOAD_UNDER_LOAD_H_
#define GEMEL_TESTS_E2E_RELOAD_UNDER_LOAD_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/e2e/look.h"
#include "tests/e2e/moving_load.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::reload_test {

// A world under load, which is looked through in the end.
class Reload : public testing::TestWithParam<int> {  // workers
 protected:
  void Begin(ReloadOptions options = {}) {
    options.workers = GetParam();
    world_ = std::make_unique<ReloadWorld>(options);
    load_ = std::make_unique<MovingLoad>(world_->port());
    ASSERT_TRUE(load_->WaitForMore(300));
  }
  // What every test ends with.
  void End() {
    EXPECT_TRUE(load_->WaitForMore(300));
    load_->Stop();
    load_->Verify();
    world_->ExpectCopiesEqual();
  }
  ReloadWorld& world() { return *world_; }
  ConfigFile& file() { return world_->file(); }
  MovingLoad& load() { return *load_; }
  // Changes an option and expects the plan's line for it.
  void Set(const std::string& section, const std::string& key, const std::string& value) {
    file().options[section][key] = value;
    const std::string answer = world().Reload();
    EXPECT_TRUE(Has(answer, section + "." + key + ": ")) << answer;
    EXPECT_TRUE(load().WaitForMore(50));
  }

 private:
  std::unique_ptr<ReloadWorld> world_;
  std::unique_ptr<MovingLoad> load_;
};
}  // namespace gemel::e2e::reload_test

#endif  // GEMEL_TESTS_E2E_RELOAD_UNDER_LOAD_H_

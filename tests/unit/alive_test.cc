// Callbacks of who may be gone.

#include "backend/life/alive.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

namespace gemel {
namespace {

TEST(AliveTest, GuardsCallbacksOfWhoIsGone) {
  std::optional<Alive> alive(std::in_place);
  int calls = 0;
  const std::function<void(int)> call = alive->Guard([&calls](int n) { calls += n; });
  call(2);
  EXPECT_EQ(calls, 2);
  const Alive::Watch watch = alive->watch();
  EXPECT_FALSE(watch.gone());
  alive.reset();
  call(2);
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(watch.gone());
}

TEST(AliveTest, EndsBeforeItsOwner) {
  Alive alive;
  bool called = false;
  const std::function<void()> call = alive.Guard([&called] { called = true; });
  alive.End();
  call();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace gemel

// The stages of a copy: which moves there are, and the masks that follow.

#include "backend/shard/copy_stages.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace gemel::copy_stages_test {
namespace {

constexpr CopyStage kAll[] = {CopyStage::kRemoved, CopyStage::kUnknown, CopyStage::kBehind,
                              CopyStage::kScanned, CopyStage::kJoining, CopyStage::kInSync,
                              CopyStage::kRefused, CopyStage::kUnsure,  CopyStage::kReplaced};
static_assert(std::size(kAll) == kCopyStages);

TEST(CopyStages, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const CopyStage stage : kAll) names.insert(CopyStageName(stage));
  EXPECT_EQ(names.size(), kCopyStages);
}

// Whatever has happened, a copy can leave, and one that left comes back only as one of which
// nothing is known.
TEST(CopyStages, EveryOneCanBeRemovedAndComesBackUnknown) {
  for (const CopyStage stage : kAll) {
    EXPECT_EQ(MayMove(stage, CopyStage::kRemoved), stage != CopyStage::kRemoved);
    EXPECT_EQ(MayMove(CopyStage::kRemoved, stage), stage == CopyStage::kUnknown);
    EXPECT_FALSE(MayMove(stage, stage)) << CopyStageName(stage);
  }
}

// Doubts are of copies in sync, and a copy is sent writes again only from what is known to be
// wrong.
TEST(CopyStages, NoWayAroundTheRepair) {
  for (const CopyStage stage : kAll) {
    if (!IsInSync(stage)) {
      for (const CopyStage doubt :
           {CopyStage::kRefused, CopyStage::kUnsure, CopyStage::kReplaced}) {
        EXPECT_FALSE(MayMove(stage, doubt)) << CopyStageName(stage);
      }
    } else {
      EXPECT_FALSE(MayMove(stage, CopyStage::kJoining)) << CopyStageName(stage);
      EXPECT_FALSE(MayMove(stage, CopyStage::kScanned)) << CopyStageName(stage);
      EXPECT_TRUE(MayMove(stage, CopyStage::kUnknown)) << CopyStageName(stage);
      EXPECT_TRUE(MayMove(stage, CopyStage::kBehind)) << CopyStageName(stage);
    }
  }
  EXPECT_FALSE(MayMove(CopyStage::kUnknown, CopyStage::kJoining));
  EXPECT_FALSE(MayMove(CopyStage::kBehind, CopyStage::kScanned));
}

TEST(CopyStages, MasksFollow) {
  CopyStages stages;
  for (const CopyStage stage : kAll) stages.Add(stage);
  const auto bit = [](CopyStage stage) { return Bit(static_cast<uint32_t>(stage)); };
  EXPECT_EQ(stages.joining(), bit(CopyStage::kScanned) | bit(CopyStage::kJoining));
  EXPECT_EQ(stages.scanned(), bit(CopyStage::kScanned));
  EXPECT_EQ(stages.replaced(), bit(CopyStage::kReplaced));
  EXPECT_EQ(stages.doubtful(),
            bit(CopyStage::kRefused) | bit(CopyStage::kUnsure) | bit(CopyStage::kReplaced));
  EXPECT_EQ(stages.in_sync(), stages.doubtful() | bit(CopyStage::kInSync));
  EXPECT_EQ(stages.targets(), stages.in_sync() | stages.joining());
}

TEST(CopyStages, AMoveWithoutAnEdgeIsTold) {
  CopyStages stages;
  stages.Add(CopyStage::kUnknown);
  stages.Move(0, CopyStage::kUnknown);
  stages.Move(0, CopyStage::kInSync);
  EXPECT_EQ(stages.broken(), "");
  stages.Move(0, CopyStage::kJoining);
  EXPECT_EQ(stages.broken(), "copy 0 went from in sync to joining");
  EXPECT_EQ(stages.of(0), CopyStage::kJoining);
  stages.Move(0, CopyStage::kRemoved);
  EXPECT_EQ(stages.broken(), "copy 0 went from in sync to joining") << "the first is kept";
}

}  // namespace
}  // namespace gemel::copy_stages_test

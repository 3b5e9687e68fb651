// One lookup a name at a time, shared, cached, with back-off.

#include "backend/names/name_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gemel::name_table_test {
namespace {

using Asked = NameTable::Asked;
using Ids = std::vector<uint64_t>;

const NameAnswer kGood{{"127.0.0.1", "::1"}, ""};
const NameAnswer kBad{{}, "no such name"};

class NameTableTest : public testing::Test {
 protected:
  Asked Ask(uint64_t id, uint64_t newer_than_ms, const std::string& host = "a") {
    answer_ = NameAnswer();
    return table_.Ask(host, newer_than_ms, now_ms_, id, &answer_);
  }
  NameTable table_;
  NameAnswer answer_;
  uint64_t now_ms_ = 1000;
};

TEST_F(NameTableTest, OneLookupForAllWhoAskMeanwhile) {
  EXPECT_EQ(Ask(1, 0), Asked::kBegin);
  EXPECT_EQ(Ask(2, 0), Asked::kWaits);
  now_ms_ += 5000;
  EXPECT_EQ(Ask(3, now_ms_), Asked::kWaits) << "also who wants it new: no second one beside it";
  EXPECT_EQ(Ask(4, 0, "b"), Asked::kBegin) << "another name waits for nobody";
  EXPECT_EQ(table_.LookingMs("a", now_ms_), 5000u);
  table_.Leave("a", 2);
  EXPECT_EQ(table_.End("a", now_ms_, kGood), (Ids{1, 3}));
  EXPECT_EQ(table_.End("b", now_ms_, kBad), Ids{4});
  EXPECT_EQ(table_.LookingMs("a", now_ms_), 0u);
}

TEST_F(NameTableTest, AnAnswerIsKeptForWhoWantsNoNewerOne) {
  EXPECT_EQ(Ask(1, 0), Asked::kBegin);
  now_ms_ += 50;
  table_.End("a", now_ms_, kGood);
  EXPECT_EQ(Ask(2, 1000), Asked::kAnswered);
  EXPECT_EQ(answer_.addresses, kGood.addresses);
  EXPECT_EQ(Ask(3, 1001), Asked::kBegin) << "it may have changed since that lookup began";
}

TEST_F(NameTableTest, FailuresAreNotRepeatedWithoutAPauseThatGrows) {
  uint64_t expected_ms = NameTable::kBackOffMs;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Ask(1, now_ms_), Asked::kBegin);
    table_.End("a", now_ms_, kBad);
    EXPECT_EQ(table_.Failures("a"), static_cast<uint32_t>(i) + 1);
    now_ms_ += expected_ms - 1;
    EXPECT_EQ(Ask(2, now_ms_), Asked::kAnswered);
    EXPECT_EQ(answer_.error, kBad.error);
    now_ms_ += 1;
    expected_ms = std::min(expected_ms * 2, NameTable::kMaxBackOffMs);
  }
  EXPECT_EQ(Ask(1, 0), Asked::kBegin);
  table_.End("a", now_ms_, kGood);
  EXPECT_EQ(table_.Failures("a"), 0u);
  EXPECT_EQ(Ask(1, now_ms_ + 1), Asked::kBegin) << "no pause after one that succeeded";
}

TEST_F(NameTableTest, NamesThatNobodyAsksForAreForgotten) {
  for (int i = 0; i < 100; ++i) {
    Ask(1, 0, "name" + std::to_string(i));
    if (i > 0) table_.End("name" + std::to_string(i), now_ms_, kGood);
  }
  EXPECT_EQ(table_.size(), 100u);
  now_ms_ += NameTable::kForgetMs;
  Ask(2, 0, "other");
  EXPECT_EQ(table_.size(), 2u) << "one that is being looked up stays";
  EXPECT_EQ(table_.End("name0", now_ms_, kGood), Ids{1});
}

}  // namespace
}  // namespace gemel::name_table_test

// Figures are declared once: what lists them finds all of them.

#include "backend/figures/figures.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "proxy/dispatch/stats.h"
#include "tests/unit/shard_world.h"

namespace gemel::figures_test {
namespace {

bool IsAName(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

class FiguresTest : public ShardWorld {
 protected:
  std::string Report() {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->kind = RequestKind::kReport;
    shard_->Submit(request);
    return request->told;
  }
};

TEST_F(FiguresTest, OfAShardAreAllInItsReportAndSayWhatTheyAre) {
  MakeUp(2);
  Ask({"GET", "k"});
  const std::string report = Report();
  std::set<std::string_view> names;
  for (const Figure* figure : shard_->figures().all()) {
    EXPECT_TRUE(IsAName(figure->name())) << figure->name();
    EXPECT_TRUE(names.insert(figure->name()).second) << figure->name();
    EXPECT_FALSE(figure->help().empty()) << figure->name();
    EXPECT_EQ(figure->info().section.empty(), figure->info().name.empty()) << figure->name();
    const std::string shown =
        "\r\n" + std::string(figure->name()) + "\r\n:" + std::to_string(figure->value()) + "\r\n";
    EXPECT_NE(report.find(shown), std::string::npos) << figure->name();
  }
  EXPECT_EQ(shard_->figures().Get("reads"), 1U);
  EXPECT_EQ(shard_->figures().Get("no such figure"), 0U);
}

TEST(Figures, OneThatIsGoneIsListedNoMore) {
  Figures set;
  Figure stays(&set, "stays", "It stays");
  {
    Figure goes(&set, "goes", "It goes");
    ++goes;
    EXPECT_EQ(set.Get("goes"), 1U);
  }
  ASSERT_EQ(set.all().size(), 1U);
  EXPECT_EQ(set.all()[0], &stays);
}

TEST(Figures, OfAProcessHaveNamesAndHelpAndAreSummed) {
  WorkerStats a;
  WorkerStats b;
  a.commands.Add(3);
  b.commands.Add(4);
  a.longest_turn_ms.Set(7);
  b.longest_turn_ms.Set(5);
  Figures one;
  Figures two;
  Figure hidden(&one, "hidden", "Nobody's business");
  Figure here(&one, "here", "Counted here", {"stats", "everywhere"});
  Figure there(&two, "here", "Counted here", {"stats", "everywhere"});
  ++hidden;
  here += 5;
  there += 6;
  std::vector<FigureSample> sums;
  AddShardFigures(one, &sums);
  AddShardFigures(two, &sums);
  a.shards.Set(sums);
  b.shards.Set(sums);

  std::set<std::string> names;
  std::map<std::string, uint64_t> values;
  const std::array<const WorkerStats*, 2> workers = {&a, &b};
  ForEachFigure(workers, [&](const FigureSample& sample) {
    const std::string name(sample.info.name);
    EXPECT_TRUE(IsAName(name)) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_FALSE(sample.help.empty()) << name;
    EXPECT_FALSE(sample.info.section.empty()) << name;
    values[name] = sample.value;
  });
  EXPECT_EQ(names.size(), a.counters().size() + 1);
  EXPECT_EQ(values["total_commands_processed"], 7U);
  EXPECT_EQ(values["longest_turn_ms"], 7U);
  EXPECT_EQ(values["everywhere"], 22U);
  EXPECT_EQ(values.count("hidden"), 0U);
}

}  // namespace
}  // namespace gemel::figures_test

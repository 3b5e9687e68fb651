// Whatever a client says, gemel answers what a redis-server answers, byte for byte: random sessions
// of every command that gemel serves, with arguments by the grammar of COMMAND DOCS.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "backend/command/command_table.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/random_writes.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/reply_oracle_duel.h"
#include "tests/e2e/reply_oracle_excuses.h"
#include "tests/e2e/reply_oracle_grammar.h"
#include "tests/e2e/reply_oracle_session.h"
#include "tests/e2e/reply_oracle_values.h"

namespace gemel::e2e::reply_oracle_test {
namespace {

constexpr size_t kStepsOfSession = 400;
constexpr size_t kMostComplaints = 40;

unsigned NumberFromEnvironment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::stoul(text));
}

struct Way {
  const char* name;
  int shards;
  int copies;
  int workers;
  bool spread;  // sessions have keys of all shards
};
std::ostream& operator<<(std::ostream& out, const Way& way) { return out << way.name; }

class ReplyOracle : public testing::TestWithParam<Way> {
 protected:
  ReplyOracle()
      : cluster_({.shards = GetParam().shards,
                  .copies = GetParam().copies,
                  .workers = GetParam().workers,
                  // A read that is slow on a busy machine stays with the primary.
                  .sections = {{"read", "hedge_ms = 20000"}, {"audit", "interval_s = 0"}}}),
        stock_(MakeStockOfOracle()) {
    Client alone = alone_.Connect();
    alone("FUNCTION", "LOAD", "#!lua name=restored\nredis.register_function('r',function() end)");
    libraries_ = alone("FUNCTION", "DUMP").bytes;
    ReadRows();
  }

  Stock MakeStockOfOracle() {
    Client alone = alone_.Connect();
    Stock stock = MakeStock(alone_.Connect());
    alone("FUNCTION", "FLUSH");  // it has libraries of its own
    stock.shas.clear();
    for (const std::string& text : OracleScripts()) {
      const Reply sha = alone("SCRIPT", "LOAD", text);
      if (!sha.IsError()) stock.shas.push_back(sha.bytes);
    }
    return stock;
  }

  // What gemel serves, with its subcommands.
  void ReadRows() {
    std::set<std::string> commands;
    for (const Reply& name : cluster_.Connect()("COMMAND", "LIST").items) {
      commands.insert(name.bytes);
    }
    for (const CommandRow& row : BuiltinCommands()) {
      if (row.split == Split::kNotSupported) continue;
      if (commands.contains(std::string(row.name.substr(0, row.name.find('|'))))) {
        served_.insert(std::string(row.name));
      }
    }
    for (const Grammar& grammar : ReadGrammars(alone_.port())) {
      if (served_.contains(grammar.row) && IsSent(grammar.row)) rows_.push_back(grammar);
    }
  }

  // Each row that was not answered with anything but an error.
  void Insist(RandomSession* session, Duel* duel) {
    constexpr int kTries = 120;
    constexpr int kTriesOfAFilling = 10;
    for (const Grammar& grammar : rows_) {
      if (!WhyNeverAnswered(grammar.row).empty()) continue;
      for (int i = 0; i < kTries && !duel->answered().contains(grammar.row); ++i) {
        if (i % kTriesOfAFilling == 0 || !duel->Play(session->Of(grammar.row))) {
          duel->Begin("2");
          duel->Play(session->Fill());
        }
      }
      EXPECT_TRUE(duel->answered().contains(grammar.row))
          << grammar.row << " was never answered but by an error";
    }
  }

  Cluster cluster_;
  RedisNode alone_;
  const Stock stock_;
  std::string libraries_;
  std::set<std::string> served_;
  std::vector<Grammar> rows_;
};

// By hand: GEMEL_REPLY_ORACLE_SEED (1), GEMEL_REPLY_ORACLE_STEPS (of each way),
// GEMEL_REPLY_ORACLE_RECENT: how many commands are told.
TEST_P(ReplyOracle, RepliesAreThoseOfRedis) {
  const unsigned first = NumberFromEnvironment("GEMEL_REPLY_ORACLE_SEED", 1);
  const unsigned steps = NumberFromEnvironment("GEMEL_REPLY_ORACLE_STEPS", 5000);
  for (const std::string& row : served_) {
    if (!IsSent(row)) continue;
    EXPECT_TRUE(std::any_of(rows_.begin(), rows_.end(),
                            [&](const Grammar& grammar) { return grammar.row == row; }))
        << row << " is not documented";
  }
  Duel duel(cluster_.proxy().port(), alone_.port(),
            NumberFromEnvironment("GEMEL_REPLY_ORACLE_RECENT", 10));
  unsigned seed = first;
  for (; duel.steps() < steps && duel.complaints().size() < kMostComplaints; ++seed) {
    const SessionKind kind = {.spread = GetParam().spread && seed % 2 == 0,
                              .libraries = libraries_};
    RandomSession session(rows_, seed, stock_, kind);
    const size_t end = duel.steps() + kStepsOfSession;
    const std::string protocol = seed % 4 < 2 ? "2" : "3";
    const size_t before = duel.complaints().size();
    duel.Begin(protocol);
    duel.Play(session.Fill());
    while (duel.steps() < end && duel.complaints().size() < kMostComplaints) {
      if (duel.Play(session.Next())) continue;
      duel.Begin(protocol);
      duel.Play(session.Fill());
    }
    duel.Walk(session.ScanOptions());
    for (size_t i = before; i < duel.complaints().size(); ++i) {
      ADD_FAILURE() << "seed " << seed << ", RESP" << protocol << ": " << duel.complaints()[i];
    }
  }
  RandomSession session(rows_, seed, stock_, {.libraries = libraries_});
  Insist(&session, &duel);
  for (const auto& [excuse, count] : duel.excused()) RecordProperty(excuse, std::to_string(count));
  cluster_.ExpectCopiesEqual();
}

INSTANTIATE_TEST_SUITE_P(ReplyOracle, ReplyOracle,
                         testing::Values(Way{"Pair", 1, 2, 1, false},
                                         Way{"PairThreaded", 1, 2, 2, false},
                                         Way{"TwoShards", 2, 1, 1, true},
                                         Way{"TwoShardsThreaded", 2, 1, 2, true}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace gemel::e2e::reply_oracle_test

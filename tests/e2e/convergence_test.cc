// Every write that there is, with random arguments, from many connections, in four databases, in
// transactions and in scripts, while keys expire and nodes fail: the copies end equal.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/random_writes.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/whole_databases.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::convergence_test {
namespace {

constexpr int kThreads = 12;
constexpr int kDatabases = 4;

unsigned NumberFromEnvironment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::stoul(text));
}

TEST(ConvergenceTable, EveryRowThatWritesHasAMakerAndNoOther) {
  const std::vector<std::string_view> rows = RowsThatWrite();
  const Makers makers = AllMakers();
  for (const std::string_view row : rows) EXPECT_TRUE(makers.contains(row)) << row;
  for (const auto& [row, maker] : makers) {
    EXPECT_NE(std::find(rows.begin(), rows.end(), row), rows.end()) << row;
  }
}

// Which rows were sent by themselves, and which of them were answered with no error.
class Coverage {
 public:
  void Note(const std::set<std::string_view>& answered) {
    const std::lock_guard lock(mutex_);
    for (const std::string_view row : answered) missing_.erase(row);
  }
  std::set<std::string_view> missing() {
    const std::lock_guard lock(mutex_);
    return missing_;
  }

 private:
  static std::set<std::string_view> All() {
    const std::vector<std::string_view> rows = RowsThatWrite();
    return {rows.begin(), rows.end()};
  }

  std::mutex mutex_;
  std::set<std::string_view> missing_ = All();
};

// A connection that says anything, and expects no more of a reply than that it is one.
class Conversation {
 public:
  Conversation(uint16_t port, unsigned seed, const Stock& stock, Circumstances circumstances)
      : wire_(port), writes_(seed, stock, circumstances) {
    Ask({"HELLO", seed % 2 == 0 ? "2" : "3"});
    Talk();
  }

  // Some requests in one write. Returns the rows that were answered with no error.
  std::set<std::string_view> Round() {
    Draw& draw = writes_.draw();
    if (draw.OneIn(2)) Ask({"SELECT", draw.OneIn(2) ? "0" : draw.Database()});
    for (size_t i = draw.Below(16) + 1; i > 0; --i) {
      if (draw.OneIn(3)) draw.ChooseTag();
      // So a quarter of the writes are in one.
      if (draw.OneIn(10)) {
        AskInTransaction();
      } else if (draw.OneIn(60)) {
        Ask({"HELLO", draw.Pick({"2", "3"})});
      } else {
        AskAnything();
      }
    }
    return Talk();
  }
  // The same row until it is answered with no error.
  std::set<std::string_view> Insist(std::string_view row) {
    std::set<std::string_view> answered;
    for (int i = 0; i < 20 && answered.empty(); ++i) {
      writes_.draw().ChooseTag();
      Ask(writes_.Of(row), row);
      answered = Talk();
    }
    return answered;
  }

 private:
  void Ask(const Words& words, std::string_view row = {}) {
    bytes_ += Encode(words);
    rows_.push_back(row);
  }
  void AskAnything() {
    if (writes_.draw().OneIn(6)) return Ask(writes_.Read());
    const RandomWrites::Command command =
        writes_.draw().OneIn(6) ? writes_.InScript() : writes_.Next();
    Ask(command.words, command.row);
  }
  void AskInTransaction() {
    Draw& draw = writes_.draw();
    if (draw.OneIn(8)) Ask({"WATCH", draw.AnyKey(), draw.AnyKey()});
    Ask({"MULTI"});
    const size_t first = rows_.size();
    for (size_t i = draw.Below(6) + 1; i > 0; --i) {
      AskAnything();
      if (draw.OneIn(12)) Ask({"SELECT", draw.Database()});
    }
    // That they are queued is no answer.
    std::fill(rows_.begin() + static_cast<ptrdiff_t>(first), rows_.end(), std::string_view());
    Ask({draw.OneIn(20) ? "DISCARD" : "EXEC"});
  }
  std::set<std::string_view> Talk() {
    wire_.Send(bytes_);
    std::set<std::string_view> answered;
    for (const std::string_view row : rows_) {
      const std::string reply = wire_.Read();
      if (!row.empty() && reply[0] != '-') answered.insert(row);
    }
    bytes_.clear();
    rows_.clear();
    return answered;
  }

  Wire wire_;
  RandomWrites writes_;
  std::string bytes_;
  std::vector<std::string_view> rows_;  // of what was asked; empty where the answer says nothing
};

// What happens to a node meanwhile is over when this returns.
std::string Strike(RedisNode* node, Draw* draw) {
  const auto pause = [&](size_t most_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(draw->Below(most_ms)));
  };
  switch (draw->Below(5)) {
    case 0:
      node->Kill();
      pause(800);
      node->Start();
      return "killed";
    case 1:
      node->Kill();
      node->Start();
      return "restarted";
    case 2:
      node->Pause();
      pause(1500);
      node->Resume();
      return "paused";
    case 3:
      for (size_t i = draw->Below(3) + 1; i > 0; --i) {
        node->Connect()("CLIENT", "KILL", "TYPE", "normal");
        pause(100);
      }
      return "disconnected";
    default:
      node->Connect()("DEBUG", "SLEEP", draw->Pick({"0.1", "0.5", "0.9"}));
      return "asleep";
  }
}

enum class Mood {
  kCalm,     // nothing expires, nothing fails: each reply is the same of each copy
  kExpires,  // keys expire
  kFaults,   // and nodes fail
};

struct Way {
  const char* name;
  int shards;
  int workers;
  Mood mood;
};
std::ostream& operator<<(std::ostream& out, const Way& way) { return out << way.name; }

class Convergence : public testing::TestWithParam<Way> {
 protected:
  Convergence()
      : cluster_({.shards = GetParam().shards,
                  .workers = GetParam().workers,
                  // An audit would find what nothing else has made equal.
                  .sections = {{"audit", "interval_s = 0"},
                               {"health", GetParam().mood == Mood::kFaults ? kImpatientProbes
                                                                           : kPatientProbes},
                               {"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"}}}),
        stock_(MakeStock(cluster_.Connect())) {}

  // Keys may expire only once it is heard; before that, the audit would find what differs.
  bool WaitUntilFollowed() const {
    return Eventually([this] {
      for (const Reply& shard : cluster_.Connect()("PROXY", "SHARDS").items) {
        for (const Reply& node : shard.Field("nodes").items) {
          if (node.Field("notifications") != "on") return false;
        }
      }
      return true;
    });
  }

  void ExpectEqualInTheEnd() {
    EXPECT_TRUE(cluster_.WaitUntilInSync()) << cluster_.Connect()("PROXY", "SHARDS");
    for (int shard = 0; shard < cluster_.shards(); ++shard) {
      const RedisNode& first = cluster_.node(shard, 0);
      const RedisNode& second = cluster_.node(shard, 1);
      EXPECT_TRUE(Eventually(
          [&] { return !ExpiresSoon(first, kDatabases) && !ExpiresSoon(second, kDatabases); }));
      const Groups groups =
          GetParam().mood == Mood::kFaults ? Groups::kAsReplicated : Groups::kWholly;
      // Of what has expired in the last moment the news is under way.
      std::string differences;
      Eventually(
          [&] {
            return (differences = DatabasesDiffer(first, second, kDatabases, groups)).empty();
          },
          kPatience / 3);
      EXPECT_EQ(differences, "") << "shard " << shard;
    }
    cluster_.ExpectCopiesEqual();
  }

  void ExpectNobodyLeft() {
    for (const Reply& shard : cluster_.Connect()("PROXY", "SHARDS").items) {
      for (const char* figure : {"promotions", "marked_stale", "resyncs", "rejoins"}) {
        EXPECT_EQ(shard.Field(figure), ":0") << figure;
      }
      if (GetParam().mood == Mood::kCalm) {
        EXPECT_EQ(shard.Field("diverged"), ":0");
      }
    }
  }

  Cluster cluster_;
  const Stock stock_;
};

// GEMEL_CONVERGENCE_SECONDS: how long (4); GEMEL_CONVERGENCE_SEED: as in a failure that is to be
// seen again, as far as threads allow.
TEST_P(Convergence, OfCopiesWhateverIsWritten) {
  const std::chrono::seconds length(NumberFromEnvironment("GEMEL_CONVERGENCE_SECONDS", 4));
  const unsigned seed = NumberFromEnvironment("GEMEL_CONVERGENCE_SEED", std::random_device{}());
  std::string history = "seed " + std::to_string(seed);
  ASSERT_TRUE(WaitUntilFollowed()) << cluster_.Connect()("PROXY", "SHARDS");
  std::vector<int64_t> epochs;
  for (const ShardStatus& shard : cluster_.Status()) epochs.push_back(shard.epoch);
  const Circumstances circumstances = {.expiries = GetParam().mood != Mood::kCalm,
                                       .resyncs = GetParam().mood == Mood::kFaults};
  Coverage coverage;
  std::vector<std::unique_ptr<Conversation>> conversations;
  for (unsigned i = 0; i < kThreads; ++i) {
    conversations.push_back(
        std::make_unique<Conversation>(cluster_.proxy().port(), seed + i, stock_, circumstances));
  }
  Conversation insistent(cluster_.proxy().port(), seed + kThreads, stock_, circumstances);
  Draw draw(seed, stock_, circumstances);
  const auto end = std::chrono::steady_clock::now() + length;
  const auto goes_on = [&] {
    const auto now = std::chrono::steady_clock::now();
    return now < end || (now < end + kPatience && !coverage.missing().empty());
  };
  // What differs may be written over later: it is looked for again and again.
  for (int round = 0; goes_on() && !HasFailure(); ++round) {
    history += "\nround " + std::to_string(round) + ":";
    Crowd crowd;
    crowd.Start(kThreads, [&](int i) {
      while (!crowd.stopped()) {
        coverage.Note(conversations[static_cast<size_t>(i)]->Round());
        crowd.Done();
        LetOthersRun();
      }
    });
    EXPECT_TRUE(crowd.WaitForMore(300)) << history;
    // Of those that are seldom drawn.
    for (const std::string_view row :
         round > 0 ? coverage.missing() : std::set<std::string_view>()) {
      coverage.Note(insistent.Insist(row));
    }
    for (int i = 0; i < 2 && GetParam().mood == Mood::kFaults; ++i) {
      const int shard = static_cast<int>(draw.Below(static_cast<size_t>(cluster_.shards())));
      const int copy = static_cast<int>(draw.Below(2));
      history += " " + std::to_string(shard) + "." + std::to_string(copy) + " ";
      history += Strike(&cluster_.node(shard, copy), &draw);
      EXPECT_TRUE(cluster_.WaitUntilInSync()) << history << cluster_.Connect()("PROXY", "SHARDS");
      EXPECT_TRUE(crowd.WaitForMore(100)) << history;
    }
    crowd.Stop();
    SCOPED_TRACE(history);
    crowd.ExpectNoComplaints();
    ExpectEqualInTheEnd();
  }
  for (const std::string_view row : coverage.missing()) {
    ADD_FAILURE() << row << " was never answered but by an error";
  }
  SCOPED_TRACE(history);
  if (GetParam().mood == Mood::kFaults) return;
  ExpectNobodyLeft();
  for (const ShardStatus& shard : cluster_.Status()) {
    EXPECT_EQ(shard.epoch, epochs[static_cast<size_t>(shard.name[0] - 'a')]) << shard.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Convergence, Convergence,
                         testing::Values(Way{"Calm", 1, 1, Mood::kCalm},
                                         Way{"CalmThreaded", 2, 2, Mood::kCalm},
                                         Way{"Expiries", 1, 1, Mood::kExpires},
                                         Way{"ExpiriesThreaded", 2, 2, Mood::kExpires},
                                         Way{"Faults", 1, 1, Mood::kFaults},
                                         Way{"FaultsThreaded", 2, 2, Mood::kFaults}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace gemel::e2e::convergence_test

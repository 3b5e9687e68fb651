// Registers by CASPaxos under every fault that the model knows, many seeds of it; and that each
// rule which is broken on purpose is found out. PAXOS_RUNS=n sets how many seeds are run,
// PAXOS_FIRST=n where they begin.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/paxos/paxos_registers.h"
#include "tests/paxos_network.h"
#include "tests/setting.h"

namespace gemel::paxos_sim_test {
namespace {

// What members were told, and the first thing in it that cannot be.
class History {
 public:
  // What was true of a register when a question about it was asked.
  uint64_t Asked(const std::string& name) { return of_[name].seen; }

  void Saw(const std::string& name, uint64_t asked, const RegisterValue& value) {
    Register& its = of_[name];
    if (value.version < asked) Fail(name + " went back to " + std::to_string(value.version));
    its.seen = std::max(its.seen, value.version);
    if (value.version == 0) {
      if (!value.text.empty()) Fail(name + " has a text and no version");
      return;
    }
    const auto [text, first] = its.texts.emplace(value.version, value.text);
    if (!first && text->second != value.text) {
      Fail(name + " has two texts of version " + std::to_string(value.version));
    }
    if (its.never.contains(value.text)) Fail(name + " has the text of a write that was not done");
    if (!its.written.contains(value.text)) Fail(name + " has a text that nobody wrote");
  }
  void Writes(const std::string& name, const std::string& text) { of_[name].written.insert(text); }
  void Wrote(const std::string& name, uint64_t asked, uint64_t expected, const std::string& text,
             RegisterOutcome outcome, uint64_t version) {
    Register& its = of_[name];
    switch (outcome) {
      case RegisterOutcome::kDone:
        if (version != expected + 1) Fail(name + ": a wrong version was written");
        if (version <= asked) Fail(name + " was written below what was seen");
        Saw(name, asked, {text, version});
        ++done_;
        return;
      case RegisterOutcome::kConflict:
        if (version == expected) Fail(name + ": a conflict with the expected version");
        if (version < asked) Fail(name + ": a conflict with a version of before");
        its.seen = std::max(its.seen, version);
        break;
      case RegisterOutcome::kUnreachable:
        break;
      case RegisterOutcome::kUnknown:
        return;
    }
    its.never.insert(text);
    for (const auto& [at, other] : its.texts) {
      if (other == text) Fail(name + " has the text of a write that was not done");
    }
  }
  void Fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }

  const std::string& failure() const { return failure_; }
  uint64_t done() const { return done_; }

 private:
  struct Register {
    uint64_t seen = 0;
    std::map<uint64_t, std::string> texts;
    std::set<std::string> written;
    std::set<std::string> never;
  };
  std::map<std::string, Register> of_;
  std::string failure_;
  uint64_t done_ = 0;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed, PaxosMutant mutant = PaxosMutant::kNone)
      : network_(seed, 3 + seed % 3, mutant), broken_(mutant != PaxosMutant::kNone) {
    wanted_ = network_.names();
    network_.keeps = network_.Chance(500);
    network_.faults = {static_cast<uint32_t>(network_.Draw(120)),
                       static_cast<uint32_t>(network_.Draw(50)),
                       static_cast<uint32_t>(network_.Draw(120))};
    for (size_t i = 0; i < kMembers; ++i) {
      ports_.push_back(std::make_unique<PaxosNetwork::Port>(&network_));
      members_.emplace_back();
      StartMember(i);
    }
  }

  // What cannot be; empty: nothing.
  std::string Run() {
    for (size_t i = 0; i < kMembers; ++i) MemberTurn(i);
    FaultTurn();
    while (network_.Step(kRunMs) && history_.failure().empty()) {
    }
    if (history_.failure().empty() && !broken_) Heal();
    return history_.failure();
  }
  uint64_t done() const { return history_.done(); }
  uint64_t epoch() const { return members_[0]->epoch(); }
  uint64_t overwritten() const { return overwritten_; }

 private:
  static constexpr size_t kMembers = 3;
  static constexpr uint64_t kRunMs = 1000;

  void StartMember(size_t i) {
    PaxosOptions options;
    options.nodes = ConfiguredNodes();
    options.proposer = options.seed = ++proposers_ * 7919 + network_.Draw(1000);
    options.time_limit_ms = 400;
    members_[i] = std::make_unique<PaxosRegisters>(ports_[i].get(), options, "simulated nodes");
    Tell(i, plan_, wanted_);
  }

  // Before there is a fleet the members' config files may differ, in one node each. (What is
  // founded by some is told to the others by nodes that both name, which must not all lose it.)
  std::vector<std::string> ConfiguredNodes() {
    std::vector<std::string> names = network_.names();
    if (names.size() > 3 && network_.Chance(300)) {
      names.erase(names.begin() + static_cast<long>(network_.Draw(names.size())));
      differ_ = true;
    }
    return names;
  }

  // The plans are in the registers, so that who does not know these does not hear of any.
  void Tell(size_t i, uint64_t plan, const std::vector<std::string>& names) {
    if (members_[i]->epoch() > 0) {
      members_[i]->Follow(plan, names);
      return;
    }
    network_.After(20, [=, this] { Tell(i, plan, names); });
  }

  std::string SomeName() {
    return network_.Chance(700) ? "a" : "b/" + std::to_string(network_.Draw(3));
  }

  void MemberTurn(size_t i) {
    network_.After(1 + network_.Draw(90), [this, i] {
      if (network_.now_ms() > kRunMs) return;
      const uint64_t what = network_.Draw(100);
      if (what < 2) {
        StartMember(i);
      } else if (what < 25) {
        Read(i, SomeName(), [](bool) {});
      } else if (what < 30) {
        List(i);
      } else {
        Change(i, SomeName());
      }
      MemberTurn(i);
    });
  }

  void Read(size_t i, const std::string& name, std::function<void(bool)> then) {
    const uint64_t asked = history_.Asked(name);
    members_[i]->Read(name, [=, this](RegisterOutcome outcome, const RegisterValue& value) {
      if (outcome == RegisterOutcome::kDone) {
        history_.Saw(name, asked, value);
        known_[{i, name}] = value.version;
      }
      then(outcome == RegisterOutcome::kDone);
    });
  }

  // By what the member knows of it, which may be old.
  void Change(size_t i, const std::string& name) {
    const uint64_t expected = known_[{i, name}];
    const std::string text = "t" + std::to_string(++texts_);
    const uint64_t asked = history_.Asked(name);
    history_.Writes(name, text);
    members_[i]->Write(name, expected, text, [=, this](RegisterOutcome outcome, uint64_t version) {
      history_.Wrote(name, asked, expected, text, outcome, version);
      if (version > 0) known_[{i, name}] = version;
      if (outcome == RegisterOutcome::kUnknown) Read(i, name, [](bool) {});
    });
  }

  void List(size_t i) {
    std::map<std::string, uint64_t> asked;
    for (const char* name : {"b/0", "b/1", "b/2"}) asked[name] = history_.Asked(name);
    members_[i]->List("b/", [this, asked](RegisterOutcome outcome, const auto& all) {
      if (outcome != RegisterOutcome::kDone) return;
      std::map<std::string, uint64_t> missing = asked;
      for (const NamedRegister& one : all) {
        history_.Saw(one.name, asked.at(one.name), one.value);
        missing.erase(one.name);
      }
      for (const auto& [name, version] : missing) {
        if (version > 0) history_.Fail(name + " is not in the list");
      }
    });
  }

  void FaultTurn() {
    network_.After(20 + network_.Draw(120), [this] {
      if (network_.now_ms() > kRunMs) return;
      const size_t i = network_.Draw(network_.size());
      switch (network_.Draw(7)) {
        case 0:
          network_.SetDown(i, true);
          network_.After(network_.Draw(500), [this, i] { network_.SetDown(i, false); });
          break;
        case 1:
          // Nobody could tell then. (Gemel lets none come home, and who does it by hand must not
          // restart the node within the same moment.)
          if (network_.acceptor(i).came_home()) break;
          // Without Keeps it is as lost as one that is empty: two at once may be too many.
          if (network_.keeps || network_.MayLose(i)) {
            network_.Restart(i, true);
          } else if (!differ_ && network_.Chance(100)) {
            network_.Restart(i, true);
            lossy_ = true;
          }
          break;
        // Who loses all at once has lost the registers: here one after the other does.
        case 2:
          if (network_.MayLose(i)) network_.Restart(i, false);
          break;
        // By FLUSHALL, say.
        case 3:
          if (network_.MayLose(i)) network_.acceptor(i).Lose();
          break;
        case 4:
          ChangePlan();
          break;
        case 5:
          Release(i);
          break;
        default:
          Overwrite(i);
          break;
      }
      FaultTurn();
    });
  }

  // Members hear of it one after the other.
  void ChangePlan() {
    const bool known = std::any_of(members_.begin(), members_.end(),
                                   [](const auto& member) { return member->epoch() > 0; });
    if (!known) return;
    std::vector<std::string> names = network_.names();
    while (names.size() > 3 && network_.Chance(700)) {
      names.erase(names.begin() + static_cast<long>(network_.Draw(names.size())));
    }
    wanted_ = names;
    ++plan_;
    for (size_t i = 0; i < kMembers; ++i) {
      network_.After(network_.Draw(300), [this, i, names, plan = plan_] { Tell(i, plan, names); });
    }
  }

  // In order: what is overwritten then is no loss, whatever else was lost. (Of two owners of the
  // node the earlier one has no way to it any more.)
  void Release(size_t i) {
    const std::string run = network_.acceptor(i).run;
    const uint64_t which = ++releases_[i];
    members_[network_.Draw(kMembers)]->Release(
        network_.names()[i], [this, i, run, which](const NodeRelease& release) {
          if (!release.done) return;
          network_.After(network_.Draw(100), [this, i, run, which] {
            if (network_.acceptor(i).run != run || which != releases_[i]) return;
            network_.acceptor(i).CopyOf(network_.acceptor((i + 1) % network_.size()));
            ++overwritten_;
          });
        });
  }

  // By REPLICAOF: with another's data, or with an older copy of its own that another had.
  void Overwrite(size_t i) {
    if (network_.Chance(500)) {
      if (network_.MayLose(i)) {
        network_.acceptor(i).CopyOf(network_.acceptor((i + 1) % network_.size()));
      }
      return;
    }
    const PaxosAcceptor old = network_.acceptor(i);
    network_.After(network_.Draw(200), [this, i, old] {
      // Of an earlier process it is none of its own.
      if (network_.MayLose(i) && network_.acceptor(i).run == old.run) {
        network_.acceptor(i).CopyOf(old);
      }
    });
  }

  // Without faults all is well again, if a majority has lost nothing.
  void Heal() {
    network_.faults = {};
    for (size_t i = 0; i < kMembers; ++i) Tell(i, plan_, wanted_);
    for (size_t i = 0; i < network_.size(); ++i) network_.SetDown(i, false);
    for (size_t i = 0; i < kMembers && !lossy_; ++i) {
      for (const char* name : {"a", "b/0", "b/1", "b/2"}) {
        bool done = false;
        for (int tries = 0; tries < 20 && !done; ++tries) {
          bool answered = false;
          Read(i, name, [&](bool well) {
            done = well;
            answered = true;
          });
          network_.RunUntil([&] { return answered; }, 1000);
        }
        if (!done) history_.Fail("no contact after the faults: " + members_[i]->trouble());
      }
    }
    const auto read_on = [this] {
      Read(0, "a", [](bool) {});
      network_.RunUntil([] { return false; }, 500);
      return network_.Whole();
    };
    for (int tries = 0; !lossy_ && !read_on(); ++tries) {
      if (tries > 20) {
        history_.Fail("a node was not readmitted");
        break;
      }
    }
  }

  PaxosNetwork network_;
  const bool broken_;  // what it comes to in the end is of no interest
  History history_;
  std::vector<std::unique_ptr<PaxosNetwork::Port>> ports_;
  std::vector<std::unique_ptr<PaxosRegisters>> members_;
  std::map<std::pair<size_t, std::string>, uint64_t> known_;
  uint64_t proposers_ = 0;
  uint64_t texts_ = 0;
  bool lossy_ = false;
  bool differ_ = false;  // the members' config files
  std::vector<std::string> wanted_;
  uint64_t plan_ = 1;
  std::map<size_t, uint64_t> releases_;  // by node
  uint64_t overwritten_ = 0;
};

TEST(PaxosSimulation, KeepsThePromises) {
  const uint64_t first = Setting("PAXOS_FIRST", 1);
  const uint64_t runs = Setting("PAXOS_RUNS", 2400);
  uint64_t done = 0;
  uint64_t readmitted = 0;
  uint64_t overwritten = 0;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    Simulation simulation(seed);
    ASSERT_EQ(simulation.Run(), "") << "seed " << seed;
    done += simulation.done();
    readmitted += simulation.epoch() > 2;
    overwritten += simulation.overwritten();
  }
  if (runs < 100) return;
  // It is no proof of anything if nothing happens.
  EXPECT_GT(done, runs * 5);
  EXPECT_GT(readmitted, runs / 4);
  EXPECT_GT(overwritten, runs / 10);
}

class PaxosMutants : public ::testing::TestWithParam<PaxosMutant> {};

TEST_P(PaxosMutants, AreFound) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    const std::string failure = Simulation(seed, GetParam()).Run();
    if (!failure.empty()) {
      RecordProperty("found", failure + ", seed " + std::to_string(seed));
      return;
    }
  }
  FAIL() << "a broken rule was not found";
}

std::string NameOf(const ::testing::TestParamInfo<PaxosMutant>& tested) {
  switch (tested.param) {
    case PaxosMutant::kNone:
      break;
    case PaxosMutant::kPromiseNotStored:
      return "PromiseNotStored";
    case PaxosMutant::kAcceptBelowPromise:
      return "AcceptBelowPromise";
    case PaxosMutant::kSilentAmnesia:
      return "SilentAmnesia";
    case PaxosMutant::kReusedBallot:
      return "ReusedBallot";
    case PaxosMutant::kNothingCopied:
      return "NothingCopied";
    case PaxosMutant::kComesHome:
      return "ComesHome";
  }
  return "None";
}

INSTANTIATE_TEST_SUITE_P(All, PaxosMutants,
                         ::testing::Values(PaxosMutant::kPromiseNotStored,
                                           PaxosMutant::kAcceptBelowPromise,
                                           PaxosMutant::kSilentAmnesia, PaxosMutant::kReusedBallot,
                                           PaxosMutant::kNothingCopied, PaxosMutant::kComesHome),
                         NameOf);

}  // namespace
}  // namespace gemel::paxos_sim_test

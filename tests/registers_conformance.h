// What every engine's registers must keep to. Include it, write a harness, and instantiate:
//
//   struct MyHarness {
//     static constexpr bool kTells;                // it calls on_change
//     std::unique_ptr<Registers> View();           // a member's; the harness outlives it
//     bool TurnUntil(const std::function<bool()>& condition);
//     void set_reachable(bool reachable);          // the engine, for all views; at first it is
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Mine, RegistersConformance, MyHarness);
//
// The engine is new and empty in each test.

#ifndef GEMEL_TESTS_REGISTERS_CONFORMANCE_H_
#define GEMEL_TESTS_REGISTERS_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/fleet/registers.h"

namespace gemel::conformance {

struct WriteResult {
  RegisterOutcome outcome = RegisterOutcome::kUnknown;
  uint64_t version = 0;
};

template <typename Harness>
class RegistersConformance : public ::testing::Test {
 protected:
  RegistersConformance() : one_(harness_.View()), two_(harness_.View()) {}

  std::optional<RegisterValue> TryRead(const std::string& name, Registers* view) {
    std::optional<std::optional<RegisterValue>> result;
    view->Read(name, [&](RegisterOutcome outcome, const RegisterValue& value) {
      EXPECT_FALSE(result) << "answered twice";
      EXPECT_TRUE(outcome == RegisterOutcome::kDone || outcome == RegisterOutcome::kUnreachable);
      result.emplace();
      if (outcome == RegisterOutcome::kDone) *result = value;
    });
    EXPECT_FALSE(result) << "answered inside Read";
    EXPECT_TRUE(harness_.TurnUntil([&] { return result.has_value(); })) << "not answered";
    return result.value_or(std::nullopt);
  }
  // A read may fail for a moment (a busy machine), and is then asked again.
  RegisterValue Read(const std::string& name, Registers* view = nullptr) {
    for (int i = 0; i < 50; ++i) {
      if (const auto value = TryRead(name, view != nullptr ? view : one_.get())) return *value;
    }
    ADD_FAILURE() << "cannot be read: " << one_->trouble();
    return {};
  }
  std::vector<NamedRegister> List(const std::string& prefix, Registers* view, uint64_t since = 0) {
    for (int i = 0; i < 50; ++i) {
      std::optional<RegisterOutcome> is;
      std::vector<NamedRegister> all;
      const auto take = [&](RegisterOutcome outcome, const std::vector<NamedRegister>& found) {
        is = outcome;
        all = found;
      };
      since == 0 ? view->List(prefix, take) : view->ListSince(prefix, since, take);
      EXPECT_FALSE(is) << "answered inside List";
      EXPECT_TRUE(harness_.TurnUntil([&] { return is.has_value(); })) << "not answered";
      if (is == RegisterOutcome::kDone) return all;
    }
    ADD_FAILURE() << "cannot be listed: " << view->trouble();
    return {};
  }
  WriteResult TryWrite(const std::string& name, uint64_t expected, const std::string& text,
                       Registers* view = nullptr) {
    std::optional<WriteResult> result;
    (view != nullptr ? view : one_.get())
        ->Write(name, expected, text, [&](RegisterOutcome outcome, uint64_t version) {
          EXPECT_FALSE(result) << "answered twice";
          result = {outcome, version};
        });
    EXPECT_FALSE(result) << "answered inside Write";
    EXPECT_TRUE(harness_.TurnUntil([&] { return result.has_value(); })) << "not answered";
    return result.value_or(WriteResult());
  }
  // Until it is known. What was unknown and turns out to be done is looked up.
  WriteResult Write(const std::string& name, uint64_t expected, const std::string& text,
                    Registers* view = nullptr) {
    for (int i = 0; i < 50; ++i) {
      const WriteResult result = TryWrite(name, expected, text, view);
      if (result.outcome == RegisterOutcome::kDone) return result;
      if (result.outcome == RegisterOutcome::kConflict) {
        const RegisterValue there = Read(name, view);
        if (i == 0 || there.text != text) return result;
        return {RegisterOutcome::kDone, there.version};
      }
    }
    ADD_FAILURE() << "cannot be written: " << one_->trouble();
    return {};
  }
  // Written anew: 0 if that did not work.
  uint64_t Put(const std::string& name, const std::string& text) {
    const WriteResult result = Write(name, 0, text);
    EXPECT_EQ(result.outcome, RegisterOutcome::kDone) << name;
    return result.version;
  }

  Harness harness_;
  std::unique_ptr<Registers> one_;
  std::unique_ptr<Registers> two_;
};

TYPED_TEST_SUITE_P(RegistersConformance);

TYPED_TEST_P(RegistersConformance, WritesWhereTheVersionIsTheExpectedOne) {
  EXPECT_EQ(this->Read("a"), RegisterValue());
  EXPECT_EQ(this->Write("a", 7, "no").outcome, RegisterOutcome::kConflict);
  EXPECT_EQ(this->Read("a"), RegisterValue());
  const uint64_t first = this->Put("a", "one");
  EXPECT_GT(first, 0U);
  EXPECT_EQ(this->Read("a", this->two_.get()), (RegisterValue{"one", first}));
  const WriteResult there = this->Write("a", 0, "two", this->two_.get());
  EXPECT_EQ(there.outcome, RegisterOutcome::kConflict);
  EXPECT_EQ(there.version, first) << "of a conflict the version is told that is there";
  const WriteResult second = this->Write("a", first, "two", this->two_.get());
  EXPECT_EQ(second.outcome, RegisterOutcome::kDone);
  EXPECT_GT(second.version, first);
  const WriteResult late = this->Write("a", first, "three");
  EXPECT_EQ(late.outcome, RegisterOutcome::kConflict);
  EXPECT_EQ(late.version, second.version);
  // What engines may have fewer bits for.
  for (const uint64_t high : {uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 62}) {
    EXPECT_EQ(this->Write("a", high, "no").outcome, RegisterOutcome::kConflict) << high;
  }
  EXPECT_EQ(this->Read("a"), (RegisterValue{"two", second.version}));
  EXPECT_EQ(this->Write("a", second.version, "").outcome, RegisterOutcome::kDone);
  EXPECT_EQ(this->Read("a").text, "");
  EXPECT_GT(this->Read("a").version, second.version) << "empty, but written";
  EXPECT_FALSE(this->one_->place().empty());
  EXPECT_EQ(this->one_->trouble(), "");
}

TYPED_TEST_P(RegistersConformance, ListsByPrefixInTheOrderOfNames) {
  EXPECT_TRUE(this->List("", this->one_.get()).empty());
  std::vector<NamedRegister> expected;
  for (const char* name : {"shard/b", "shard/a.1", "shard/a", "shardless", "life/m", "shard/a-1"}) {
    this->Put(name, std::string("of ") + name);
  }
  for (const char* name : {"shard/a", "shard/a-1", "shard/a.1", "shard/b"}) {
    expected.push_back({name, this->Read(name)});
  }
  EXPECT_EQ(this->List("shard/", this->two_.get()), expected);
  EXPECT_EQ(this->List("", this->two_.get()).size(), 6U);
  EXPECT_TRUE(this->List("shard/c", this->two_.get()).empty());
  const std::vector<NamedRegister> some = this->List("shard", this->one_.get());
  ASSERT_EQ(some.size(), 5U);
  EXPECT_EQ(some.back().name, "shardless");
}

// What was changed since may be all that is listed, and nothing of it is left out.
TYPED_TEST_P(RegistersConformance, ListsWhatIsNew) {
  for (const char* name : {"a", "b", "c"}) this->Put(name, "old");
  uint64_t since = 0;
  for (const NamedRegister& one : this->List("", this->one_.get())) {
    since = std::max(since, one.value.version);
  }
  const uint64_t b = this->Read("b").version;
  EXPECT_EQ(this->Write("b", b, "new").outcome, RegisterOutcome::kDone);
  this->Put("d", "new");
  std::vector<NamedRegister> found = this->List("", this->one_.get(), since);
  std::erase_if(found, [](const NamedRegister& one) { return one.value.text == "old"; });
  EXPECT_EQ(found, (std::vector<NamedRegister>{{"b", this->Read("b")}, {"d", this->Read("d")}}));
}

TYPED_TEST_P(RegistersConformance, ListsMoreThanFitsIntoOneAnswer) {
  std::vector<std::string> names;
  size_t done = 0;
  for (int i = 100; i < 250; ++i) names.push_back("many/" + std::to_string(i));
  // Where a machine is busy some are not answered in time.
  std::function<void(const std::string&)> write = [&](const std::string& name) {
    this->one_->Write(name, 0, name, [&, name](RegisterOutcome outcome, uint64_t) {
      const bool there = outcome == RegisterOutcome::kDone || outcome == RegisterOutcome::kConflict;
      there ? void(++done) : write(name);
    });
  };
  for (const std::string& name : names) write(name);
  ASSERT_TRUE(this->harness_.TurnUntil([&] { return done == names.size(); }));
  const std::vector<NamedRegister> all = this->List("many/", this->two_.get());
  ASSERT_EQ(all.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    ASSERT_EQ(all[i].name, names[i]);
    ASSERT_EQ(all[i].value.text, names[i]);
  }
}

TYPED_TEST_P(RegistersConformance, TakesEveryTextAndEveryName) {
  std::string odd;
  for (int i = 0; i < 256; ++i) odd += static_cast<char>(i);
  std::string big;
  while (big.size() < Registers::kMaxText) big += odd;
  big.resize(Registers::kMaxText);
  this->Put("odd", odd);
  this->Put("big", big);
  EXPECT_EQ(this->Read("odd", this->two_.get()).text, odd);
  EXPECT_TRUE(this->Read("big", this->two_.get()).text == big);
  EXPECT_EQ(this->List("", this->two_.get()).size(), 2U);
  const std::vector<std::string> names = {".",    "..",  "a",     "A",   "a/",
                                          "a//b", "/",   "a/./b", "_-9", std::string(200, 'x'),
                                          "...",  "a/b", "./"};
  for (const std::string& name : names) this->Put(name, "of " + name);
  for (const std::string& name : names) {
    EXPECT_EQ(this->Read(name, this->two_.get()).text, "of " + name);
  }
  EXPECT_EQ(this->List("", this->two_.get()).size(), names.size() + 2);
  EXPECT_EQ(this->List("a/", this->two_.get()).size(), 4U);
}

TYPED_TEST_P(RegistersConformance, OfTwoWritersOneWins) {
  uint64_t version = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::optional<WriteResult>> results(2);
    for (size_t i = 0; i < 2; ++i) {
      (i == 0 ? this->one_ : this->two_)
          ->Write("a", version, std::to_string(i) + " of " + std::to_string(round),
                  [&results, i](RegisterOutcome outcome, uint64_t is) {
                    results[i] = WriteResult{outcome, is};
                  });
    }
    ASSERT_TRUE(this->harness_.TurnUntil([&] { return results[0] && results[1]; }));
    const RegisterValue there = this->Read("a");
    size_t winners = 0;
    bool known = true;
    for (size_t i = 0; i < 2; ++i) {
      known = known && (results[i]->outcome == RegisterOutcome::kDone ||
                        results[i]->outcome == RegisterOutcome::kConflict);
      if (results[i]->outcome != RegisterOutcome::kDone) continue;
      ++winners;
      EXPECT_EQ(there.text, std::to_string(i) + " of " + std::to_string(round));
      EXPECT_EQ(there.version, results[i]->version);
    }
    EXPECT_LE(winners, 1U);
    if (known) {
      EXPECT_EQ(winners, 1U);
      EXPECT_GT(there.version, version);
    }
    version = there.version;
  }
}

TYPED_TEST_P(RegistersConformance, NoIncrementIsLost) {
  constexpr uint64_t kEach = 67;
  const std::unique_ptr<Registers> three = this->harness_.View();
  struct Counter {
    Registers* view;
    uint64_t done = 0;
    uint64_t unknown = 0;

    void Next() {
      if (done + unknown == kEach) return;
      view->Read("count", [this](RegisterOutcome outcome, const RegisterValue& value) {
        if (outcome != RegisterOutcome::kDone) {
          Next();
          return;
        }
        const uint64_t count = value.text.empty() ? 0 : std::stoull(value.text);
        view->Write("count", value.version, std::to_string(count + 1),
                    [this](RegisterOutcome written, uint64_t) {
                      if (written == RegisterOutcome::kDone) ++done;
                      if (written == RegisterOutcome::kUnknown) ++unknown;
                      Next();
                    });
      });
    }
  };
  std::vector<Counter> counters = {{this->one_.get()}, {this->two_.get()}, {three.get()}};
  for (Counter& counter : counters) counter.Next();
  uint64_t done = 0;
  uint64_t unknown = 0;
  for (Counter& counter : counters) {
    ASSERT_TRUE(this->harness_.TurnUntil([&] { return counter.done + counter.unknown == kEach; }));
    done += counter.done;
    unknown += counter.unknown;
  }
  const uint64_t count = std::stoull(this->Read("count").text);
  EXPECT_GE(count, done);
  EXPECT_LE(count, done + unknown);
  EXPECT_GT(done, kEach);
}

TYPED_TEST_P(RegistersConformance, TellsOfChanges) {
  if (!TypeParam::kTells) GTEST_SKIP() << "it cannot tell";
  uint64_t told = 0;
  this->two_->set_on_change([&] { ++told; });
  uint64_t version = 0;
  // A new one, a changed one, and again: it does not tell but once.
  for (int i = 0; i < 6; ++i) {
    const uint64_t before = told;
    const std::string name = "a/" + std::to_string(i / 3);
    version = this->Write(name, i % 3 == 0 ? 0 : version, std::to_string(i)).version;
    ASSERT_TRUE(this->harness_.TurnUntil([&] { return told > before; })) << i;
  }
  // Not to who does not want to know any more, and anew to who does.
  this->two_->set_on_change(nullptr);
  const uint64_t before = told;
  version = this->Write("a/1", version, "more").version;
  EXPECT_EQ(this->Read("a/1", this->two_.get()).text, "more");
  EXPECT_EQ(told, before);
  this->two_->set_on_change([&] { ++told; });
  for (int i = 0; i < 3; ++i) {
    const uint64_t at = told;
    version = this->Write("a/1", version, std::to_string(i)).version;
    ASSERT_TRUE(this->harness_.TurnUntil([&] { return told > at; })) << i;
  }
}

TYPED_TEST_P(RegistersConformance, WhatCannotBeReachedSaysSoAndComesBack) {
  const uint64_t first = this->Put("a", "one");
  uint64_t told = 0;
  this->one_->set_on_change([&] { ++told; });
  if (TypeParam::kTells) {
    this->Write("a/told", 0, "x", this->two_.get());
    ASSERT_TRUE(this->harness_.TurnUntil([&] { return told > 0; }));
  }
  this->harness_.set_reachable(false);
  EXPECT_FALSE(this->TryRead("a", this->one_.get()));
  EXPECT_FALSE(this->one_->trouble().empty());
  EXPECT_NE(this->one_->trouble().back(), '.');
  const WriteResult write = this->TryWrite("b", 0, "lost?");
  EXPECT_TRUE(write.outcome == RegisterOutcome::kUnknown ||
              write.outcome == RegisterOutcome::kUnreachable);
  EXPECT_EQ(write.version, 0U);
  std::optional<RegisterOutcome> listed;
  this->one_->List("", [&](RegisterOutcome outcome, const auto&) { listed = outcome; });
  ASSERT_TRUE(this->harness_.TurnUntil([&] { return listed.has_value(); }));
  EXPECT_EQ(listed, RegisterOutcome::kUnreachable);
  const uint64_t before = told;
  this->harness_.set_reachable(true);
  ASSERT_TRUE(this->harness_.TurnUntil([&, tries = 0]() mutable {
    return ++tries > 1000 || this->TryRead("a", this->one_.get()).has_value();
  }));
  EXPECT_EQ(this->Read("a"), (RegisterValue{"one", first})) << this->one_->trouble();
  EXPECT_EQ(this->one_->trouble(), "");
  EXPECT_EQ(this->Write("a", first, "two").outcome, RegisterOutcome::kDone);
  if (TypeParam::kTells) {
    EXPECT_TRUE(this->harness_.TurnUntil([&] { return told > before; }));
  }
}

TYPED_TEST_P(RegistersConformance, GoesWithQuestionsUnderWay) {
  this->Put("a", "one");
  int answers = 0;
  for (const int turns : {0, 1, 3}) {
    std::unique_ptr<Registers> view = this->harness_.View();
    view->set_on_change([&] { ++answers; });
    view->Read("a", [&](RegisterOutcome, const RegisterValue&) { ++answers; });
    view->List("", [&](RegisterOutcome, const auto&) { ++answers; });
    view->Write("b", 0, "x", [&](RegisterOutcome, uint64_t) { ++answers; });
    int turned = 0;
    this->harness_.TurnUntil([&] { return turned++ == turns; });
    view.reset();
    const int before = answers;
    this->Read("a");
    EXPECT_EQ(answers, before) << "answered after its end";
  }
  // In an answer, with others under way.
  std::unique_ptr<Registers> view = this->harness_.View();
  bool gone = false;
  for (int i = 0; i < 5; ++i) {
    view->Read("a", [&](RegisterOutcome, const RegisterValue&) {
      EXPECT_FALSE(gone);
      gone = true;
      view.reset();
    });
  }
  ASSERT_TRUE(this->harness_.TurnUntil([&] { return gone; }));
  EXPECT_EQ(this->Read("a").text, "one");
}

REGISTER_TYPED_TEST_SUITE_P(RegistersConformance, WritesWhereTheVersionIsTheExpectedOne,
                            ListsByPrefixInTheOrderOfNames, ListsWhatIsNew,
                            ListsMoreThanFitsIntoOneAnswer, TakesEveryTextAndEveryName,
                            OfTwoWritersOneWins, NoIncrementIsLost, TellsOfChanges,
                            WhatCannotBeReachedSaysSoAndComesBack, GoesWithQuestionsUnderWay);

}  // namespace gemel::conformance

#endif  // GEMEL_TESTS_REGISTERS_CONFORMANCE_H_

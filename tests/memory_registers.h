// Registers in memory, for tests of what stands on them: one engine, a view of it for each member,
// and faults between a view and the engine. Nothing happens but when the test lets the time go on,
// and what happens then is drawn from a seed.

#ifndef GEMEL_TESTS_MEMORY_REGISTERS_H_
#define GEMEL_TESTS_MEMORY_REGISTERS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/life/alive.h"

namespace gemel {

class MemoryRegisters;

// The engine and the clock. It outlives its views. Two of one seed that are asked the same do the
// same.
class MemoryEngine {
 public:
  explicit MemoryEngine(uint64_t seed = 1) : random_(seed) {}
  MemoryEngine(const MemoryEngine&) = delete;
  MemoryEngine& operator=(const MemoryEngine&) = delete;

  // What a member sees.
  std::unique_ptr<MemoryRegisters> View();

  uint64_t now_ms() const { return now_ms_; }
  // When something happens next; nullopt: nothing will.
  std::optional<uint64_t> NextMs() const {
    if (events_.empty()) return std::nullopt;
    return events_.begin()->first.first;
  }
  // Lets the next thing happen, and the clock be when it does; false: nothing is left.
  bool Step() {
    if (events_.empty()) return false;
    const auto first = events_.begin();
    now_ms_ = std::max(now_ms_, first->first.first);
    const std::function<void()> event = std::move(first->second);
    events_.erase(first);
    event();
    return true;
  }
  // Lets happen what does until then, and sets the clock: for who has a clock of their own.
  void RunTo(uint64_t ms) {
    while (!events_.empty() && events_.begin()->first.first <= ms) Step();
    now_ms_ = std::max(now_ms_, ms);
  }
  void RunFor(uint64_t ms) { RunTo(now_ms_ + ms); }
  // Steps until that is so; false: it is not within `ms`, or nothing is left to happen.
  bool RunUntil(const std::function<bool()>& condition, uint64_t ms = 600'000) {
    const uint64_t end_ms = now_ms_ + ms;
    while (!condition()) {
      if (events_.empty() || events_.begin()->first.first > end_ms) return false;
      Step();
    }
    return true;
  }
  // The test's own: a tick of a member, a fault. Things of the same moment happen in the order in
  // which they were put here.
  void After(uint64_t ms, std::function<void()> event) {
    events_.emplace(std::pair(now_ms_ + ms, next_event_++), std::move(event));
  }

  // A way takes a request or an answer from `min_ms` to `max_ms`: they may overtake each other.
  void set_delays(uint64_t min_ms, uint64_t max_ms) {
    min_ms_ = min_ms;
    max_ms_ = max_ms;
  }
  // What a question takes at most.
  void set_time_limit(uint64_t ms) { time_limit_ms_ = ms; }
  uint64_t time_limit_ms() const { return time_limit_ms_; }

  // What is there now, for the test's eyes.
  const std::map<std::string, RegisterValue>& all() const { return all_; }
  RegisterValue At(const std::string& name) const {
    const auto found = all_.find(name);
    return found == all_.end() ? RegisterValue() : found->second;
  }
  // At once, whatever is there, as by a member that is not of the test.
  void Put(const std::string& name, std::string text) { Set(name, std::move(text)); }
  uint64_t writes() const { return writes_; }  // how many were done

  // --- for the views ---

  uint64_t Delay() { return min_ms_ + Draw(max_ms_ - min_ms_ + 1); }
  // 0 to below - 1. Not by std::uniform_int_distribution, which libraries do differently.
  uint64_t Draw(uint64_t below) { return random_() % below; }
  std::pair<RegisterOutcome, uint64_t> CompareAndSet(const std::string& name, uint64_t expected,
                                                     const std::string& text) {
    const uint64_t there = At(name).version;
    if (there != expected) return {RegisterOutcome::kConflict, there};
    Set(name, text);
    return {RegisterOutcome::kDone, At(name).version};
  }
  std::vector<MemoryRegisters*>& views() { return views_; }

 private:
  void Set(const std::string& name, std::string text);

  std::mt19937_64 random_;
  uint64_t now_ms_ = 1000;
  uint64_t next_event_ = 0;
  uint64_t min_ms_ = 1;
  uint64_t max_ms_ = 5;
  uint64_t time_limit_ms_ = 1000;
  uint64_t version_ = 0;  // one for all registers, as etcd counts: a register's may jump
  uint64_t writes_ = 0;
  std::map<std::pair<uint64_t, uint64_t>, std::function<void()>> events_;
  std::map<std::string, RegisterValue> all_;
  std::vector<MemoryRegisters*> views_;  // in the order in which they were made
};

// What may go wrong on a view's way to the engine. Chances are of 100.
struct MemoryFaults {
  bool cut_off = false;  // nothing goes either way: new questions are kUnreachable
  bool tells = true;     // false: of no change, as an engine that cannot
  uint32_t no_way = 0;   // kUnreachable, and nothing is done
  uint32_t request = 0;  // it is lost: a write is kUnknown, and is not done
  uint32_t answer = 0;   // it is lost: a write is kUnknown, and was done
  uint32_t late = 0;     // a write is kUnknown, and is tried up to late_ms after that was said
  uint64_t late_ms = 3000;
};

class MemoryRegisters : public Registers {
 public:
  explicit MemoryRegisters(MemoryEngine* engine) : engine_(engine) {
    engine_->views().push_back(this);
  }
  ~MemoryRegisters() override { std::erase(engine_->views(), this); }
  MemoryRegisters(const MemoryRegisters&) = delete;
  MemoryRegisters& operator=(const MemoryRegisters&) = delete;

  const MemoryFaults& faults() const { return faults_; }
  // For what is asked from now on; but what is on its way is lost too when it is cut off.
  void SetFaults(const MemoryFaults& faults) {
    const bool back = faults_.cut_off && !faults.cut_off;
    if (!faults_.cut_off && faults.cut_off) ++cuts_;
    faults_ = faults;
    if (back) TellChange();
  }
  void CutOff(bool cut_off) {
    MemoryFaults faults = faults_;
    faults.cut_off = cut_off;
    SetFaults(faults);
  }
  // That happens to the next write, once, before any chance is drawn.
  enum class Accident : uint8_t { kNoWay, kRequestLost, kAnswerLost, kLate };
  void NextWrite(Accident accident) { next_write_ = accident; }
  size_t asked() const { return asked_; }  // questions of this view, ever

  void Read(const std::string& name, ReadDone done) override {
    Ask(
        DrawAccident(false), [engine = engine_, name] { return engine->At(name); },
        [done](const std::optional<RegisterValue>& value) {
          done(value ? RegisterOutcome::kDone : RegisterOutcome::kUnreachable,
               value.value_or(RegisterValue()));
        });
  }

  void List(const std::string& prefix, ListDone done) override {
    ListSince(prefix, 0, std::move(done));
  }
  void ListSince(const std::string& prefix, uint64_t since, ListDone done) override {
    using All = std::vector<NamedRegister>;
    const auto list = [engine = engine_, prefix, since] {
      All all;
      for (const auto& [name, value] : engine->all()) {
        if (value.version > since && name.starts_with(prefix)) all.push_back({name, value});
      }
      return all;
    };
    Ask(DrawAccident(false), list, [done](const std::optional<All>& all) {
      done(all ? RegisterOutcome::kDone : RegisterOutcome::kUnreachable, all.value_or(All()));
    });
  }

  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override {
    using Result = std::pair<RegisterOutcome, uint64_t>;
    const std::optional<Accident> accident = DrawAccident(true);
    const Result lost = {accident == Accident::kNoWay || faults_.cut_off
                             ? RegisterOutcome::kUnreachable
                             : RegisterOutcome::kUnknown,
                         0};
    Ask(
        accident,
        [engine = engine_, name, expected, text] {
          return engine->CompareAndSet(name, expected, text);
        },
        [done, lost](const std::optional<Result>& result) {
          const auto [outcome, version] = result.value_or(lost);
          done(outcome, version);
        });
  }

  void set_on_change(std::function<void()> on_change) override {
    on_change_ = std::move(on_change);
  }
  std::string place() const override { return "memory"; }
  std::string trouble() const override { return trouble_; }

  // Of the engine: something was written.
  void TellChange() {
    engine_->After(engine_->Delay(), alive_.Guard([this] {
      if (on_change_ && faults_.tells && !faults_.cut_off) on_change_();
    }));
  }

 private:
  std::optional<Accident> DrawAccident(bool write) {
    ++asked_;
    if (write && next_write_) return std::exchange(next_write_, std::nullopt);
    // Always all of them, so that a fault more does not change what is drawn for the others.
    const bool no_way = engine_->Draw(100) < faults_.no_way;
    const bool request = engine_->Draw(100) < faults_.request;
    const bool answer = engine_->Draw(100) < faults_.answer;
    const bool late = engine_->Draw(100) < faults_.late;
    if (no_way) return Accident::kNoWay;
    if (request) return Accident::kRequestLost;
    if (answer) return Accident::kAnswerLost;
    if (late && write) return Accident::kLate;
    return std::nullopt;
  }

  // `act` is done at the engine, `done` is told its result, or nothing. What is done at the engine
  // is done whether this view still lives or not.
  template <typename Act, typename Done>
  void Ask(std::optional<Accident> accident, Act act, Done done) {
    const uint64_t there = engine_->Delay();
    const uint64_t back = engine_->Delay();
    if (faults_.cut_off || accident == Accident::kNoWay) {
      engine_->After(there, alive_.Guard([this, done] { Fail(done, "it is cut off"); }));
      return;
    }
    if (accident == Accident::kLate) {
      engine_->After(engine_->time_limit_ms() + engine_->Draw(faults_.late_ms + 1), act);
    }
    auto result = std::make_shared<std::optional<decltype(act())>>();
    const bool arrives = !accident || accident == Accident::kAnswerLost;
    const bool answered = !accident && there + back < engine_->time_limit_ms();
    const uint64_t cuts = cuts_;
    if (arrives) {
      // A cut loses what is on its way, or loses the answer alone: who asked cannot tell.
      const bool survives = engine_->Draw(2) == 0;
      engine_->After(there, [act, result, survives, cuts, view = this, watch = alive_.watch()] {
        const bool cut = !watch.gone() && view->cuts_ != cuts;
        if (!cut || survives) *result = act();
      });
    }
    engine_->After(answered ? there + back : engine_->time_limit_ms(),
                   alive_.Guard([this, answered, cuts, result, done] {
                     if (!answered || cuts != cuts_ || !*result) {
                       Fail(done, "it did not answer in time");
                       return;
                     }
                     trouble_.clear();
                     done(*result);
                   }));
  }

  template <typename Done>
  void Fail(const Done& done, const char* why) {
    trouble_ = why;
    done(std::nullopt);
  }

  MemoryEngine* const engine_;
  MemoryFaults faults_;
  std::optional<Accident> next_write_;
  uint64_t cuts_ = 0;
  size_t asked_ = 0;
  std::string trouble_;
  std::function<void()> on_change_;
  Alive alive_;
};

inline std::unique_ptr<MemoryRegisters> MemoryEngine::View() {
  return std::make_unique<MemoryRegisters>(this);
}

inline void MemoryEngine::Set(const std::string& name, std::string text) {
  all_[name] = {std::move(text), ++version_};
  ++writes_;
  for (MemoryRegisters* view : views_) view->TellChange();
}

}  // namespace gemel

#endif  // GEMEL_TESTS_MEMORY_REGISTERS_H_

// The registers as one process of a fleet sees them: answers wait while it is stopped, writes may
// be done twice, and at one of them it may crash.

#ifndef GEMEL_TESTS_FLEET_SIM_MEMBER_REGISTERS_H_
#define GEMEL_TESTS_FLEET_SIM_MEMBER_REGISTERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/fleet_sim/fleet_plan.h"
#include "tests/memory_registers.h"
#include "tests/sim/sim_process.h"

namespace gemel::fleet_sim {

class MemberRegisters : public Registers {
 public:
  struct Hooks {
    // A write is about to go out: what happens to its writer.
    std::function<CrashPoint()> on_write;
    // It crashes, soon after this.
    std::function<void()> crash;
    std::function<bool()> is_doubled;
  };

  MemberRegisters(MemoryEngine* engine, sim::Process* process, Hooks hooks)
      : view_(engine->View()), process_(process), hooks_(std::move(hooks)) {}

  // What is asked from now on goes there.
  void SetEngine(MemoryEngine* engine) {
    earlier_.push_back(std::move(view_));  // what it was asked is still answered
    view_ = engine->View();
    view_->set_on_change(Told());
  }
  MemoryRegisters& view() { return *view_; }
  // It has crashed, or will.
  bool doomed() const { return doomed_; }

  void Read(const std::string& name, ReadDone done) override {
    if (crashing_) return;
    view_->Read(name, [this, done](RegisterOutcome outcome, const RegisterValue& value) {
      process_->Receive([done, outcome, value] { done(outcome, value); });
    });
  }
  void List(const std::string& prefix, ListDone done) override {
    ListSince(prefix, 0, std::move(done));
  }
  void ListSince(const std::string& prefix, uint64_t since, ListDone done) override {
    if (crashing_) return;
    view_->ListSince(prefix, since, [this, done](RegisterOutcome outcome, const auto& all) {
      process_->Receive([done, outcome, all] { done(outcome, all); });
    });
  }
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override {
    if (crashing_) return;
    const CrashPoint point = hooks_.on_write();
    doomed_ |= point != CrashPoint::kNone;
    if (point == CrashPoint::kBefore) return Crash();
    view_->Write(name, expected, text,
                 [this, done, point](RegisterOutcome outcome, uint64_t version) {
                   if (crashing_) return;
                   if (point == CrashPoint::kAnswered) return Crash();
                   process_->Receive([done, outcome, version] { done(outcome, version); });
                 });
    if (hooks_.is_doubled()) view_->Write(name, expected, text, [](auto, auto) {});
    if (point == CrashPoint::kAfter) Crash();
  }
  void set_on_change(std::function<void()> on_change) override {
    on_change_ = std::move(on_change);
    view_->set_on_change(Told());
  }
  std::string place() const override { return view_->place(); }
  std::string trouble() const override { return view_->trouble(); }

 private:
  void Crash() {
    crashing_ = true;
    hooks_.crash();
  }
  std::function<void()> Told() {
    return [this] {
      if (on_change_ && !crashing_) process_->Receive(on_change_);
    };
  }

  std::unique_ptr<MemoryRegisters> view_;
  std::vector<std::unique_ptr<MemoryRegisters>> earlier_;
  sim::Process* process_;
  const Hooks hooks_;
  std::function<void()> on_change_;
  bool doomed_ = false;
  bool crashing_ = false;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_MEMBER_REGISTERS_H_

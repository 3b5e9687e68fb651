// Registers of real engines on a loop that a test turns.

#ifndef GEMEL_TESTS_IO_ENGINE_VIEWS_H_
#define GEMEL_TESTS_IO_ENGINE_VIEWS_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/engines/uv_engines.h"
#include "tests/io/loop_fixture.h"

namespace gemel::engines_test {

class Turning : public LoopTest {
 public:
  using LoopTest::loop_;
  using LoopTest::RunFor;
  using LoopTest::RunUntil;

 private:
  void TestBody() override {}
};

inline EngineOptions OptionsFor(const std::string& engine,
                                const std::vector<std::string>& servers) {
  EngineOptions options;
  options.name = engine;
  options.fleet = "f";
  options.servers = servers;
  return options;
}

inline std::unique_ptr<Registers> Open(uv_loop_t* loop, const EngineOptions& options) {
  std::string error;
  std::unique_ptr<Registers> opened = OpenRegisters(loop, options, &error);
  EXPECT_NE(opened, nullptr) << error;
  return opened;
}

// Turns until it answers.
inline bool Ready(Turning* turning, const EngineOptions& options) {
  const std::unique_ptr<Registers> view = Open(&turning->loop_, options);
  bool asked = false;
  bool ready = false;
  return turning->RunUntil([&] {
    if (!asked && !ready) {
      asked = true;
      view->Read("ready", [&](RegisterOutcome outcome, const RegisterValue&) {
        ready = outcome == RegisterOutcome::kDone;
        asked = false;
      });
    }
    return ready;
  });
}

// Questions one after the other.
struct WriteAnswer {
  RegisterOutcome outcome = RegisterOutcome::kUnknown;
  uint64_t version = 0;
};

inline WriteAnswer WriteTo(Turning* turning, Registers* view, const std::string& name,
                           uint64_t expected, const std::string& text) {
  std::optional<WriteAnswer> answer;
  view->Write(name, expected, text, [&](RegisterOutcome outcome, uint64_t version) {
    answer = WriteAnswer{outcome, version};
  });
  EXPECT_TRUE(turning->RunUntil([&] { return answer.has_value(); })) << "not answered";
  return answer.value_or(WriteAnswer());
}

// Nullopt: kUnreachable.
inline std::optional<RegisterValue> ReadFrom(Turning* turning, Registers* view,
                                             const std::string& name) {
  bool answered = false;
  std::optional<RegisterValue> is;
  view->Read(name, [&](RegisterOutcome outcome, const RegisterValue& value) {
    answered = true;
    if (outcome == RegisterOutcome::kDone) is = value;
  });
  EXPECT_TRUE(turning->RunUntil([&] { return answered; })) << "not answered";
  return is;
}

// Again and again until it is reached; bounded by the patience of the tests.
inline std::optional<RegisterValue> ReadAtLast(Turning* turning, Registers* view,
                                               const std::string& name) {
  std::optional<RegisterValue> value;
  EXPECT_TRUE(e2e::Eventually([&] {
    value = ReadFrom(turning, view, name);
    return value.has_value();
  })) << view->trouble();
  return value;
}

}  // namespace gemel::engines_test

#endif  // GEMEL_TESTS_IO_ENGINE_VIEWS_H_

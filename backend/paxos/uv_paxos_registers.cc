#include "backend/paxos/uv_paxos_registers.h"

#include <optional>
#include <random>
#include <utility>

#include "backend/paxos/acceptor_script.h"
#include "backend/paxos/paxos_registers.h"
#include "backend/paxos/uv_paxos_port.h"
#include "backend/uv/uv_clock.h"

namespace gemel {

namespace {

PaxosOptions LogicOptions(const UvPaxosOptions& options) {
  PaxosOptions logic;
  logic.nodes = options.nodes;
  std::random_device device;
  const auto draw = [&device] { return uint64_t{device()} << 32 | device(); };
  logic.proposer = options.proposer != 0 ? options.proposer : draw();
  logic.seed = draw();
  logic.time_limit_ms = options.time_limit_ms;
  return logic;
}

std::string Place(const PaxosOptions& options, bool follows) {
  if (follows) return "registers on the shards' own nodes";
  std::string place = "registers on the nodes ";
  for (const std::string& node : options.nodes) {
    place += (&node == &options.nodes.front() ? "" : ", ") + node;
  }
  return place;
}

// The two together: the port goes after what uses it.
class UvPaxosRegisters : public Registers {
 public:
  UvPaxosRegisters(uv_loop_t* loop, UvPaxosOptions options, const PaxosOptions& logic)
      : loop_(loop),
        follows_(options.follows),
        shared_(options.shared),
        database_(options.database),
        key_(PaxosKey(options.fleet)),
        port_(loop, key_, std::move(options.node_of), std::max(1U, options.time_limit_ms / 2),
              std::move(options.on_warning)),
        registers_(&port_, logic, Place(logic, options.follows)) {}

  void Read(const std::string& name, ReadDone done) override {
    registers_.Read(name, Timed<RegisterValue>(std::move(done)));
  }
  void List(const std::string& prefix, ListDone done) override {
    registers_.List(prefix, Timed<std::vector<NamedRegister>>(std::move(done)));
  }
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override {
    registers_.Write(name, expected, text,
                     [this, done = std::move(done), from_ms = UvClock::NowMs(loop_)](
                         RegisterOutcome outcome, uint64_t version) {
                       Note(outcome, from_ms);
                       done(outcome, version);
                     });
  }
  void set_on_change(std::function<void()> on_change) override {
    registers_.set_on_change(std::move(on_change));
  }
  void Follow(uint64_t plan, const std::vector<std::string>& nodes) override {
    if (follows_) registers_.Follow(plan, nodes);
  }
  bool Release(const std::string& node, ReleaseDone done) override {
    if (!shared_) return false;
    return registers_.Release(node, [this, done = std::move(done)](NodeRelease release) {
      release.ask_source = {"EVAL", kSourceScript, "0", std::to_string(database_), key_};
      done(release);
    });
  }
  std::string place() const override { return registers_.place(); }
  std::string trouble() const override { return registers_.trouble(); }
  EngineStatus Status() const override {
    EngineStatus status;
    status.leaderless = true;
    status.answer_ms = answer_ms_;
    for (const std::string& name : registers_.nodes()) {
      EngineStatus::Server& server = status.servers.emplace_back();
      server.name = name;
      if (const std::optional<bool> answered = port_.Answers(name)) {
        server.contact = *answered ? EngineStatus::Contact::kReached : EngineStatus::Contact::kNot;
      }
    }
    return status;
  }

 private:
  void Note(RegisterOutcome outcome, uint64_t from_ms) {
    const bool known = outcome == RegisterOutcome::kDone || outcome == RegisterOutcome::kConflict;
    if (known) answer_ms_ = UvClock::NowMs(loop_) - from_ms;
  }
  template <typename Result>
  std::function<void(RegisterOutcome, const Result&)> Timed(
      std::function<void(RegisterOutcome, const Result&)> done) {
    return [this, done = std::move(done), from_ms = UvClock::NowMs(loop_)](RegisterOutcome outcome,
                                                                           const Result& result) {
      Note(outcome, from_ms);
      done(outcome, result);
    };
  }

  uv_loop_t* const loop_;
  const bool follows_;
  const bool shared_;
  const uint32_t database_;
  const std::string key_;
  std::optional<uint64_t> answer_ms_;
  UvPaxosPort port_;
  PaxosRegisters registers_;
};

}  // namespace

std::string PaxosKey(const std::string& fleet) { return "gemel:paxos:" + fleet; }

std::unique_ptr<Registers> OpenPaxosRegisters(uv_loop_t* loop, UvPaxosOptions options) {
  const PaxosOptions logic = LogicOptions(options);
  return std::make_unique<UvPaxosRegisters>(loop, std::move(options), logic);
}

}  // namespace gemel

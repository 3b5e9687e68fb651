#include "backend/paxos/uv_paxos_port.h"

#include <utility>

#include "backend/paxos/acceptor_script.h"
#include "backend/uv/uv_clock.h"

namespace gemel {

namespace {

using Kind = HiredisReply::Kind;

// The value of a setting in the reply to CONFIG GET, names and values one a line.
std::string SettingIn(const std::string& lines, const std::string& name) {
  const std::string text = '\n' + lines + '\n';
  const size_t at = text.find('\n' + name + '\n');
  if (at == text.npos) return {};
  const size_t begin = at + name.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

PaxosAnswer Silent(const std::string& why) {
  PaxosAnswer answer;
  answer.why = why;
  return answer;
}

}  // namespace

UvPaxosPort::UvPaxosPort(uv_loop_t* loop, std::string key, std::vector<HiredisNode> nodes,
                         uint32_t ask_limit_ms, std::function<void(const std::string&)> on_warning)
    : loop_(loop),
      key_(std::move(key)),
      ask_limit_ms_(ask_limit_ms),
      on_warning_(std::move(on_warning)),
      timer_(loop, [this] { OnTimer(); }) {
  for (HiredisNode& node : nodes) {
    const std::string name = node.address.ToString();
    auto made = std::make_unique<Node>(loop, std::move(node));
    made->connection.set_on_idle_close([node = made.get()] { Forget(node); });
    nodes_.emplace(name, std::move(made));
  }
}

UvPaxosPort::~UvPaxosPort() = default;

void UvPaxosPort::Ask(const std::string& node, const PaxosAsk& ask, Done done) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) {
    After(0, [done = std::move(done)] { done(Silent("it is not among the configured nodes")); });
    return;
  }
  Node* const to = found->second.get();
  if (!to->greeted) Greet(node, to);
  const bool known = !to->sha.empty();
  std::vector<std::string> command = {known ? "EVALSHA" : "EVAL", known ? to->sha : kAcceptorScript,
                                      "1", key_};
  std::vector<std::string> args = ask.ToArgs();
  command.insert(command.end(), std::make_move_iterator(args.begin()),
                 std::make_move_iterator(args.end()));
  to->connection.Command(command, ask_limit_ms_,
                         [to, kind = ask.kind, done = std::move(done)](const HiredisReply& reply) {
                           to->answered = reply.kind == Kind::kReply;
                           if (reply.kind == Kind::kReply) {
                             done(PaxosAnswer::Parse(kind, reply.frame));
                             return;
                           }
                           // Of an error too: it may be that the node forgot the script.
                           Forget(to);
                           done(Silent(reply.text));
                         });
}

void UvPaxosPort::Greet(const std::string& name, Node* node) {
  node->greeted = true;
  node->connection.Command(
      {"CONFIG", "GET", "append*"}, ask_limit_ms_,
      [this, name, node](const HiredisReply& reply) { OnAppendSettings(name, node, reply); });
  node->connection.Command({"SCRIPT", "LOAD", kAcceptorScript}, ask_limit_ms_,
                           [node](const HiredisReply& reply) {
                             if (reply.kind == Kind::kReply) node->sha = reply.text;
                           });
}

void UvPaxosPort::OnAppendSettings(const std::string& name, Node* node, const HiredisReply& reply) {
  node->keeps = false;
  if (reply.kind != Kind::kReply) return;
  const bool appends = SettingIn(reply.text, "appendonly") == "yes";
  node->keeps = appends && SettingIn(reply.text, "appendfsync") == "always";
  if (node->keeps || node->warned || !on_warning_) return;
  node->warned = true;
  const std::function<void(const std::string&)> warn = on_warning_;
  warn("Node " + name + " keeps registers of the fleet, but " +
       (appends ? "does not write each to its disk at once (appendfsync is not always)"
                : "keeps them in memory alone (appendonly is no)") +
       ": when a majority of the nodes restart at once, the registers are lost.");
}

void UvPaxosPort::Forget(Node* node) {
  node->greeted = node->keeps = false;
  node->sha.clear();
}

bool UvPaxosPort::Keeps(const std::string& node) const {
  const auto found = nodes_.find(node);
  return found != nodes_.end() && found->second->keeps;
}

std::map<std::string, std::optional<bool>> UvPaxosPort::Answers() const {
  std::map<std::string, std::optional<bool>> all;
  for (const auto& [name, node] : nodes_) all.emplace(name, node->answered);
  return all;
}

void UvPaxosPort::After(uint64_t ms, std::function<void()> call) {
  calls_.emplace(UvClock::NowMs(loop_) + ms, std::move(call));
  Arm();
}

void UvPaxosPort::Arm() {
  if (calls_.empty()) return;
  const uint64_t now_ms = UvClock::NowMs(loop_);
  const uint64_t first_ms = calls_.begin()->first;
  timer_.Set(first_ms <= now_ms ? 0 : first_ms - now_ms);
}

void UvPaxosPort::OnTimer() {
  const Alive::Watch alive = alive_.watch();
  const uint64_t now_ms = UvClock::NowMs(loop_);
  // What they put here for now waits for the next turn.
  std::vector<std::function<void()>> due;
  while (!calls_.empty() && calls_.begin()->first <= now_ms) {
    due.push_back(std::move(calls_.begin()->second));
    calls_.erase(calls_.begin());
  }
  for (const std::function<void()>& call : due) {
    call();
    if (alive.gone()) return;
  }
  Arm();
}

}  // namespace gemel

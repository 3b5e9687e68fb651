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

constexpr char kIsReplica[] = "it is a replica of another server at the moment";

PaxosAnswer Silent(const std::string& why) {
  PaxosAnswer answer;
  answer.why = why;
  return answer;
}

}  // namespace

UvPaxosPort::UvPaxosPort(uv_loop_t* loop, std::string key, PaxosNodeOf node_of,
                         uint32_t ask_limit_ms, std::function<void(const std::string&)> on_warning)
    : loop_(loop),
      key_(std::move(key)),
      node_of_(std::move(node_of)),
      ask_limit_ms_(ask_limit_ms),
      on_warning_(std::move(on_warning)),
      timer_(loop, [this] { OnTimer(); }) {}

UvPaxosPort::~UvPaxosPort() = default;

UvPaxosPort::Node* UvPaxosPort::Find(const std::string& name) {
  if (const auto known = nodes_.find(name); known != nodes_.end()) return known->second.get();
  std::optional<HiredisNode> at = node_of_(name);
  if (!at) return nullptr;
  auto made = std::make_unique<Node>(loop_, *std::move(at));
  made->connection.set_on_idle_close([node = made.get()] { Forget(node); });
  return nodes_.emplace(name, std::move(made)).first->second.get();
}

void UvPaxosPort::Ask(const std::string& node, const PaxosAsk& ask, Done done) {
  if (Find(node) == nullptr) {
    After(0, [done = std::move(done)] { done(Silent("it is not among the configured nodes")); });
    return;
  }
  Send(std::make_shared<Question>(Question{node, ask, std::move(done)}));
}

void UvPaxosPort::Send(const std::shared_ptr<Question>& question) {
  Node* const to = Find(question->node);
  if (!to->greeted) Greet(question->node, to);
  const bool known = !to->sha.empty();
  std::vector<std::string> command = {known ? "EVALSHA" : "EVAL", known ? to->sha : ScriptFor(*to),
                                      "1", key_};
  std::vector<std::string> args = question->ask.ToArgs();
  command.insert(command.end(), std::make_move_iterator(args.begin()),
                 std::make_move_iterator(args.end()));
  to->connection.Command(command, ask_limit_ms_, [this, to, question](const HiredisReply& reply) {
    if (TryAgain(to, *question, reply)) {
      ++question->tries;
      Send(question);
      return;
    }
    to->answered = reply.kind == Kind::kReply;
    if (reply.kind == Kind::kReply) {
      const PaxosAnswer answer = PaxosAnswer::Parse(question->ask.kind, reply.frame);
      to->answered = answer.evicts.empty();
      WarnOfPolicy(question->node, to, answer.evicts);
      question->done(answer);
      return;
    }
    // What a replica says to scripts that write; else it may be that it forgot the script.
    const bool replica = reply.text.starts_with("READONLY");
    if (!replica) Forget(to);
    question->done(Silent(replica ? kIsReplica : reply.text));
  });
}

bool UvPaxosPort::TryAgain(Node* node, const Question& question, const HiredisReply& reply) {
  if (reply.kind != Kind::kError || question.tries >= 2) return false;
  // Somebody's SCRIPT FLUSH.
  if (reply.text.starts_with("NOSCRIPT")) {
    Forget(node);
    return true;
  }
  if (node->plain || reply.text.find("ompiling script") == std::string::npos) return false;
  node->plain = true;
  Forget(node);
  Warn(node, "Node " + question.node +
                 " keeps registers of the fleet, but is older than Redis 7.0: while its memory is "
                 "full (maxmemory) it takes no write of them.");
  return true;
}

std::string UvPaxosPort::ScriptFor(const Node& node) {
  return (node.plain ? std::string() : std::string(kAcceptorFlags)) + kAcceptorScript;
}

void UvPaxosPort::Greet(const std::string& name, Node* node) {
  node->greeted = true;
  // Its user or password may be others by now.
  if (std::optional<HiredisNode> at = node_of_(name)) node->connection.set_node(*std::move(at));
  node->connection.Command(
      {"CONFIG", "GET", "append*"}, ask_limit_ms_,
      [this, name, node](const HiredisReply& reply) { OnAppendSettings(name, node, reply); });
  node->connection.Command({"SCRIPT", "LOAD", ScriptFor(*node)}, ask_limit_ms_,
                           [node](const HiredisReply& reply) {
                             if (reply.kind == Kind::kReply) node->sha = reply.text;
                           });
}

void UvPaxosPort::Warn(Node* node, const std::string& sentence) {
  const std::function<void(const std::string&)> warn = on_warning_;
  if (warn && node->warned.insert(sentence).second) warn(sentence);
}

void UvPaxosPort::WarnOfPolicy(const std::string& name, Node* node, const std::string& policy) {
  if (policy.empty()) return;
  Warn(node, "Node " + name +
                 " does not count among those that keep registers of the fleet: it may evict them "
                 "as any key (maxmemory-policy " +
                 policy +
                 "). Set noeviction or a volatile policy there, or name other servers in [fleet] "
                 "servers.");
}

void UvPaxosPort::OnAppendSettings(const std::string& name, Node* node, const HiredisReply& reply) {
  node->keeps = false;
  if (reply.kind != Kind::kReply) return;
  const bool appends = SettingIn(reply.text, "appendonly") == "yes";
  node->keeps = appends && SettingIn(reply.text, "appendfsync") == "always";
  if (node->keeps) return;
  Warn(node, "Node " + name + " keeps registers of the fleet, but " +
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

std::optional<bool> UvPaxosPort::Answers(const std::string& node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? std::nullopt : found->second->answered;
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

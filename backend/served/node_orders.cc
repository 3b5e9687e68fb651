#include "backend/served/node_orders.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/settings/option_text.h"

namespace gemel {

namespace {

constexpr uint64_t kAskAgainMs = 50;

}  // namespace

NodeOrders::NodeOrders(Shard* shard, ControlPort* port, ShardEnv* env)
    : shard_(shard), port_(port), env_(env), rounds_(kMaxCopies) {
  shard_->control().set_node_orders([this](Request* request) { Take(request); });
}

void NodeOrders::Stop() {
  shard_->control().set_node_orders(nullptr);
  while (!running_.empty()) {
    Running& first = running_.begin()->second;
    first.due_ms = 0;
    first.left.clear();
    first.polled.clear();
    Settle(running_.begin());
  }
}

void NodeOrders::ForgetCopy(uint32_t copy) {
  ++rounds_[copy];
  for (auto it = running_.begin(); it != running_.end();) {
    const auto running = it++;
    running->second.left.erase(copy);
    running->second.polled.erase(copy);
    Settle(running);
  }
}

void NodeOrders::Take(Request* request) {
  const uint64_t id = next_++;
  Running& running = running_.try_emplace(id, Running{request, 0, 0, {}, {}, {}}).first->second;
  NodesOrder& order = running.order();
  order.answers.clear();
  if (order.delay_ms > 0) {
    running.due_ms = env_->NowMs() + order.delay_ms;
    return;
  }
  const SettingsPort& nodes = shard_->ports().settings;
  std::vector<std::pair<uint32_t, const std::vector<NodesOrder::Command>*>> asked;
  for (uint32_t copy = 0; copy < nodes.copy_count(); ++copy) {
    if (!nodes.IsMember(copy)) continue;
    const std::string& name = nodes.NameOf(copy);
    const auto own = order.of_nodes.find(name);
    if (!order.of_nodes.empty() && own == order.of_nodes.end()) continue;
    const auto* commands = own == order.of_nodes.end() ? &order.commands : &own->second;
    const bool away = !nodes.IsConnected(copy);
    order.answers.push_back({name, nodes.info().primary == copy, away, {}});
    if (away) continue;
    order.answers.back().replies.resize(commands->size());
    running.answers[copy] = order.answers.size() - 1;
    if (!commands->empty()) running.left[copy] = static_cast<uint32_t>(commands->size());
    if (!order.poll.empty()) running.polled[copy] = false;
    asked.emplace_back(copy, commands);
  }
  for (const auto& [copy, commands] : asked) Ask(id, copy, *commands);
  Settle(running_.find(id));
}

void NodeOrders::Ask(uint64_t id, uint32_t copy, const std::vector<NodesOrder::Command>& commands) {
  for (size_t i = 0; i < commands.size(); ++i) {
    port_->Command(
        copy, commands[i],
        alive_.Guard([this, id, copy, i, round = rounds_[copy]](const ControlReply& reply) {
          if (rounds_[copy] == round) OnReply(id, copy, i, reply);
        }));
  }
}

void NodeOrders::OnReply(uint64_t id, uint32_t copy, size_t command, const ControlReply& reply) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  Running& running = found->second;
  NodesOrder& order = running.order();
  ControlReply& answer = order.answers[running.answers[copy]].replies[command];
  answer = reply;
  if (reply.ok && !order.own_values.empty()) {
    answer.text = WithOwnValues(copy, order.own_values, reply.text);
  }
  if (--running.left[copy] == 0) running.left.erase(copy);
  Settle(found);
}

void NodeOrders::Tick(uint64_t now_ms) {
  for (auto it = running_.begin(); it != running_.end();) {
    const auto running = it++;
    Running& one = running->second;
    if (one.due_ms != 0 && now_ms >= one.due_ms) {
      one.due_ms = 0;
      Settle(running);
      continue;
    }
    if (one.polled.empty() || !one.left.empty() || now_ms < one.poll_ms) continue;
    one.poll_ms = now_ms + kAskAgainMs;
    std::vector<uint32_t> copies;
    for (auto& [copy, asked] : one.polled) {
      if (!std::exchange(asked, true)) copies.push_back(copy);
    }
    for (const uint32_t copy : copies) Poll(running->first, copy);
  }
}

void NodeOrders::Poll(uint64_t id, uint32_t copy) {
  port_->Command(copy, running_.at(id).order().poll,
                 alive_.Guard([this, id, copy, round = rounds_[copy]](const ControlReply& reply) {
                   if (rounds_[copy] == round) OnPolled(id, copy, reply);
                 }));
}

void NodeOrders::OnPolled(uint64_t id, uint32_t copy, const ControlReply& reply) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  Running& running = found->second;
  NodesOrder& order = running.order();
  if (!reply.ok || reply.text.find(order.while_has) == std::string::npos) {
    order.answers[running.answers[copy]].replies.push_back(reply);
    running.polled.erase(copy);
  } else {
    running.polled[copy] = false;
  }
  Settle(found);
}

void NodeOrders::Settle(Iterator running) {
  Running& one = running->second;
  if (one.due_ms != 0 || !one.left.empty() || !one.polled.empty()) return;
  Request* request = one.request;
  running_.erase(running);
  request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
}

std::string NodeOrders::WithOwnValues(uint32_t copy, const std::vector<std::string>& names,
                                      const std::string& text) const {
  if (settings_ == nullptr) return text;
  std::string out;
  ForEachOption(text, [&](std::string_view name, std::string_view value) {
    const bool ours = std::find(names.begin(), names.end(), name) != names.end();
    const std::string* own = ours ? settings_->OwnOf(copy, name) : nullptr;
    if (!out.empty()) out.push_back('\n');
    out.append(name).push_back('\n');
    out.append(own != nullptr ? std::string_view(*own) : value);
  });
  return out;
}

}  // namespace gemel

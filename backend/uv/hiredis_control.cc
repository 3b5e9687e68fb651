#include "backend/uv/hiredis_control.h"

#include <utility>

namespace gemel {

HiredisControl::HiredisControl(uv_loop_t* loop, std::vector<HiredisNode> nodes, uint32_t timeout_ms)
    : loop_(loop), timeout_ms_(timeout_ms) {
  for (HiredisNode& node : nodes) {
    connections_.push_back(std::make_unique<HiredisConnection>(loop, std::move(node)));
  }
}

HiredisControl::~HiredisControl() = default;

void HiredisControl::SetNode(uint32_t copy, HiredisNode node) {
  if (connections_.size() <= copy) connections_.resize(copy + 1);
  std::unique_ptr<HiredisConnection>& connection = connections_[copy];
  if (connection != nullptr && connection->node().address == node.address) {
    connection->set_node(std::move(node));
  } else {
    connection = std::make_unique<HiredisConnection>(loop_, std::move(node));
    if (for_kills_.size() > copy) for_kills_[copy].reset();
  }
}

void HiredisControl::Remove(uint32_t copy, const std::vector<std::vector<std::string>>& last) {
  std::unique_ptr<HiredisConnection> connection = std::move(connections_[copy]);
  if (for_kills_.size() > copy) for_kills_[copy].reset();
  if (connection == nullptr || last.empty()) return;
  leaving_.push_back(std::move(connection));
  HiredisConnection* leaving = leaving_.back().get();
  for (size_t i = 0; i + 1 < last.size(); ++i) leaving->Command(last[i], timeout_ms_, [](auto&) {});
  leaving->Command(last.back(), timeout_ms_,
                   [this, at = std::prev(leaving_.end())](const auto&) { leaving_.erase(at); });
}

std::string HiredisControl::NumberOf(uint32_t copy) const {
  const HiredisConnection* connection = connections_[copy].get();
  if (connection == nullptr || connection->node().addresses == nullptr) return {};
  return connection->node().addresses->held();
}

HiredisConnection* HiredisControl::ConnectionFor(uint32_t copy,
                                                 const std::vector<std::string>& args) {
  HiredisNode node = connections_[copy]->node();
  if (node.others == nullptr || node.others->self().fleet_id.empty() || args.size() != 2 ||
      args[1] != "KILL") {
    return connections_[copy].get();
  }
  node.others = nullptr;
  if (for_kills_.size() <= copy) for_kills_.resize(copy + 1);
  if (for_kills_[copy] == nullptr) {
    for_kills_[copy] = std::make_unique<HiredisConnection>(loop_, std::move(node));
  } else {
    for_kills_[copy]->set_node(std::move(node));
  }
  return for_kills_[copy].get();
}

void HiredisControl::Command(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  if (connections_[copy] == nullptr) return;  // nobody waits for it any more
  ConnectionFor(copy, args)
      ->Command(args, timeout_ms_, [done = std::move(done)](const HiredisReply& reply) {
        ControlReply answer;
        answer.ok = reply.kind == HiredisReply::Kind::kReply;
        answer.refused = reply.kind == HiredisReply::Kind::kError;
        (answer.ok ? answer.text : answer.error) = reply.text;
        answer.frame = reply.frame;
        done(answer);
      });
}

}  // namespace gemel

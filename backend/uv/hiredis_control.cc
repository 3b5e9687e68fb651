#include "backend/uv/hiredis_control.h"

#include <utility>

namespace gemel {

HiredisControl::HiredisControl(uv_loop_t* loop, std::vector<HiredisNode> nodes, uint32_t timeout_ms)
    : timeout_ms_(timeout_ms) {
  for (HiredisNode& node : nodes) {
    connections_.push_back(std::make_unique<HiredisConnection>(loop, std::move(node)));
  }
}

HiredisControl::~HiredisControl() = default;

void HiredisControl::Command(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  connections_[copy]->Command(args, timeout_ms_,
                              [done = std::move(done)](const HiredisReply& reply) {
                                ControlReply answer;
                                answer.ok = reply.kind == HiredisReply::Kind::kReply;
                                answer.refused = reply.kind == HiredisReply::Kind::kError;
                                (answer.ok ? answer.text : answer.error) = reply.text;
                                done(answer);
                              });
}

}  // namespace gemel

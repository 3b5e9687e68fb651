#include "proxy/local/ask_nodes.h"

#include <utility>

#include "proxy/session/gather.h"

namespace gemel {

namespace {

// Stands where a client's place would.
class NodesAsk : public RequestSink {
 public:
  NodesAsk(SessionContext* context, std::function<void(std::vector<NodeSaid>)> then)
      : context_(context), then_(std::move(then)) {}

  void Send(const Request& place, const NodesOrder& order) {
    Request* own = context_->dispatcher->NewFor(place, this);
    GatherPtr gather =
        Gather::Make(context_->dispatcher, own,
                     [this](const std::vector<PartReply>& parts, std::string*) { Take(parts); });
    for (const PoolShard& shard : context_->pool->shards()) {
      gather->AddApart(shard.slot, RequestKind::kNodes, std::make_unique<NodesOrder>(order));
    }
    Gather::Launch(std::move(gather));
  }

 private:
  void Take(const std::vector<PartReply>& parts) {
    for (const PartReply& part : parts) {
      const auto& order = static_cast<const NodesOrder&>(*part.cargo);
      for (const NodesOrder::Answer& answer : order.answers) {
        said_.push_back({std::string(part.shard), answer});
      }
    }
  }

  void OnReply(Request* request, const Reply&) override {
    context_->dispatcher->Free(request);
    const auto then = std::move(then_);
    std::vector<NodeSaid> said = std::move(said_);
    delete this;
    then(std::move(said));
  }

  SessionContext* context_;
  std::function<void(std::vector<NodeSaid>)> then_;
  std::vector<NodeSaid> said_;
};

}  // namespace

void AskNodes(SessionContext* context, const Request& place, const NodesOrder& order,
              std::function<void(std::vector<NodeSaid>)> then) {
  // NOLINTNEXTLINE: it is gone when it has gone on
  (new NodesAsk(context, std::move(then)))->Send(place, order);
}

void AnswerPlace(Request* place, std::string_view frame) {
  place->sink->OnReply(place, Reply{frame, nullptr});
}

std::string OfNode(const NodeSaid& said) {
  return ": node " + said.answer.node + " of shard '" + said.shard + "'";
}

}  // namespace gemel

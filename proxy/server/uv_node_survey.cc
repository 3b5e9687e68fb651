#include "proxy/server/uv_node_survey.h"

#include <algorithm>
#include <utility>

#include "backend/link/node_identity.h"

namespace gemel {

namespace {

constexpr uint32_t kAnswerMs = 1500;

}  // namespace

// Questions to many nodes; `done` runs when the last of them is answered.
struct UvNodeSurvey::Round {
  size_t left = 1;  // one of them stands for the asking itself
  Done done;
};

std::vector<SurveyedNode> NodesToSurvey(const PoolConfig& pool, const PoolConfig* known) {
  std::vector<SurveyedNode> nodes;
  for (const ShardConfig& shard : pool.shards) {
    std::vector<std::string> before;
    if (known != nullptr) {
      for (const ShardConfig& old : known->shards) {
        if (old.name != shard.name) continue;
        for (const Address& address : old.Nodes()) before.push_back(address.ToString());
      }
    }
    for (const Address& address : shard.Nodes()) {
      if (std::find(before.begin(), before.end(), address.ToString()) != before.end()) continue;
      SurveyedNode& node = nodes.emplace_back();
      node.shard = shard.name;
      node.name = address.ToString();
      node.node.address = address;
      node.node.user = shard.user;
      node.node.password = shard.password;
      node.node.database = shard.database;
    }
  }
  return nodes;
}

UvNodeSurvey::UvNodeSurvey(uv_loop_t* loop, const ProxyInstance* self,
                           std::vector<SurveyedNode> nodes)
    : self_(self), nodes_(std::move(nodes)) {
  for (const SurveyedNode& node : nodes_) {
    connections_.push_back(std::make_unique<HiredisConnection>(loop, node.node));
  }
}

std::shared_ptr<UvNodeSurvey::Round> UvNodeSurvey::Begin(Done done) {
  auto round = std::make_shared<Round>();
  round->done = std::move(done);
  return round;
}

void UvNodeSurvey::End(const std::shared_ptr<Round>& round) {
  if (--round->left > 0) return;
  const Done done = std::move(round->done);
  done();
}

void UvNodeSurvey::Send(const std::shared_ptr<Round>& round, size_t node, const Words& command,
                        std::function<void(const HiredisReply&)> take) {
  ++round->left;
  connections_[node]->Command(
      command, kAnswerMs, [this, round, node, take = std::move(take)](const HiredisReply& reply) {
        if (reply.kind != HiredisReply::Kind::kReply && reply.kind != HiredisReply::Kind::kError) {
          nodes_[node].reached = false;
        }
        take(reply);
        End(round);
      });
}

void UvNodeSurvey::SetName(const std::shared_ptr<Round>& round, bool serves) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].reached) continue;
    const std::string name =
        ConnectionName(*self_, nodes_[i].shard, serves, {self_->fleet_id, 0, self_->member});
    Send(round, i, {"CLIENT", "SETNAME", name}, [this, i](const HiredisReply& reply) {
      if (reply.kind == HiredisReply::Kind::kError) nodes_[i].blind = reply.text;
    });
  }
}

void UvNodeSurvey::Ask(Done done) {
  auto round = Begin([this, done = std::move(done)]() mutable { Look(std::move(done)); });
  for (SurveyedNode& node : nodes_) node.reached = true;
  SetName(round, /*serves=*/false);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Send(round, i, {"INFO"}, [this, i](const HiredisReply& reply) {
      if (reply.kind == HiredisReply::Kind::kReply) {
        nodes_[i].process = ProcessOf(IdFromInfo(reply.text));
      }
    });
  }
  End(round);
}

void UvNodeSurvey::Look(Done done) {
  auto round = Begin(std::move(done));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].reached) continue;
    Send(round, i, {"CLIENT", "LIST"}, [this, i](const HiredisReply& reply) {
      nodes_[i].others.clear();
      if (reply.kind == HiredisReply::Kind::kReply) {
        nodes_[i].others = ProxiesIn(reply.text, nodes_[i].node.database, *self_);
      } else if (reply.kind == HiredisReply::Kind::kError) {
        nodes_[i].blind = reply.text;
      }
    });
  }
  End(round);
}

void UvNodeSurvey::Serve(Done done) {
  auto round = Begin(std::move(done));
  SetName(round, /*serves=*/true);
  End(round);
}

void UvNodeSurvey::Kill(const std::function<bool(const SeenProxy&)>& ends, Done done) {
  auto round = Begin(std::move(done));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].reached) continue;
    for (const SeenProxy& other : nodes_[i].others) {
      if (!ends(other)) continue;
      for (const std::string& id : other.client_ids) {
        Send(round, i, {"CLIENT", "KILL", "ID", id}, [](const HiredisReply&) {});
      }
    }
  }
  End(round);
}

}  // namespace gemel

// Asks the primary of each shard INFO by the data path, so that what its client has written before
// is in it, and does not wait for ever. (What ask_nodes.h asks goes beside that, to every node.)

#ifndef GEMEL_PROXY_LOCAL_NODE_ANSWERS_H_
#define GEMEL_PROXY_LOCAL_NODE_ANSWERS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "backend/shard/request.h"
#include "proxy/local/node_info.h"
#include "proxy/session/deadlines.h"
#include "proxy/session/session_context.h"

namespace gemel {

// Owns itself from Begin on, and is gone when every shard has answered.
class NodeAnswers : public RequestSink, private Deadline {
 public:
  // Who has not answered by then is left out.
  static constexpr uint64_t kPatienceMs = 1000;
  // Called once, maybe before Begin returns: a text for each shard, in the order of the pool.
  using Done = std::function<void(std::vector<ShardInfoText> shards)>;

  // `place`: a request of the session that asks, for whom it is sent.
  static void Begin(SessionContext* context, const Request& place, Done done);

 private:
  NodeAnswers(SessionContext* context, Done done) : context_(context), done_(std::move(done)) {}

  void Send(const Request& place);
  void OnReply(Request* request, const Reply& reply) override;
  void OnDeadline() override { Finish(); }
  void Finish();
  void End();

  SessionContext* context_;
  Done done_;
  std::vector<Request*> requests_;  // by shard; null: it is answered
  std::vector<ShardInfoText> shards_;
  size_t left_ = 0;
  bool finished_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_NODE_ANSWERS_H_

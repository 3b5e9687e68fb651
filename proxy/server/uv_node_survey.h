// Asks many nodes at once who they are and which gemels they have connections of, before any of
// them is used.

#ifndef GEMEL_PROXY_SERVER_UV_NODE_SURVEY_H_
#define GEMEL_PROXY_SERVER_UV_NODE_SURVEY_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/link/other_proxies.h"
#include "backend/uv/hiredis_connection.h"
#include "config/config.h"

namespace gemel {

struct SurveyedNode {
  std::string shard;
  std::string name;  // Address::ToString()
  HiredisNode node;
  // What it said:
  bool reached = false;
  std::string process;  // its run_id; empty or kHiddenRunId: not told
  std::vector<SeenProxy> others;
  std::string blind;  // why the others cannot be seen there, or not see this one; empty: they can
};

// All nodes of the shards but those that the same shard has in `known` already.
std::vector<SurveyedNode> NodesToSurvey(const PoolConfig& pool, const PoolConfig* known);

// One loop, one thread. A node that does not answer in time is left out of all that follows. `done`
// runs once, later, and may destroy this.
class UvNodeSurvey {
 public:
  using Done = std::function<void()>;

  // `self` must outlive it.
  UvNodeSurvey(uv_loop_t* loop, const ProxyInstance* self, std::vector<SurveyedNode> nodes);
  UvNodeSurvey(const UvNodeSurvey&) = delete;
  UvNodeSurvey& operator=(const UvNodeSurvey&) = delete;

  // First every node learns the name of an undecided gemel, then each is asked who else is there.
  void Ask(Done done);
  // Who else is there now.
  void Look(Done done);
  // From now on the connections are those of one that serves.
  void Serve(Done done);
  // Ends the connections of those others that `ends` says.
  void Kill(const std::function<bool(const SeenProxy&)>& ends, Done done);

  const std::vector<SurveyedNode>& nodes() const { return nodes_; }

 private:
  using Words = std::vector<std::string>;
  struct Round;

  void Send(const std::shared_ptr<Round>& round, size_t node, const Words& command,
            std::function<void(const HiredisReply&)> take);
  std::shared_ptr<Round> Begin(Done done);
  static void End(const std::shared_ptr<Round>& round);
  void SetName(const std::shared_ptr<Round>& round, bool serves);

  const ProxyInstance* self_;
  std::vector<SurveyedNode> nodes_;
  std::vector<std::unique_ptr<HiredisConnection>> connections_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_NODE_SURVEY_H_

// What is looked at on the nodes before a start makes or writes anything: no server in two shards,
// and no other gemel that serves the same nodes.

#ifndef GEMEL_PROXY_SERVER_UV_START_CHECK_H_
#define GEMEL_PROXY_SERVER_UV_START_CHECK_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/shard/server_claims.h"
#include "config/config.h"
#include "proxy/server/uv_node_survey.h"
#include "proxy/server/uv_presence.h"

namespace gemel {

// Why a surveyed node is a server that another shard has, by `claims` or among themselves, a
// sentence; empty if none is. A node that moves from shard to shard by its own name is none.
std::string WhySameServer(const std::vector<SurveyedNode>& nodes, const ServerClaims& claims);
// Why a surveyed node is not to be used because another gemel serves it; empty if none does.
std::string WhyServedByAnother(const std::vector<SurveyedNode>& nodes, UvPresence* presence);

// On one thread, with a loop of its own, which turns only in Run.
class UvStartCheck {
 public:
  // `presence` outlives it.
  UvStartCheck(const PoolConfig& pool, UvPresence* presence);
  ~UvStartCheck();
  UvStartCheck(const UvStartCheck&) = delete;
  UvStartCheck& operator=(const UvStartCheck&) = delete;

  // False if gemel must not serve: *error is a sentence. Waits a moment for one that is about to
  // end. Nodes that do not answer are left out: their links look when they connect. Afterwards, and
  // until this is destroyed, it has connections that tell that this gemel serves.
  bool Run(bool take_over, const ServerClaims& claims,
           const std::function<void(const std::string& warning)>& warn, std::string* error);

 private:
  // Others that are not gone, without doubles; *node is one where the last of them was seen.
  std::vector<SeenProxy> Others(std::string* node) const;
  bool MayServe(std::string* error);
  void EndOthers(const std::function<void(const std::string&)>& warn);
  void WarnOfBlindness(const std::function<void(const std::string&)>& warn) const;
  void Do(const std::function<void(UvNodeSurvey::Done)>& step);
  void Wait(uint64_t ms);

  UvPresence* presence_;
  uv_loop_t loop_{};  // no clock: uv_loop_init leaves `data` as it is
  std::unique_ptr<UvNodeSurvey> survey_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_START_CHECK_H_

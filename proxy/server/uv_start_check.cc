#include "proxy/server/uv_start_check.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/link/node_identity.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

namespace {

constexpr uint64_t kLookAgainMs = 100;
// A node may not have read yet that the connections of one that ended are over.
constexpr uint64_t kEndsMs = 2000;
// One that is undecided as well is about to give way.
constexpr uint64_t kGivesWayMs = 10000;

std::string Sentence(const SurveyedNode& node, const ServerUser& other) {
  return "node " + node.name + " of shard '" + node.shard + "' is the same server as node " +
         other.node + " of shard '" + other.shard +
         "': a server, or one database of it, can belong to one shard only, or each would delete "
         "the other's keys";
}

}  // namespace

std::string WhySameServer(const std::vector<SurveyedNode>& nodes, const ServerClaims& claims) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    const SurveyedNode& node = nodes[i];
    if (!node.reached || node.process.empty() || node.process == kHiddenRunId) continue;
    for (size_t j = 0; j < i; ++j) {
      if (nodes[j].reached && nodes[j].shard != node.shard && nodes[j].process == node.process &&
          nodes[j].node.database == node.node.database) {
        return Sentence(node, {nodes[j].shard, nodes[j].name});
      }
    }
    const std::optional<ServerUser> holder =
        claims.HolderOf(node.process, node.node.database, node.shard);
    if (holder && holder->node != node.name) return Sentence(node, *holder);
  }
  return {};
}

std::string WhyServedByAnother(const std::vector<SurveyedNode>& nodes, UvPresence* presence) {
  for (const SurveyedNode& node : nodes) {
    for (const SeenProxy& other : node.others) {
      if (!other.serves || presence->IsGone(other)) continue;
      return "node " + node.name + " of shard '" + node.shard +
             "' is served by another gemel: " + Describe(other.proxy);
    }
  }
  return {};
}

UvStartCheck::UvStartCheck(const PoolConfig& pool, UvPresence* presence) : presence_(presence) {
  uv_loop_init(&loop_);
  survey_ = std::make_unique<UvNodeSurvey>(&loop_, &presence->self(), NodesToSurvey(pool, nullptr));
}

UvStartCheck::~UvStartCheck() {
  survey_.reset();
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

void UvStartCheck::Do(const std::function<void(UvNodeSurvey::Done)>& step) {
  bool ended = false;
  step([&ended] { ended = true; });
  while (!ended) uv_run(&loop_, UV_RUN_ONCE);
}

void UvStartCheck::Wait(uint64_t ms) {
  bool ended = false;
  UvTimer timer(&loop_, [&ended] { ended = true; });
  timer.Set(ms);
  while (!ended) uv_run(&loop_, UV_RUN_ONCE);
}

std::vector<SeenProxy> UvStartCheck::Others(std::string* node) const {
  std::vector<SeenProxy> others;
  for (const SurveyedNode& surveyed : survey_->nodes()) {
    for (const SeenProxy& other : surveyed.others) {
      if (presence_->IsGone(other)) continue;
      others.push_back(other);
      *node = surveyed.name;
    }
  }
  return others;
}

bool UvStartCheck::Run(bool take_over, const ServerClaims& claims,
                       const std::function<void(const std::string&)>& warn, std::string* error) {
  Do([this](UvNodeSurvey::Done done) { survey_->Ask(std::move(done)); });
  *error = WhySameServer(survey_->nodes(), claims);
  if (!error->empty()) return false;
  WarnOfBlindness(warn);
  if (take_over) {
    EndOthers(warn);
  } else if (!MayServe(error)) {
    return false;
  }
  Do([this](UvNodeSurvey::Done done) { survey_->Serve(std::move(done)); });
  return true;
}

bool UvStartCheck::MayServe(std::string* error) {
  for (uint64_t waited_ms = 0;; waited_ms += kLookAgainMs) {
    std::string node;
    ProxyInstance whom;
    const std::vector<SeenProxy> others = Others(&node);
    const StartStep step = NextStartStep(presence_->self(), others, &whom);
    if (step == StartStep::kServe) return true;
    const bool serves = std::any_of(others.begin(), others.end(), [&](const SeenProxy& other) {
      return other.serves && other.proxy == whom;
    });
    const uint64_t patience_ms = step == StartStep::kWait ? kGivesWayMs : serves ? kEndsMs : 0;
    if (waited_ms >= patience_ms) {
      *error = std::string("another gemel ") + (serves ? "serves" : "is starting on") +
               " the same nodes (" + node + "): " + Describe(whom) +
               ". Two would part the copies, so this one does not start; stop the other first, or "
               "start this one with --take-over, which ends the other's connections";
      return false;
    }
    Wait(kLookAgainMs);
    Do([this](UvNodeSurvey::Done done) { survey_->Look(std::move(done)); });
  }
}

// Named first, or one that connects anew would not see who ended its connections.
void UvStartCheck::EndOthers(const std::function<void(const std::string&)>& warn) {
  Do([this](UvNodeSurvey::Done done) { survey_->Serve(std::move(done)); });
  Do([this](UvNodeSurvey::Done done) { survey_->Look(std::move(done)); });
  std::string node;
  std::set<std::string> taken;
  for (const SeenProxy& other : Others(&node)) {
    if (!taken.insert(other.proxy.id).second) continue;
    presence_->TakeOver(other.proxy);
    warn("--take-over: the connections of another gemel are ended: " + Describe(other.proxy));
  }
  Do([&](UvNodeSurvey::Done done) {
    survey_->Kill([&](const SeenProxy& other) { return taken.contains(other.proxy.id); },
                  std::move(done));
  });
}

void UvStartCheck::WarnOfBlindness(const std::function<void(const std::string&)>& warn) const {
  std::set<std::string> told;
  for (const SurveyedNode& node : survey_->nodes()) {
    if (node.blind.empty() || !told.insert(node.name).second) continue;
    warn("node " + node.name + " of shard '" + node.shard +
         "' does not let gemel name its connections and see those of others (" + node.blind +
         "): a second gemel on the same nodes would not be noticed there; allow the node's user "
         "CLIENT SETNAME and CLIENT LIST");
  }
}

}  // namespace gemel

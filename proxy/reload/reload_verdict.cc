#include "proxy/reload/reload_verdict.h"

#include "proxy/reload/reload_check.h"

namespace gemel {

ReloadVerdict JudgeReload(const ReloadFacts& facts, const Topology& topology,
                          const std::vector<std::string>& leaving) {
  using Kind = ReloadVerdict::Kind;
  ReloadVerdict verdict;
  verdict.description = facts.description;
  verdict.why = facts.error;
  if (!verdict.why.empty()) return verdict;
  if (facts.diff.empty()) {
    std::string left;
    if (facts.order.force) left = OutstandingMembers(facts.now.pool(), topology);
    if (left.empty()) return {Kind::kNothing, {}, "nothing changes"};
    verdict.description = "nothing changes but that this is done by force:\n" + left;
  }
  if (!facts.diff.needs_restart.empty()) {
    for (const std::string& sentence : facts.diff.needs_restart) {
      verdict.why += (verdict.why.empty() ? facts.now.file + ": " : "; ") + sentence;
    }
    return verdict;
  }
  if (!facts.planned) {
    verdict.why =
        WhyRefused(facts.now.pool(), facts.next->pool(), topology, leaving, facts.order.force);
  }
  if (!verdict.why.empty()) {
    verdict.why = facts.now.file + ": " + verdict.why;
    verdict.momentary = true;
    return verdict;
  }
  verdict.why = facts.unbound.empty() ? facts.unopened : facts.unbound;
  if (verdict.why.empty()) verdict.kind = facts.order.dry_run ? Kind::kDryRun : Kind::kChange;
  return verdict;
}

}  // namespace gemel

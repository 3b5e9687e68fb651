#include "backend/settings/seen_setting.h"

#include <algorithm>
#include <utility>

namespace gemel {

namespace {

constexpr uint64_t kRefusedMs = 10 * 1000;
constexpr uint64_t kLeastWaitMs = 1000;
constexpr uint64_t kMostWaitMs = 60 * 1000;
constexpr uint64_t kHeldMs = 10 * 1000;  // then nobody else changes it

}  // namespace

bool SeenSetting::Take(std::string now, const NodeSetting* kept) {
  std::string own = now;
  if (kept != nullptr && same_(now, kept->set)) {
    seen_set_ = kept->set;
    own = kept->own;
  } else if (kept != nullptr && seen_set_ != kept->set && !kept->before.empty() &&
             same_(now, kept->before)) {
    // Nobody came to set it.
    own = kept->own;
  }
  const bool other = known_ && !same_(own, own_);
  known_ = true;
  now_ = std::move(now);
  own_ = std::move(own);
  return other;
}

void SeenSetting::Forget() { *this = SeenSetting(name_, same_); }

std::optional<NodeSetting> SeenSetting::ToKeep(const NodeSetting* kept) const {
  const auto as_is = [&] {
    return kept == nullptr ? std::nullopt : std::optional<NodeSetting>(*kept);
  };
  if (!known_ || !want_) return as_is();
  // Until it is set back it is known what to set it back to.
  if (WantsOwn()) return MustSet() ? as_is() : std::nullopt;
  if (kept != nullptr && kept->own == own_ && same_(kept->set, *want_)) return *kept;
  // What is neither its own nor wanted was set by gemel.
  const bool ours = !same_(now_, own_) && !same_(now_, *want_);
  return NodeSetting{name_, own_, *want_, ours ? now_ : std::string()};
}

bool SeenSetting::MaySet(uint64_t now_ms) const {
  // What gemel wants may be another value with each promotion.
  if (refused_.empty() && want_ && !same_(last_set_, *want_)) return true;
  return now_ms >= set_ms_ + wait_ms_;
}

void SeenSetting::OnSet(std::string refused, uint64_t now_ms) {
  const bool again = set_ms_ != 0 && refused_.empty() && want_ && same_(last_set_, *want_) &&
                     now_ms < set_ms_ + wait_ms_ + kHeldMs;
  if (want_) last_set_ = *want_;
  refused_ = std::move(refused);
  set_ms_ = now_ms;
  if (!refused_.empty()) {
    wait_ms_ = kRefusedMs;
  } else {
    wait_ms_ = again ? std::clamp(wait_ms_ * 2, kLeastWaitMs, kMostWaitMs) : 0;
  }
}

}  // namespace gemel

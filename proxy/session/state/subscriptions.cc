#include "proxy/session/state/subscriptions.h"

#include "backend/bytes/budget.h"

namespace gemel {

std::vector<std::string> Subscriptions::Names(ChannelKind kind) const {
  std::vector<std::string> names;
  if (rep_ == nullptr) return names;
  for (const auto& [name, place] : rep_->places) {
    if (KindOfChannel(name) == kind) names.push_back(name);
  }
  return names;
}

void Subscriptions::Enter(ChannelRegistry* registry, Subscriber* subscriber,
                          const std::string& name) {
  if (rep_ == nullptr) rep_ = std::make_unique<Rep>(Rep{registry, {}, {}, 0});
  try {
    registry->Enter(name, subscriber, &rep_->places[name]);
  } catch (...) {
    rep_->places.erase(name);
    if (rep_->places.empty()) rep_.reset();
    throw;
  }
  ++rep_->counts[static_cast<size_t>(KindOfChannel(name))];
  rep_->bytes += CostOf(name);
  Budget::Take(CostOf(name));
}

bool Subscriptions::Leave(const std::string& name) {
  if (!Has(name)) return false;
  const auto found = rep_->places.find(name);
  --rep_->counts[static_cast<size_t>(KindOfChannel(name))];
  rep_->registry->Leave(name, found->second);
  rep_->places.erase(found);
  rep_->bytes -= CostOf(name);
  Budget::Give(CostOf(name));
  if (rep_->places.empty()) rep_.reset();
  return true;
}

void Subscriptions::Reset() {
  slow_since_ms = 0;
  if (rep_ == nullptr) return;
  ChannelRegistry* registry = rep_->registry;
  std::vector<std::string> names;
  for (const auto& [name, place] : rep_->places) names.push_back(name);
  for (const std::string& name : names) Leave(name);
  registry->Give(names);
}

}  // namespace gemel

#include "proxy/session/state/subscriptions.h"

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
  if (rep_ == nullptr) rep_ = std::make_unique<Rep>(Rep{registry, {}, {}});
  ++rep_->counts[static_cast<size_t>(KindOfChannel(name))];
  registry->Enter(name, subscriber, &rep_->places[name]);
}

void Subscriptions::Leave(const std::string& name) {
  if (!Has(name)) return;
  const auto found = rep_->places.find(name);
  const std::string left = name;  // it may be the key itself
  --rep_->counts[static_cast<size_t>(KindOfChannel(left))];
  rep_->registry->Leave(left, found->second);
  rep_->places.erase(found);
  rep_->registry->Give(left);
  if (rep_->places.empty()) rep_.reset();
}

void Subscriptions::Reset() {
  while (rep_ != nullptr) Leave(std::string(rep_->places.begin()->first));
  slow_since_ms = 0;
}

}  // namespace gemel

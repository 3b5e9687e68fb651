#include "backend/uv/uv_host_watch.h"

#include <algorithm>
#include <utility>

#include "backend/names/node_addresses.h"

namespace gemel {

UvHostWatch::UvHostWatch(uv_loop_t* loop, Address address, std::function<std::string()> peer,
                         std::function<void(const std::string&)> moved, UvNames* names)
    : loop_(loop),
      address_(std::move(address)),
      is_name_(!address_.IsUnix() && !IsNumber(address_.host)),
      peer_(std::move(peer)),
      moved_(std::move(moved)),
      names_(names) {}

void UvHostWatch::Look() { Ask(UvNames::NowMs()); }

void UvHostWatch::LookAtKnown() {
  Ask(UvNames::NowMs() - std::min(UvNames::NowMs(), UvNames::kFreshMs));
}

void UvHostWatch::Ask(uint64_t newer_than_ms) {
  if (!is_name_ || question_ != nullptr || peer_().empty()) return;
  question_ = names_->Ask(loop_, address_.host, newer_than_ms,
                          [this](const NameAnswer& answer) { OnAnswer(answer); });
}

void UvHostWatch::OnAnswer(const NameAnswer& answer) {
  question_.reset();
  const std::string peer = peer_();
  if (answer.addresses.empty() || peer.empty() ||
      std::find(answer.addresses.begin(), answer.addresses.end(), peer) != answer.addresses.end()) {
    return;
  }
  moved_(answer.addresses.front());
}

}  // namespace gemel

#include "backend/uv/uv_dial.h"

#include <algorithm>
#include <utility>

namespace gemel {

UvDial::UvDial(uv_loop_t* loop, Address address, std::shared_ptr<NodeAddresses> addresses,
               Try on_try, Unresolved on_unresolved, UvNames* names)
    : loop_(loop),
      address_(std::move(address)),
      is_name_(!address_.IsUnix() && !IsNumber(address_.host)),
      addresses_(addresses != nullptr ? std::move(addresses) : std::make_shared<NodeAddresses>()),
      on_try_(std::move(on_try)),
      on_unresolved_(std::move(on_unresolved)),
      names_(names),
      timer_(loop, [this] { OnTimer(); }) {}

UvDial::~UvDial() = default;

void UvDial::Begin() {
  Stop();
  tried_ = 0;
  all_refused_ = true;
  trying_ = address_;
  if (!is_name_) {
    under_way_ = true;
    on_try_(address_);
    return;
  }
  if (!addresses_->held().empty()) {
    UseKnown();
    return;
  }
  // How long to wait is asked before this question makes a lookup of its own.
  const uint64_t patience_ms = names_->PatienceMs(address_.host);
  const uint64_t fresh_ms = NowMs() - std::min(NowMs(), UvNames::kFreshMs);
  question_ = names_->Ask(loop_, address_.host, std::max(fresh_ms, addresses_->failed_ms()),
                          [this](const NameAnswer& answer) { OnAnswer(answer); });
  if (!addresses_->known()) return;
  if (patience_ms == 0) {
    UseKnown();
  } else {
    timer_.Set(patience_ms);
  }
}

void UvDial::OnAnswer(const NameAnswer& answer) {
  question_.reset();
  addresses_->Learn(answer.addresses);
  const bool other = under_way_ && !answer.addresses.empty() &&
                     std::find(answer.addresses.begin(), answer.addresses.end(), trying_.host) ==
                         answer.addresses.end();
  if (tried_ > 0 && !other) return;
  if (addresses_->known()) {
    UseKnown();
  } else {
    const Unresolved told = on_unresolved_;  // it may destroy this
    told(answer.error);
  }
}

void UvDial::UseKnown() {
  const std::vector<std::string> numbers = addresses_->ToTry();
  to_try_.assign(numbers.begin(), numbers.end());
  TryNext();
}

bool UvDial::TryNext() {
  timer_.Stop();
  if (to_try_.empty()) return false;
  trying_ = address_;
  trying_.host = std::move(to_try_.front());
  to_try_.pop_front();
  if (!to_try_.empty()) timer_.Set(addresses_->PatienceMs(trying_.host));
  under_way_ = true;
  ++tried_;
  on_try_(trying_);
  return true;
}

void UvDial::OnTimer() {
  if (under_way_) {
    Failed(/*refused=*/false);
  } else {
    UseKnown();
  }
}

bool UvDial::Failed(bool refused) {
  if (!under_way_) return false;
  under_way_ = false;
  all_refused_ = all_refused_ && refused;
  if (!is_name_) return false;
  addresses_->OnFailed(trying_.host, NowMs());
  if (TryNext()) return true;
  addresses_->OnAllFailed(NowMs());
  return false;
}

void UvDial::Connected() {
  under_way_ = false;
  timer_.Stop();
  to_try_.clear();
  question_.reset();
  if (is_name_) addresses_->OnConnected(trying_.host);
}

void UvDial::Stop() {
  if (std::exchange(under_way_, false) && is_name_) addresses_->OnFailed(trying_.host, NowMs());
  timer_.Stop();
  to_try_.clear();
  question_.reset();
}

}  // namespace gemel

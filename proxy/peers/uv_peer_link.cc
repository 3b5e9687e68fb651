#include "proxy/peers/uv_peer_link.h"

#include <algorithm>
#include <utility>

#include "backend/peer/uv_peer_nonce.h"
#include "backend/tls/openssl_tls.h"
#include "config/address.h"

namespace gemel {

namespace {

constexpr uint64_t kLeastBackoffMs = 10;
constexpr uint64_t kMostBackoffMs = 200;
constexpr uint64_t kConnectMs = 2000;
constexpr uint64_t kIdleMs = 60 * 1000;

}  // namespace

UvPeerLink::UvPeerLink(const UvPeerBase* base, std::string member, std::string address, Calls calls)
    : base_(base),
      member_(std::move(member)),
      wanted_address_(std::move(address)),
      calls_(std::move(calls)),
      stream_(base->streams, this),
      hello_(base->chunks) {}

UvPeerLink::~UvPeerLink() = default;

bool UvPeerLink::Idle(uint64_t now_ms) const {
  return now_ms > wanted_ms_ + kIdleMs && (link_ == nullptr || link_->outstanding() == 0);
}

void UvPeerLink::Want(const std::string& address) {
  const uint64_t now_ms = base_->NowMs();
  wanted_ms_ = now_ms;
  wanted_address_ = address;
  if (link_ == nullptr && !dialling_ && now_ms >= retry_ms_) Dial(now_ms);
}

// Failures come later, so that nobody hears of them inside Want.
void UvPeerLink::Dial(uint64_t now_ms) {
  dialling_ = true;
  begun_ms_ = now_ms;
  if (dial_ == nullptr || address_ != wanted_address_) {
    address_ = wanted_address_;
    std::string error;
    const std::optional<Address> parsed = ParseAddress(address_, &error);
    if (!parsed) {
      dialling_ = false;
      retry_ms_ = now_ms + kMostBackoffMs;
      trouble_ = "'" + address_ + "' is no address: " + error;
      return;
    }
    dial_ = std::make_unique<UvDial>(
        base_->streams->loop(), *parsed, nullptr,
        [this, to = *parsed](const Address& number) {
          stream_.Connect(number, base_->keepalive_s, TlsToMember(to));
        },
        [this](const std::string& why) { Close(address_ + ": " + why); });
  }
  dial_->Begin();
}

void UvPeerLink::Say(const std::string& bytes) {
  if (bytes.empty()) return;
  hello_.Append(bytes);
  base_->want_flush();
}

void UvPeerLink::OnStreamConnected() {
  dial_->Connected();
  std::string nonce = PeerNonce();
  if (nonce.empty()) {
    Close("the system gives no random numbers");
    return;
  }
  hello_.Clear();
  shaking_.emplace(PeerHandshake::Side::kDials,
                   PeerHandshake::Names{base_->fleet, base_->member, member_}, base_->secret,
                   std::move(nonce), base_->NowMs());
  std::string out;
  shaking_->Begin(&out);
  if (shaking_->state() == PeerHandshake::State::kRefused) {
    Close(shaking_->error());
    return;
  }
  Say(out);
}

void UvPeerLink::OnShaking(std::string_view bytes, uint64_t now_ms) {
  std::string out;
  size_t used = 0;
  const PeerHandshake::State state = shaking_->OnBytes(bytes, &used, &out);
  if (state == PeerHandshake::State::kRefused) {
    Close(address_ + ": " + shaking_->error());
    return;
  }
  Say(out);
  if (state != PeerHandshake::State::kDone) return;
  shaking_.reset();
  dialling_ = false;
  backoff_ms_ = 0;
  trouble_.clear();
  link_ = std::make_unique<PeerLink>(member_, calls_.host, base_->chunks, calls_.gone, now_ms);
  calls_.on_change();
  bytes.remove_prefix(used);
  if (!bytes.empty() && !link_->OnBytes(bytes, now_ms)) Close(link_->error());
}

void UvPeerLink::OnStreamData(char* data, size_t size) {
  const uint64_t now_ms = base_->NowMs();
  const std::string_view bytes(data, size);
  if (link_ == nullptr) {
    if (shaking_) OnShaking(bytes, now_ms);
  } else if (!link_->OnBytes(bytes, now_ms)) {
    Close(address_ + ": " + link_->error());
  } else if (link_->HasRoomAgain()) {
    calls_.on_room();
  }
}

void UvPeerLink::OnStreamEnd(int code) {
  if (!shaking_ && link_ == nullptr && dial_->Failed(IsRefusal(code))) return;
  Close(address_ + ": " + stream_.WhyEnded(code));
}

void UvPeerLink::OnStreamSent(size_t bytes) {
  if (link_ == nullptr || bytes == 0 || sends_hello_) return;
  link_->OnTaken(bytes);
  if (link_->HasRoomAgain()) calls_.on_room();
}

void UvPeerLink::Close(std::string why) {
  stream_.Close();
  if (dial_ != nullptr) dial_->Stop();
  shaking_.reset();
  dialling_ = false;
  hello_.Clear();
  trouble_ = std::move(why);
  backoff_ms_ = std::clamp(2 * backoff_ms_, kLeastBackoffMs, kMostBackoffMs);
  retry_ms_ = base_->NowMs() + backoff_ms_;
  if (link_ == nullptr) return;
  // Nobody finds it any more while it gives back what it has.
  const std::unique_ptr<PeerLink> lost = std::move(link_);
  calls_.on_change();
  lost->Lost();
  base_->want_flush();
}

void UvPeerLink::Tick(uint64_t now_ms) {
  if (link_ != nullptr) {
    if (!link_->Tick(now_ms)) {
      Close(address_ + ": " + link_->error());
    } else if (address_ != wanted_address_ && link_->outstanding() == 0) {
      Close("it has moved to " + wanted_address_);
    } else if (!link_->out().empty()) {
      base_->want_flush();
    }
  } else if (shaking_) {
    if (shaking_->Tick(now_ms) == PeerHandshake::State::kRefused) {
      Close(address_ + ": " + shaking_->error());
    }
  } else if (dialling_ && now_ms > begun_ms_ + kConnectMs) {
    Close(address_ + ": no connection within " + std::to_string(kConnectMs) + " ms");
  }
}

void UvPeerLink::Flush() {
  sends_hello_ = !hello_.empty();
  if (sends_hello_) {
    stream_.Send(&hello_);
  } else if (link_ != nullptr) {
    stream_.Send(&link_->out());
  }
}

}  // namespace gemel

#include "proxy/peers/uv_peer_guest.h"

#include <utility>

#include "backend/peer/uv_peer_nonce.h"
#include "backend/tls/openssl_tls.h"

namespace gemel {

namespace {

// Who does not take a refusal in that time goes without it.
constexpr uint64_t kTakesRefusalMs = 1000;

}  // namespace

UvPeerGuest::UvPeerGuest(const UvPeerBase* base, PeerGuest::World world)
    : base_(base), world_(std::move(world)), stream_(base->streams, this), hello_(base->chunks) {}

UvPeerGuest::~UvPeerGuest() = default;

bool UvPeerGuest::Accept(UniqueFd socket, bool unix_socket, bool tls) {
  std::string nonce = PeerNonce();
  std::unique_ptr<OpensslChannel> channel = tls ? TlsOfMember() : nullptr;
  if (nonce.empty() || (tls && channel == nullptr) ||
      !stream_.Accept(std::move(socket), unix_socket, base_->keepalive_s, std::move(channel))) {
    ended_ = true;
    return false;
  }
  peer_ = stream_.PeerName();
  shaking_.emplace(PeerHandshake::Side::kServes, PeerHandshake::Names{base_->fleet, base_->member},
                   base_->secret, std::move(nonce), base_->NowMs());
  stream_.StartReading();
  return true;
}

void UvPeerGuest::Refuse(std::string why) {
  error_ = peer_ + ": " + std::move(why);
  refused_ = true;
  refused_ms_ = base_->NowMs();
  stream_.StopReading();
  base_->want_flush();
}

void UvPeerGuest::OnShaking(std::string_view bytes, uint64_t now_ms) {
  std::string out;
  size_t used = 0;
  const PeerHandshake::State state = shaking_->OnBytes(bytes, &used, &out);
  if (!out.empty()) {
    hello_.Append(out);
    base_->want_flush();
  }
  if (state == PeerHandshake::State::kRefused) return Refuse(shaking_->error());
  if (state != PeerHandshake::State::kDone) return;
  guest_ = std::make_unique<PeerGuest>(shaking_->peer(), world_, now_ms);
  shaking_.reset();
  bytes.remove_prefix(used);
  if (!bytes.empty()) OnGuestBytes(bytes, now_ms);
}

void UvPeerGuest::OnGuestBytes(std::string_view bytes, uint64_t now_ms) {
  if (!guest_->OnBytes(bytes, now_ms)) {
    Close(guest_->error());
    return;
  }
  if (!guest_->Full() || paused_ || ended_) return;
  paused_ = true;
  stream_.StopReading();
  stream_.WatchHangUp();
}

void UvPeerGuest::OnStreamData(char* data, size_t size) {
  const uint64_t now_ms = base_->NowMs();
  if (guest_ != nullptr) {
    OnGuestBytes({data, size}, now_ms);
  } else if (shaking_ && !refused_) {
    OnShaking({data, size}, now_ms);
  }
}

void UvPeerGuest::OnStreamEnd(int code) { Close(stream_.WhyEnded(code)); }

void UvPeerGuest::OnStreamSent(size_t) {
  if (refused_ && hello_.empty()) {
    Close({});
  } else if (paused_ || (guest_ != nullptr && !guest_->out().empty())) {
    base_->want_flush();
  }
}

void UvPeerGuest::Close(std::string why) {
  if (ended_) return;
  ended_ = true;
  stream_.Close();
  hello_.Clear();
  if (error_.empty()) error_ = peer_ + ": " + std::move(why);
  if (guest_ != nullptr) guest_->Lost();
  base_->want_flush();
}

void UvPeerGuest::Tick(uint64_t now_ms) {
  if (ended_) return;
  if (guest_ != nullptr) {
    if (!guest_->Tick(now_ms)) Close(guest_->error());
  } else if (refused_) {
    if (now_ms > refused_ms_ + kTakesRefusalMs) Close({});
  } else if (shaking_->Tick(now_ms) == PeerHandshake::State::kRefused) {
    Close(shaking_->error());
  }
}

void UvPeerGuest::Flush() {
  if (ended_) return;
  if (guest_ != nullptr && !guest_->error().empty()) {
    Close(guest_->error());
    return;
  }
  if (paused_ && !guest_->Full()) {
    paused_ = false;
    if (!guest_->Resume()) {
      Close(guest_->error());
      return;
    }
    if (guest_->Full()) {
      paused_ = true;
    } else {
      stream_.StartReading();
    }
  }
  if (!hello_.empty()) {
    stream_.Send(&hello_);
  } else if (guest_ != nullptr) {
    stream_.Send(&guest_->out());
  }
}

}  // namespace gemel

#include "backend/peer/peer_handshake.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <utility>

#include "backend/bytes/printable.h"

namespace gemel {

namespace {

constexpr std::string_view kMagic = "gemel-peer";
constexpr size_t kMac = 32;
constexpr size_t kLengthBytes = 4;
constexpr size_t kMostSentence = 512;

}  // namespace

PeerHandshake::PeerHandshake(Side side, Names names, std::string secret, std::string nonce,
                             uint64_t now_ms)
    : side_(side),
      names_(std::move(names)),
      secret_(std::move(secret)),
      nonce_(std::move(nonce)),
      begun_ms_(now_ms) {}

void PeerHandshake::Send(Frame frame, std::string_view content, std::string* out) {
  WireWriter writer(out);
  writer.U32(static_cast<uint32_t>(1 + content.size()));
  writer.U8(static_cast<uint8_t>(frame));
  writer.Raw(content);
}

void PeerHandshake::Refuse(std::string why, std::string* out) {
  state_ = State::kRefused;
  error_ = std::move(why);
  held_.clear();
  if (out != nullptr && side_ == Side::kServes) Send(Frame::kRefusal, error_, out);
}

void PeerHandshake::Begin(std::string* out) {
  if (secret_.empty()) {
    Refuse("the fleet has no secret, so that no other member can be believed", nullptr);
    return;
  }
  std::string content;
  WireWriter writer(&content);
  writer.Raw(kMagic);
  writer.U16(kVersion);
  writer.Text(names_.fleet);
  writer.Text(names_.self);
  writer.Text(names_.other);
  writer.Raw(nonce_);
  Send(Frame::kHello, content, out);
}

PeerHandshake::State PeerHandshake::OnBytes(std::string_view bytes, size_t* used,
                                            std::string* out) {
  *used = 0;
  while (state_ == State::kUnderWay) {
    size_t wanted = kLengthBytes;
    if (held_.size() >= kLengthBytes) {
      const size_t size = WireReader(held_).U32();
      if (size == 0 || size > kMostFrame) {
        Refuse("what it sent is not how members of a fleet begin", out);
        break;
      }
      wanted += size;
    }
    const size_t taken = std::min(wanted - held_.size(), bytes.size());
    held_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    *used += taken;
    if (held_.size() < wanted) break;
    if (wanted == kLengthBytes) continue;
    const std::string frame = std::exchange(held_, {});
    OnFrame(std::string_view(frame).substr(kLengthBytes), out);
  }
  return state_;
}

PeerHandshake::State PeerHandshake::Tick(uint64_t now_ms) {
  if (state_ == State::kUnderWay && now_ms >= begun_ms_ + kMostMs) {
    Refuse("it did not say who it is within " + std::to_string(kMostMs) + " ms", nullptr);
  }
  return state_;
}

void PeerHandshake::OnFrame(std::string_view body, std::string* out) {
  WireReader reader(body);
  const Frame frame{reader.U8()};
  if (side_ == Side::kServes && other_nonce_.empty() && frame == Frame::kHello) {
    OnHello(reader, out);
  } else if (side_ == Side::kServes && !other_nonce_.empty() && frame == Frame::kProof) {
    OnProof(reader, out);
  } else if (side_ == Side::kDials && other_nonce_.empty() && frame == Frame::kChallenge) {
    OnChallenge(reader, out);
  } else if (side_ == Side::kDials && !other_nonce_.empty() && frame == Frame::kWelcome) {
    OnWelcome(reader);
  } else if (side_ == Side::kDials && frame == Frame::kRefusal) {
    // A stranger's words, maybe.
    Refuse("it refused: " + Printable(reader.Rest().substr(0, kMostSentence)), nullptr);
  } else {
    Refuse("what it sent is not how members of a fleet begin", out);
  }
}

void PeerHandshake::OnHello(WireReader reader, std::string* out) {
  const bool known = reader.Raw(kMagic.size()) == kMagic;
  const uint16_t version = reader.U16();
  if (!known) return Refuse("what it sent is not how members of a fleet begin", out);
  if (version != kVersion) {
    return Refuse("it speaks version " + std::to_string(version) +
                      " of the peer protocol, and this member version " + std::to_string(kVersion),
                  out);
  }
  const std::string_view fleet = reader.Text(kMostName);
  const std::string_view from = reader.Text(kMostName);
  const std::string_view to = reader.Text(kMostName);
  const std::string_view nonce = reader.Raw(kNonce);
  if (!reader.AtEnd() || from.empty()) {
    return Refuse("what it sent is not how members of a fleet begin", out);
  }
  if (secret_.empty()) return Refuse("this member has no secret of a fleet", out);
  if (fleet != names_.fleet) return Refuse("this member is of another fleet", out);
  if (to != names_.self) return Refuse("this is not the member that it wants", out);
  if (from == names_.self) return Refuse("it has this member's own name", out);
  names_.other = from;
  other_nonce_ = nonce;
  Send(Frame::kChallenge, nonce_, out);
}

void PeerHandshake::OnChallenge(WireReader reader, std::string* out) {
  const std::string_view nonce = reader.Raw(kNonce);
  if (!reader.AtEnd() || nonce == nonce_) {
    return Refuse("what it sent is not how members of a fleet begin", nullptr);
  }
  other_nonce_ = nonce;
  Send(Frame::kProof, Proof(Side::kDials), out);
}

void PeerHandshake::OnProof(WireReader reader, std::string* out) {
  if (!IsProof(Side::kDials, reader.Rest())) {
    return Refuse("it does not know the secret of this fleet", out);
  }
  Send(Frame::kWelcome, Proof(Side::kServes), out);
  state_ = State::kDone;
}

void PeerHandshake::OnWelcome(WireReader reader) {
  if (!IsProof(Side::kServes, reader.Rest())) {
    return Refuse("it does not know the secret of this fleet", nullptr);
  }
  state_ = State::kDone;
}

std::string PeerHandshake::Proof(Side of) const {
  const bool dials = side_ == Side::kDials;
  std::string text;
  WireWriter writer(&text);
  writer.Text(kMagic);
  writer.U16(kVersion);
  writer.U8(static_cast<uint8_t>(of));
  writer.Text(names_.fleet);
  writer.Text(dials ? names_.self : names_.other);
  writer.Text(dials ? names_.other : names_.self);
  writer.Text(dials ? nonce_ : other_nonce_);
  writer.Text(dials ? other_nonce_ : nonce_);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac,
           &size) == nullptr) {
    return {};
  }
  return std::string(reinterpret_cast<const char*>(mac), size);
}

bool PeerHandshake::IsProof(Side of, std::string_view given) const {
  const std::string right = Proof(of);
  return right.size() == kMac && given.size() == kMac &&
         CRYPTO_memcmp(right.data(), given.data(), kMac) == 0;
}

}  // namespace gemel

// Numbers and texts as they lie in the frames between members: little-endian, and a text behind its
// length. A reader takes any bytes: what is not there makes it bad, and all that follows is empty.

#ifndef GEMEL_BACKEND_PEER_PEER_WIRE_H_
#define GEMEL_BACKEND_PEER_PEER_WIRE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gemel {

// Puts a number there, and says where it ends. Of a known size, so that it is one store.
template <size_t kBytes>
char* PutWireNumber(uint64_t value, char* at) {
  for (size_t i = 0; i < kBytes; ++i) at[i] = static_cast<char>(value >> (8 * i));
  return at + kBytes;
}

// Appends to a string that outlives it.
class WireWriter {
 public:
  explicit WireWriter(std::string* out) : out_(out) {}

  void U8(uint8_t value) { out_->push_back(static_cast<char>(value)); }
  void U16(uint16_t value) { Number<2>(value); }
  void U32(uint32_t value) { Number<4>(value); }
  void U64(uint64_t value) { Number<8>(value); }
  void Text(std::string_view text) {
    U32(static_cast<uint32_t>(text.size()));
    out_->append(text);
  }
  void Raw(std::string_view bytes) { out_->append(bytes); }

 private:
  template <size_t kBytes>
  void Number(uint64_t value) {
    char bytes[kBytes];
    PutWireNumber<kBytes>(value, bytes);
    out_->append(bytes, kBytes);
  }
  std::string* out_;
};

// Writes to memory that has room for all of it: for frames of which there are many.
class WirePlacer {
 public:
  explicit WirePlacer(char* at) : at_(at) {}

  void U8(uint8_t value) { *at_++ = static_cast<char>(value); }
  void U32(uint32_t value) { at_ = PutWireNumber<4>(value, at_); }
  void U64(uint64_t value) { at_ = PutWireNumber<8>(value, at_); }
  void Text(std::string_view text) {
    U32(static_cast<uint32_t>(text.size()));
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

 private:
  char* at_;
};

// Reads from bytes that outlive it; what it gives points into them.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  // All that was asked for was there.
  bool ok() const { return ok_; }
  // And nothing is left.
  bool AtEnd() const { return ok_ && rest_.empty(); }

  uint8_t U8() { return static_cast<uint8_t>(Number<1>()); }
  uint16_t U16() { return static_cast<uint16_t>(Number<2>()); }
  uint32_t U32() { return static_cast<uint32_t>(Number<4>()); }
  uint64_t U64() { return Number<8>(); }
  std::string_view Text(size_t most = ~size_t{0}) {
    const size_t size = U32();
    return size <= most ? Raw(size) : Bad();
  }
  std::string_view Raw(size_t size) {
    if (rest_.size() < size) return Bad();
    const std::string_view bytes(rest_.data(), size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view Rest() { return Raw(rest_.size()); }
  // How many things of at least so many bytes each are announced: no more than can be there.
  size_t Count(size_t least_bytes) {
    const size_t count = U32();
    if (ok_ && count <= rest_.size() / least_bytes) return count;
    Bad();
    return 0;
  }

 private:
  std::string_view Bad() {
    ok_ = false;
    rest_ = {};
    return {};
  }
  template <size_t kBytes>
  uint64_t Number() {
    const std::string_view raw = Raw(kBytes);
    if (raw.size() < kBytes) return 0;
    uint64_t value = 0;
    // g++ 12 makes one store of such a loop, but not one load.
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(&value, raw.data(), kBytes);
    } else {
      for (size_t i = 0; i < kBytes; ++i) {
        value |= uint64_t{static_cast<unsigned char>(raw[i])} << (8 * i);
      }
    }
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PEER_PEER_WIRE_H_

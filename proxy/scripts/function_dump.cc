#include "proxy/scripts/function_dump.h"

#include <lzf.h>

#include <array>

namespace gemel {

namespace {

constexpr uint8_t kFunction2 = 245;
constexpr uint8_t kLzfString = 0xc3;
constexpr uint16_t kVersion = 10;  // Redis 7.0's
constexpr size_t kFooter = 10;
constexpr size_t kMostCode = size_t{512} << 20;

constexpr std::array<uint64_t, 256> MakeCrcTable() {
  std::array<uint64_t, 256> table{};
  for (uint64_t i = 0; i < table.size(); ++i) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x95ac9329ac4bc9b5 : crc >> 1;  // the bits reversed
    }
    table[i] = crc;
  }
  return table;
}

void AppendLittle(uint64_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t Little(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// Reads what is left, from the front.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  bool Byte(uint8_t* byte) {
    if (bytes_.empty()) return false;
    *byte = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    return true;
  }
  bool Take(size_t size, std::string_view* bytes) {
    if (bytes_.size() < size) return false;
    *bytes = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  // RDB's length: two bits say how it is written. `*special`: 2 bits of 3, then it is no length.
  bool Length(uint64_t* length, bool* special) {
    uint8_t first = 0;
    if (!Byte(&first)) return false;
    *special = first >> 6 == 3;
    *length = first & 63;
    if (first >> 6 == 0 || *special) return true;
    size_t more = first >> 6 == 1 ? 1 : first == 0x80 ? 4 : first == 0x81 ? 8 : 0;
    if (more == 0) return false;
    if (more > 1) *length = 0;
    for (; more > 0; --more) {
      uint8_t byte = 0;
      if (!Byte(&byte)) return false;
      *length = *length << 8 | byte;
    }
    return true;
  }

 private:
  std::string_view bytes_;
};

// LZF: a byte below 32 is followed by so many and one more as they are; else its upper three bits
// and maybe a byte more tell a length, the rest and a byte more how far back what is repeated is.
bool Decompress(std::string_view packed, size_t size, std::string* out) {
  Reader reader(packed);
  while (!reader.empty()) {
    uint8_t control = 0;
    reader.Byte(&control);
    if (control < 32) {
      std::string_view bytes;
      if (!reader.Take(control + 1u, &bytes)) return false;
      out->append(bytes);
    } else {
      size_t length = control >> 5;
      uint8_t byte = 0;
      if (length == 7) {
        if (!reader.Byte(&byte)) return false;
        length += byte;
      }
      if (!reader.Byte(&byte)) return false;
      const size_t back = ((control & 31u) << 8 | byte) + 1;
      if (back > out->size()) return false;
      for (size_t i = 0; i < length + 2; ++i) out->push_back((*out)[out->size() - back]);
    }
    if (out->size() > size) return false;
  }
  return out->size() == size;
}

// RDB's length, see Reader::Length. Strings here are far below 2^32 bytes.
void AppendLength(size_t length, std::string* out) {
  const int bytes = length < 64 ? 1 : length < 16384 ? 2 : 5;
  if (bytes == 5) out->push_back(static_cast<char>(0x80));
  const size_t value = bytes == 2 ? length | 0x4000 : length;
  for (int i = bytes == 5 ? 4 : bytes; i-- > 0;) {
    out->push_back(static_cast<char>(value >> (8 * i)));
  }
}

// As Redis's rdbSaveRawString: compressed from 21 bytes on, where that saves at least five.
void AppendString(std::string_view bytes, std::string* out) {
  constexpr size_t kLeast = 21;
  if (bytes.size() >= kLeast) {
    std::string packed(bytes.size() - 4, '\0');
    const unsigned size = lzf_compress(bytes.data(), static_cast<unsigned>(bytes.size()),
                                       packed.data(), static_cast<unsigned>(packed.size()));
    if (size > 0) {
      out->push_back(static_cast<char>(kLzfString));
      AppendLength(size, out);
      AppendLength(bytes.size(), out);
      out->append(packed, 0, size);
      return;
    }
  }
  AppendLength(bytes.size(), out);
  *out += bytes;
}

bool ReadString(Reader* reader, std::string* out) {
  constexpr uint64_t kLzf = 3;
  uint64_t length = 0;
  bool special = false;
  std::string_view bytes;
  if (!reader->Length(&length, &special)) return false;
  if (!special) {
    if (!reader->Take(length, &bytes)) return false;
    out->assign(bytes);
    return true;
  }
  uint64_t packed = 0;
  if (length != kLzf || !reader->Length(&packed, &special) || special ||
      !reader->Length(&length, &special) || special || length > kMostCode ||
      !reader->Take(packed, &bytes)) {
    return false;
  }
  return Decompress(bytes, length, out);
}

}  // namespace

uint64_t Crc64(std::string_view bytes) {
  static constexpr std::array<uint64_t, 256> kTable = MakeCrcTable();
  uint64_t crc = 0;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 255] ^ (crc >> 8);
  return crc;
}

std::string DumpFunctions(const std::vector<std::string>& codes) {
  std::string payload;
  for (const std::string& code : codes) {
    payload.push_back(static_cast<char>(kFunction2));
    AppendString(code, &payload);
  }
  AppendLittle(kVersion, 2, &payload);
  AppendLittle(Crc64(payload), 8, &payload);
  return payload;
}

bool ReadFunctionDump(std::string_view payload, std::vector<std::string>* codes,
                      std::string* error) {
  *error = "DUMP payload version or checksum are wrong";
  if (payload.size() < kFooter) return false;
  const std::string_view footer = payload.substr(payload.size() - kFooter);
  // Redis takes a sum of 0 for none.
  const uint64_t sum = Little(footer.substr(2));
  if (sum != 0 && sum != Crc64(payload.substr(0, payload.size() - 8))) return false;
  Reader reader(payload.substr(0, payload.size() - kFooter));
  std::vector<std::string> read;
  while (!reader.empty()) {
    uint8_t opcode = 0;
    reader.Byte(&opcode);
    *error = "given type is not a function";
    if (opcode != kFunction2) return false;
    *error = "failed loading functions payload";
    if (!ReadString(&reader, &read.emplace_back())) return false;
  }
  for (std::string& code : read) codes->push_back(std::move(code));
  return true;
}

}  // namespace gemel

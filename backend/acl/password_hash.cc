#include "backend/acl/password_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <vector>

namespace gemel {

namespace {

constexpr size_t kHashDigits = 64;

std::string Hex(const unsigned char* bytes, size_t digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(digits);
  for (size_t i = 0; i < digits; ++i) {
    text += kDigits[i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15];
  }
  return text;
}

}  // namespace

std::string PasswordHash(std::string_view password) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(password.data(), password.size(), digest, &size, EVP_sha256(), nullptr);
  return Hex(digest, kHashDigits);
}

bool IsPasswordHash(std::string_view text) {
  return text.size() == kHashDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool SamePasswordHash(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;  // a hash is as long as any other
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

// The buffers that requests are read into are nobody's constants.
void WipePassword(std::string_view password) {
  OPENSSL_cleanse(const_cast<char*>(password.data()), password.size());
}

bool RandomPassword(size_t digits, std::string* password) {
  std::vector<unsigned char> bytes((digits + 1) / 2);
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  *password = Hex(bytes.data(), digits);
  return true;
}

}  // namespace gemel

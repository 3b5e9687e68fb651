#include "proxy/scripts/script_cache.h"

#include <openssl/evp.h>

#include <iterator>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/command/script_cursors.h"
#include "backend/ring/ring.h"

namespace gemel {

namespace {

// What one takes beside its text.
constexpr uint64_t kEach = 256;

uint64_t SizeOf(std::string_view text) { return text.size() + kEach; }

}  // namespace

std::string ScriptCache::Sha1(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex.push_back(kDigits[digest[i] >> 4]);
    hex.push_back(kDigits[digest[i] & 15]);
  }
  return hex;
}

void ScriptCache::SetLimit(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_ = bytes;
}

std::string ScriptCache::Add(std::string_view text) {
  std::string sha1 = Sha1(text);
  const uint64_t hash = HashKey(text);
  const bool may_scan = MayScan(text);
  const std::lock_guard lock(mutex_);
  Keep(sha1, hash, text, may_scan);
  return sha1;
}

bool ScriptCache::Note(std::string_view text) {
  const uint64_t hash = HashKey(text);
  {
    const std::lock_guard lock(mutex_);
    const auto known = by_hash_.find(hash);
    if (known != by_hash_.end() && *known->second->text == text) {
      line_.splice(line_.end(), line_, known->second);
      return known->second->may_scan;
    }
  }
  std::string sha1 = Sha1(text);
  const bool may_scan = MayScan(text);
  const std::lock_guard lock(mutex_);
  Keep(std::move(sha1), hash, text, may_scan);
  return may_scan;
}

void ScriptCache::Keep(std::string sha1, uint64_t hash, std::string_view text, bool may_scan) {
  if (const auto known = by_sha1_.find(sha1); known != by_sha1_.end()) {
    line_.splice(line_.end(), line_, known->second);
    return;
  }
  if (SizeOf(text) > limit_) return;
  while (bytes_ + SizeOf(text) > limit_) Drop(line_.begin());
  line_.push_back({sha1, hash, std::make_shared<const std::string>(text), may_scan});
  by_sha1_[std::move(sha1)] = std::prev(line_.end());
  by_hash_[hash] = std::prev(line_.end());
  bytes_ += SizeOf(text);
  ++version_;
}

void ScriptCache::Drop(Line::iterator entry) {
  bytes_ -= SizeOf(*entry->text);
  by_sha1_.erase(entry->sha1);
  if (const auto hashed = by_hash_.find(entry->hash);
      hashed != by_hash_.end() && hashed->second == entry) {
    by_hash_.erase(hashed);
  }
  line_.erase(entry);
  ++version_;
}

ScriptCache::Text ScriptCache::Find(std::string_view sha1, bool* may_scan) {
  if (sha1.size() != kShaLength) return nullptr;
  std::string lower;
  for (const char c : sha1) lower.push_back(AsciiLower(c));
  const std::lock_guard lock(mutex_);
  const auto found = by_sha1_.find(lower);
  if (found == by_sha1_.end()) return nullptr;
  line_.splice(line_.end(), line_, found->second);
  if (may_scan != nullptr) *may_scan = found->second->may_scan;
  return found->second->text;
}

void ScriptCache::Clear() {
  const std::lock_guard lock(mutex_);
  line_.clear();
  by_sha1_.clear();
  by_hash_.clear();
  bytes_ = 0;
  ++version_;
}

size_t ScriptCache::size() const {
  const std::lock_guard lock(mutex_);
  return line_.size();
}

uint64_t ScriptCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

uint64_t ScriptCache::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

std::vector<ScriptCache::Text> ScriptCache::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<Text> all;
  for (const Entry& entry : line_) all.push_back(entry.text);
  return all;
}

}  // namespace gemel

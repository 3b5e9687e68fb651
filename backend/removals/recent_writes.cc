#include "backend/removals/recent_writes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace gemel {

bool RecentWrites::Part::Has(size_t hash) const {
  if (all) return true;
  if (!some) return false;
  const size_t first = hash % kBits;
  const size_t second = (hash / kBits) % kBits;
  return (bits[first / 64] >> (first % 64) & 1) != 0 &&
         (bits[second / 64] >> (second % 64) & 1) != 0;
}

void RecentWrites::Part::Set(size_t hash) {
  if (bits.empty()) bits.resize(kBits / 64);
  some = true;
  const size_t first = hash % kBits;
  const size_t second = (hash / kBits) % kBits;
  bits[first / 64] |= uint64_t{1} << (first % 64);
  bits[second / 64] |= uint64_t{1} << (second % 64);
}

void RecentWrites::Part::Clear() {
  if (some) std::fill(bits.begin(), bits.end(), 0);
  all = some = too_many = false;
  together.clear();
  together_bytes = 0;
  gone.clear();
  told.clear();
  overwritten.clear();
}

void RecentWrites::Begin() {
  if (recording_) return;
  recording_ = true;
  open_.all = true;
}

void RecentWrites::End() {
  recording_ = false;
  open_.bits = {};
  closed_.bits = {};
  open_.some = closed_.some = false;
  open_.all = closed_.all = false;
}

void RecentWrites::Add(std::string_view key) {
  if (recording_) open_.Set(HashOf(key));
}

void RecentWrites::AddTogether(std::span<const std::string_view> keys, size_t first, size_t last) {
  for (const std::string_view key : keys) Add(key);
  if (open_.too_many) return;
  Together together{{keys.begin(), keys.end()}, first, last};
  for (const std::string& key : together.keys) open_.together_bytes += key.size() + sizeof(key);
  if (open_.together_bytes > kMaxTogetherBytes) {
    open_.too_many = true;
    open_.together = {};
    return;
  }
  open_.together.push_back(std::move(together));
}

void RecentWrites::AddOverwritten(std::string_view key) {
  if (open_.overwritten.size() < kMaxOverwritten) open_.overwritten.emplace(key);
}

bool RecentWrites::IsOverwritten(std::string_view key) const {
  for (const Part* part : {&closed_, &open_}) {
    if (part->overwritten.size() >= kMaxOverwritten || part->overwritten.contains(key)) return true;
  }
  return false;
}

bool RecentWrites::MayHave(std::string_view key) const {
  const size_t hash = HashOf(key);
  if (open_.Has(hash) || closed_.Has(hash)) return true;
  if (recording_) return false;
  for (const Part* part : {&closed_, &open_}) {
    for (const Together& together : part->together) {
      const auto& keys = together.keys;
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) return true;
    }
  }
  return false;
}

bool RecentWrites::Spread(std::vector<std::string>* keys) const {
  if (closed_.too_many || open_.too_many) return false;
  std::unordered_set<std::string> known(keys->begin(), keys->end());
  for (const Part* part : {&closed_, &open_}) {
    for (const Together& together : part->together) {
      const bool concerned =
          std::any_of(together.keys.begin(), together.keys.end(),
                      [&](const std::string& key) { return known.contains(key); });
      if (!concerned) continue;
      for (size_t i = together.first; i < together.last; ++i) {
        if (known.insert(together.keys[i]).second) keys->push_back(together.keys[i]);
      }
    }
  }
  return true;
}

void RecentWrites::NoteCopies(CopiesOfKeys* keys, std::string_view key, uint32_t copies) {
  auto found = keys->find(key);
  if (found == keys->end()) {
    if (keys->size() >= kMaxGone) return;
    found = keys->emplace(std::string(key), 0).first;
  }
  found->second |= copies;
}

uint32_t RecentWrites::CopiesIn(CopiesOfKeys Part::*keys, std::string_view key) const {
  uint32_t copies = 0;
  for (const Part* part : {&closed_, &open_}) {
    const CopiesOfKeys& noted = part->*keys;
    if (const auto found = noted.find(key); found != noted.end()) copies |= found->second;
  }
  return copies;
}

void RecentWrites::NoteGone(std::string_view key, uint32_t copies) {
  NoteCopies(&open_.gone, key, copies);
}

uint32_t RecentWrites::GoneOn(std::string_view key) const { return CopiesIn(&Part::gone, key); }

void RecentWrites::NoteTold(std::string_view key, uint32_t copies) {
  NoteCopies(&open_.told, key, copies);
}

uint32_t RecentWrites::ToldBy(std::string_view key) const { return CopiesIn(&Part::told, key); }

void RecentWrites::Close() { std::swap(open_, closed_); }

void RecentWrites::Drop(const std::function<bool(std::string_view)>& on_its_way) {
  for (const auto& [key, copies] : closed_.told) {
    if (open_.overwritten.contains(key) || (on_its_way && on_its_way(key))) NoteTold(key, copies);
  }
  closed_.Clear();
}

void RecentWrites::Reopen() {
  // Those of open_ came later.
  std::swap(open_, closed_);
  open_.all |= closed_.all;
  open_.too_many |= closed_.too_many;
  if (closed_.some && open_.bits.empty()) open_.bits.resize(kBits / 64);
  for (size_t i = 0; closed_.some && i < open_.bits.size(); ++i) open_.bits[i] |= closed_.bits[i];
  open_.some |= closed_.some;
  std::move(closed_.together.begin(), closed_.together.end(), std::back_inserter(open_.together));
  open_.together_bytes += closed_.together_bytes;
  for (const auto& [key, copies] : closed_.gone) open_.gone[key] |= copies;
  for (const auto& [key, copies] : closed_.told) open_.told[key] |= copies;
  open_.overwritten.merge(closed_.overwritten);
  closed_.Clear();
}

}  // namespace gemel

// Which keys the writes that one copy executes first have locked, and whose they are.

#ifndef GEMEL_BACKEND_SHARD_STATE_LOCKS_H_
#define GEMEL_BACKEND_SHARD_STATE_LOCKS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace gemel {

// Of jobs with numbers other than kNoJob.
class StateLocks {
 public:
  static constexpr uint32_t kNoJob = 0;

  bool empty() const { return keys_.empty(); }
  // The job that has locked the key, or kNoJob.
  uint32_t On(std::string_view key) const {
    if (keys_.empty()) return kNoJob;  // one that is alone has locked its own, too
    const auto found = keys_.find(key);
    return found != keys_.end() ? found->second : alone_;
  }
  // The job that has locked all keys there are, or kNoJob.
  uint32_t alone() const { return alone_; }
  bool HasSession(uint32_t session) const { return sessions_.contains(session); }

  void Begin(uint32_t job, uint32_t session, bool alone) {
    if (alone) alone_ = job;
    ++sessions_[session];
  }
  // False: it is locked already.
  bool Lock(std::string_view key, uint32_t job) {
    return keys_.try_emplace(std::string(key), job).second;
  }
  void End(uint32_t job, uint32_t session, std::span<const std::string> keys) {
    for (const std::string& key : keys) keys_.erase(key);
    if (alone_ == job) alone_ = kNoJob;
    if (auto found = sessions_.find(session); --found->second == 0) sessions_.erase(found);
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };

  uint32_t alone_ = kNoJob;
  std::unordered_map<uint32_t, uint32_t> sessions_;
  std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_STATE_LOCKS_H_

// Of several shards that have a database each of one server as their primary, which one passes on
// what is published there: the server tells each of them the same.

#ifndef GEMEL_BACKEND_SHARD_SERVER_VOICES_H_
#define GEMEL_BACKEND_SHARD_SERVER_VOICES_H_

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace gemel {

// Any thread.
class ServerVoices {
 public:
  // The shard listens to that process as its primary from now on; empty: to none any more. Returns
  // whether it is the one of them that passes on: that may change when others come or go.
  bool Speaks(const std::string& shard, std::string_view process) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::string& heard = heard_[shard];
    if (heard != process) {
      Leave(shard, heard);
      heard = process;
      if (!heard.empty()) shards_[heard].insert(shard);
    }
    if (!heard.empty()) return *shards_[heard].begin() == shard;
    heard_.erase(shard);
    return false;
  }

 private:
  void Leave(const std::string& shard, const std::string& process) {
    const auto found = shards_.find(process);
    if (found == shards_.end()) return;
    found->second.erase(shard);
    if (found->second.empty()) shards_.erase(found);
  }

  std::mutex mutex_;                                     // guards what follows
  std::map<std::string, std::string> heard_;             // by shard
  std::map<std::string, std::set<std::string>> shards_;  // by process
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SERVER_VOICES_H_

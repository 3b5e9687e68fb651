// What users were refused of late: ACL LOG. Source: acl.c of Redis 7.0.

#ifndef GEMEL_PROXY_SESSION_STATE_ACL_LOG_H_
#define GEMEL_PROXY_SESSION_STATE_ACL_LOG_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

namespace gemel {

// Of all workers. Any thread.
class AclLog {
 public:
  static constexpr size_t kMost = 128;  // entries kept, as with Redis's acllog-max-len
  // Of what clients sent, as much as an entry keeps.
  static constexpr size_t kMostText = 1024;

  struct Entry {
    std::string_view reason;   // "command", "key", "channel", "auth"; a literal
    std::string_view context;  // "toplevel", "multi"; a literal
    std::string object;
    std::string user;
    std::string client;  // as CLIENT LIST has it
    int64_t unix_ms = 0;
    uint64_t count = 1;
  };

  // One like it of the last minute counts on.
  void Add(Entry entry);
  void Reset();
  // Appends the reply to ACL LOG: so many, the newest first.
  void AppendReply(size_t count, int64_t unix_ms, std::string* out) const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::list<Entry> entries_;  // the newest first
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_ACL_LOG_H_

// The database that a client's commands are about: SELECT chooses it.

#ifndef GEMEL_PROXY_SESSION_STATE_DATABASE_H_
#define GEMEL_PROXY_SESSION_STATE_DATABASE_H_

#include <cstdint>

namespace gemel {

class Database {
 public:
  int64_t index() const { return index_; }
  // False, and it stays as it is: there is no such database.
  bool Select(int64_t index) {
    if (index < 0 || index >= kDatabases) return false;
    index_ = static_cast<uint16_t>(index);
    return true;
  }
  void Reset() { index_ = 0; }

 private:
  static constexpr int64_t kDatabases = 1;
  uint16_t index_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_DATABASE_H_

// The database that a client's commands are about: SELECT chooses it.

#ifndef GEMEL_PROXY_SESSION_STATE_DATABASE_H_
#define GEMEL_PROXY_SESSION_STATE_DATABASE_H_

#include <cstdint>

namespace gemel {

class Database {
 public:
  uint8_t index() const { return index_; }
  // False, and it stays as it is: of so many databases there is none of that index.
  bool Select(int64_t index, uint32_t databases) {
    if (index < 0 || index >= databases) return false;
    index_ = static_cast<uint8_t>(index);
    return true;
  }
  void Reset() { index_ = 0; }

 private:
  uint8_t index_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_DATABASE_H_

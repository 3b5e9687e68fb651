// The database that a client's commands are about: SELECT chooses it.

#ifndef GEMEL_PROXY_SESSION_STATE_DATABASE_H_
#define GEMEL_PROXY_SESSION_STATE_DATABASE_H_

#include <cstdint>

namespace gemel {

class Database {
 public:
  uint8_t index() const { return index_; }
  // One that there is.
  void Select(int64_t index) { index_ = static_cast<uint8_t>(index); }
  void Reset() { index_ = 0; }

 private:
  uint8_t index_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_DATABASE_H_

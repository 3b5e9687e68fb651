#include "proxy/session/session_input.h"

#include <new>

namespace gemel {

char* SessionInput::DirectSpace(size_t* size) {
  if (bytes_.empty() || reader_.needed() < bytes_.size() + kLarge) return nullptr;
  try {
    return bytes_.Extend(reader_.needed() - bytes_.size(), size);
  } catch (const std::bad_alloc&) {
    return nullptr;  // what comes will find no room, either, and end the connection
  }
}

size_t SessionInput::Missing() const {
  if (bytes_.capacity() < kLarge) return 0;
  return reader_.needed() > bytes_.size() ? reader_.needed() - bytes_.size() : 1;
}

}  // namespace gemel

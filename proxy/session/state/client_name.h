// What a client calls itself: CLIENT SETNAME, HELLO SETNAME.

#ifndef GEMEL_PROXY_SESSION_STATE_CLIENT_NAME_H_
#define GEMEL_PROXY_SESSION_STATE_CLIENT_NAME_H_

#include <memory>
#include <string>
#include <string_view>

namespace gemel {

class ClientName {
 public:
  // Empty: it has none.
  std::string_view view() const { return name_ != nullptr ? std::string_view(*name_) : ""; }
  void Set(std::string_view name) {
    // Made before the old one goes, of which it may be a part.
    name_ = name.empty() ? nullptr : std::make_unique<std::string>(name);
  }
  void Reset() { name_.reset(); }

 private:
  std::unique_ptr<std::string> name_;  // few have one
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_CLIENT_NAME_H_

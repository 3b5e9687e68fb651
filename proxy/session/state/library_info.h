// Which library a client uses: CLIENT SETINFO. As with Redis RESET leaves it.

#ifndef GEMEL_PROXY_SESSION_STATE_LIBRARY_INFO_H_
#define GEMEL_PROXY_SESSION_STATE_LIBRARY_INFO_H_

#include <memory>
#include <string>
#include <string_view>

namespace gemel {

class LibraryInfo {
 public:
  void SetName(std::string_view name) { Set(&Texts::name, name); }
  void SetVersion(std::string_view version) { Set(&Texts::version, version); }
  // Something was said.
  bool known() const { return texts_ != nullptr; }
  std::string_view name() const { return known() ? std::string_view(texts_->name) : ""; }
  std::string_view version() const { return known() ? std::string_view(texts_->version) : ""; }

 private:
  struct Texts {
    std::string name;
    std::string version;
  };
  void Set(std::string Texts::*which, std::string_view text) {
    if (texts_ == nullptr) texts_ = std::make_unique<Texts>();
    (*texts_).*which = text;
  }

  std::unique_ptr<Texts> texts_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_LIBRARY_INFO_H_

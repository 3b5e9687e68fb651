// Texts that are kept on disk as well.

#ifndef GEMEL_PROXY_SCRIPTS_TEXT_STORE_H_
#define GEMEL_PROXY_SCRIPTS_TEXT_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// Any thread.
class TextStore {
 public:
  using Text = std::shared_ptr<const std::string>;

  virtual ~TextStore() = default;
  // Grows with each change of what is kept.
  virtual uint64_t version() const = 0;
  virtual std::vector<Text> All() const = 0;
  // One that All gave, in an earlier life; they come in its order. False: it was none.
  virtual bool Restore(std::string_view text) = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SCRIPTS_TEXT_STORE_H_

// The scripts that clients have shown, by their SHA1, so that EVALSHA finds them whatever node
// executes it: gemel sends the text. Bounded: those that were not asked for the longest go first,
// and who asks for one of them is told NOSCRIPT, as by a Redis that was restarted.

#ifndef GEMEL_PROXY_SCRIPTS_SCRIPT_CACHE_H_
#define GEMEL_PROXY_SCRIPTS_SCRIPT_CACHE_H_

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/scripts/text_store.h"

namespace gemel {

// Any thread.
class ScriptCache : public TextStore {
 public:
  static constexpr size_t kShaLength = 40;

  // The SHA1 as 40 lower-case hex digits.
  static std::string Sha1(std::string_view text);

  // No more bytes of texts are kept; takes effect with the next one.
  void SetLimit(uint64_t bytes);
  // Keeps it, if it fits; returns its SHA1.
  std::string Add(std::string_view text);
  // The same, of one that is executed: cheap if it is known already. Returns whether it MayScan
  // (script_cursors.h), which is found out when it is kept.
  bool Note(std::string_view text);
  // The script of that SHA1, whatever its letters' case; null if it is not known. *may_scan, if
  // given, is as Note says, of one that is.
  Text Find(std::string_view sha1, bool* may_scan = nullptr);
  bool Has(std::string_view sha1) { return Find(sha1) != nullptr; }
  void Clear();

  size_t size() const;
  uint64_t bytes() const;
  // TextStore: those that were asked for last are at the end.
  uint64_t version() const override;
  std::vector<Text> All() const override;
  bool Restore(std::string_view text) override {
    Add(text);
    return true;
  }

 private:
  struct Entry {
    std::string sha1;
    uint64_t hash;
    Text text;
    bool may_scan;
  };
  using Line = std::list<Entry>;

  void Keep(std::string sha1, uint64_t hash, std::string_view text, bool may_scan);
  void Drop(Line::iterator entry);

  mutable std::mutex mutex_;  // guards what follows
  uint64_t limit_ = uint64_t{64} << 20;
  uint64_t bytes_ = 0;
  uint64_t version_ = 0;
  Line line_;  // the one that was asked for last at the end
  std::unordered_map<std::string, Line::iterator> by_sha1_;
  std::unordered_map<uint64_t, Line::iterator> by_hash_;  // of the text, for Note
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SCRIPTS_SCRIPT_CACHE_H_

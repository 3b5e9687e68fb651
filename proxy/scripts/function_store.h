// The libraries of functions that clients have loaded (FUNCTION LOAD), and what the nodes are to be
// told of them. Redis bounds them by nothing; here they take so many bytes at most, and one that
// would be more is refused.

#ifndef GEMEL_PROXY_SCRIPTS_FUNCTION_STORE_H_
#define GEMEL_PROXY_SCRIPTS_FUNCTION_STORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/shard/library_source.h"
#include "proxy/scripts/text_store.h"

namespace gemel {

struct FunctionLibrary {
  std::string name;
  std::string code;                    // as the client gave it
  std::vector<std::string> functions;  // their names
};

// Any thread.
class FunctionStore : public LibrarySource, public TextStore {
 public:
  // The name that the code's first line gives it ("#!lua name=..."); empty: it gives none.
  static std::string NameIn(std::string_view code);

  void SetLimit(uint64_t bytes);
  // Is there room for these, in the place of those of their names (`alone`: of all)?
  bool Fits(const std::vector<FunctionLibrary>& libraries, bool alone) const;
  // Takes the place of the one of that name, if there is one.
  void Put(FunctionLibrary library);
  // False: there is none.
  bool Delete(std::string_view name);
  void Clear();
  // What nodes may have of that name is none of it: they are given what is kept here anew.
  void Renew(std::string_view name);

  bool Has(std::string_view library) const;
  // A function, whatever its letters' case.
  bool HasFunction(std::string_view name) const;
  // Sorted by name.
  std::vector<FunctionLibrary> Libraries() const;

  // LibrarySource: the code that the nodes get is confined (script_guard.h).
  uint64_t version() const override;
  uint64_t Since(uint64_t version, std::vector<std::string>* frames) const override;

  // TextStore: the functions' names on a line, and the code.
  std::vector<Text> All() const override;
  bool Restore(std::string_view text) override;

 private:
  struct Kept {
    FunctionLibrary library;
    uint64_t version;  // with which it came
  };
  struct Gone {
    std::string name;
    uint64_t version;
  };
  using ByName = std::map<std::string, Kept, std::less<>>;

  void Forget(ByName::iterator kept);
  void NoteGone(std::string_view name);

  mutable std::mutex mutex_;  // guards what follows
  uint64_t limit_ = uint64_t{64} << 20;
  uint64_t bytes_ = 0;
  uint64_t version_ = 0;
  ByName libraries_;
  std::unordered_map<std::string, std::string> library_of_;  // by function, in lower case
  // Names that nodes may have and should not, the last of them at the end.
  std::deque<Gone> gone_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SCRIPTS_FUNCTION_STORE_H_

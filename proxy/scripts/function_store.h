// The libraries of functions that clients have loaded (FUNCTION LOAD), and what the nodes are to be
// told of them. Redis bounds them by nothing; here they take so many bytes at most, and one that
// would be more is refused.

#ifndef GEMEL_PROXY_SCRIPTS_FUNCTION_STORE_H_
#define GEMEL_PROXY_SCRIPTS_FUNCTION_STORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/shard/library_source.h"
#include "proxy/scripts/text_store.h"

namespace gemel {

struct FunctionLibrary {
  struct Function {
    std::string name;
    bool writes = true;  // false: it says that it does not
    bool operator==(const Function&) const = default;
  };
  std::string name;
  std::string code;  // as the client gave it
  std::vector<Function> functions;
};

// Any thread.
class FunctionStore : public LibrarySource, public TextStore {
 public:
  // What the code's first line says ("#!engine name=..."): the name of the library, quoted or not;
  // empty: it gives none, or another engine than Lua.
  static std::string NameIn(std::string_view code);
  // Of a script or function, from its flags: it says that it does not write.
  static bool SaysNoWrites(std::string_view script);

  void SetLimit(uint64_t bytes);
  // Of the day, whatever its unit, the same at all members of a fleet; null (the default): changes
  // are counted. Before anything is kept.
  void set_clock(std::function<uint64_t()> clock) { clock_ = std::move(clock); }
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
  // What is known of a function, whatever its name's letters' case; nothing: it is not kept here.
  struct Facts {
    bool writes;    // or it says that it does not
    bool may_scan;  // it or another of its library may read with a cursor (script_cursors.h)
  };
  std::optional<Facts> Find(std::string_view name) const;
  // The code of the library that it is of, whatever its letters' case; empty: it is not known.
  std::string CodeOf(std::string_view function) const;
  // Sorted by name.
  std::vector<FunctionLibrary> Libraries() const;

  // LibrarySource: the code that the nodes get is confined (script_guard.h).
  uint64_t version() const override;
  uint64_t Since(uint64_t version, std::vector<std::string>* frames) const override;

  // TextStore: the functions' names on a line, with "!" before one that does not write, and the
  // code.
  std::vector<Text> All() const override;
  bool Restore(std::string_view text) override;

  // --- of a fleet, whose members keep the same: of each name what was changed last counts, by what
  // --- they knew of each other's changes, and else by their clocks ---
  // All that is kept, and what was deleted, as a text.
  std::string Shared() const;
  // Takes over what is newer in such a text, which may be any bytes. False: nothing is, or it is
  // bad.
  bool Merge(std::string_view shared);

 private:
  struct Kept {
    FunctionLibrary library;
    uint64_t version;  // with which it came
    uint64_t stamp;    // of the change; 0: it is from before the start
  };
  struct Gone {
    std::string name;
    uint64_t version;
  };
  using ByName = std::map<std::string, Kept, std::less<>>;

  // Of what is done while the mutex is held.
  uint64_t NextStamp() const;
  void PutStamped(FunctionLibrary library, uint64_t stamp);
  void DropStamped(std::string_view name, uint64_t stamp);
  bool IsNewer(const std::string& name, uint64_t stamp, std::string_view text) const;
  void Forget(ByName::iterator kept);
  void NoteGone(std::string_view name);

  std::function<uint64_t()> clock_;
  mutable std::mutex mutex_;  // guards what follows
  uint64_t limit_ = uint64_t{64} << 20;
  uint64_t bytes_ = 0;
  uint64_t version_ = 0;
  ByName libraries_;
  struct Known {
    std::string library;
    Facts facts;
  };
  std::unordered_map<std::string, Known> functions_;  // by name in lower case
  // Names that nodes may have and should not, the last of them at the end.
  std::deque<Gone> gone_;
  uint64_t stamp_ = 0;                                    // the highest that is known
  std::map<std::string, uint64_t, std::less<>> dropped_;  // names that were deleted, and when
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SCRIPTS_FUNCTION_STORE_H_

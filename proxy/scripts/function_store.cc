#include "proxy/scripts/function_store.h"

#include <algorithm>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/command/script_cursors.h"
#include "backend/command/script_guard.h"
#include "backend/peer/peer_wire.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr size_t kMostGone = 1024;
// What one takes beside its code.
constexpr uint64_t kEachLibrary = 1024;

constexpr size_t kMostDropped = 1024;
constexpr size_t kLeastOfShared = 17;  // two lengths, whether it is there, a stamp

// The functions' names on a line, and the code.
std::string TextOf(const FunctionLibrary& library) {
  std::string text;
  for (const FunctionLibrary::Function& each : library.functions) {
    text += (each.writes ? "" : "!") + each.name + " ";
  }
  return text + "\n" + library.code;
}

std::optional<FunctionLibrary> LibraryOf(std::string_view text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  FunctionLibrary library{
      FunctionStore::NameIn(text.substr(end + 1)), std::string(text.substr(end + 1)), {}};
  if (library.name.empty()) return std::nullopt;
  std::string_view names = text.substr(0, end);
  for (size_t space = names.find(' '); space != std::string_view::npos; space = names.find(' ')) {
    const bool writes = !names.starts_with('!');
    library.functions.push_back(
        {std::string(names.substr(writes ? 0 : 1, space - (writes ? 0 : 1))), writes});
    names.remove_prefix(space + 1);
  }
  return library;
}

uint64_t SizeOf(const FunctionLibrary& library) { return library.code.size() + kEachLibrary; }

std::string Lower(std::string_view text) {
  std::string lower;
  for (const char c : text) lower.push_back(AsciiLower(c));
  return lower;
}

// The words of a first line that begins with "#!", without it: as Redis splits them, apart by
// spaces, in quotes or not. Escapes are not for names.
std::vector<std::string> HeadOf(std::string_view code) {
  std::vector<std::string> words;
  if (!code.starts_with("#!")) return words;
  code =
      code.substr(2, code.find('\n') == std::string_view::npos ? code.npos : code.find('\n') - 2);
  char quote = 0;
  bool inside = false;
  for (const char c : code) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (quote == 0 && space) {
      inside = false;
      continue;
    }
    if (!std::exchange(inside, true)) words.emplace_back();
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      words.back().push_back(c);
    }
  }
  return words;
}

// What stands behind "name=" in the word that begins so; the last one counts.
std::string ValueOf(const std::vector<std::string>& words, std::string_view name) {
  std::string value;
  for (const std::string& word : words) {
    if (EqualsLower(std::string_view(word).substr(0, name.size()), name)) {
      value = word.substr(name.size());
    }
  }
  return value;
}

}  // namespace

std::string FunctionStore::NameIn(std::string_view code) {
  const std::vector<std::string> words = HeadOf(code);
  if (words.empty() || !EqualsLower(words[0], "lua")) return {};
  return ValueOf(words, "name=");
}

bool FunctionStore::SaysNoWrites(std::string_view script) {
  const std::string flags = "," + ValueOf(HeadOf(script), "flags=") + ",";
  return flags.find(",no-writes,") != std::string::npos;
}

void FunctionStore::SetLimit(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_ = bytes;
}

bool FunctionStore::Fits(const std::vector<FunctionLibrary>& libraries, bool alone) const {
  const std::lock_guard lock(mutex_);
  uint64_t bytes = alone ? 0 : bytes_;
  for (const FunctionLibrary& library : libraries) {
    const auto known = libraries_.find(library.name);
    if (!alone && known != libraries_.end()) bytes -= SizeOf(known->second.library);
    bytes += SizeOf(library);
  }
  return bytes <= limit_;
}

void FunctionStore::Put(FunctionLibrary library) {
  const std::lock_guard lock(mutex_);
  PutStamped(std::move(library), NextStamp());
}

// Also one that has just started, and does not know what others have changed, comes behind that.
uint64_t FunctionStore::NextStamp() const {
  return std::max(stamp_ + 1, clock_ == nullptr ? 0 : clock_());
}

void FunctionStore::PutStamped(FunctionLibrary library, uint64_t stamp) {
  stamp_ = std::max(stamp_, stamp);
  dropped_.erase(library.name);
  if (const auto known = libraries_.find(library.name); known != libraries_.end()) Forget(known);
  std::erase_if(gone_, [&](const Gone& gone) { return gone.name == library.name; });
  bytes_ += SizeOf(library);
  const bool may_scan = MayScan(library.code);
  for (const FunctionLibrary::Function& each : library.functions) {
    functions_[Lower(each.name)] = {library.name, {each.writes, may_scan}};
  }
  std::string name = library.name;
  libraries_[std::move(name)] = {std::move(library), ++version_, stamp};
}

bool FunctionStore::Delete(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (!libraries_.contains(name)) return false;
  DropStamped(name, NextStamp());
  return true;
}

// Of those that were deleted long ago it is not known any more.
void FunctionStore::DropStamped(std::string_view name, uint64_t stamp) {
  stamp_ = std::max(stamp_, stamp);
  dropped_[std::string(name)] = stamp;
  if (dropped_.size() > kMostDropped) {
    dropped_.erase(
        std::min_element(dropped_.begin(), dropped_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  NoteGone(name);
  if (const auto known = libraries_.find(name); known != libraries_.end()) Forget(known);
}

void FunctionStore::Clear() {
  const std::lock_guard lock(mutex_);
  while (!libraries_.empty()) {
    DropStamped(std::string(libraries_.begin()->first), NextStamp());
  }
}

void FunctionStore::Renew(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = libraries_.find(name); known != libraries_.end()) {
    known->second.version = ++version_;
  } else {
    NoteGone(name);
  }
}

void FunctionStore::Forget(ByName::iterator kept) {
  const FunctionLibrary& library = kept->second.library;
  bytes_ -= SizeOf(library);
  for (const FunctionLibrary::Function& each : library.functions) {
    const auto found = functions_.find(Lower(each.name));
    if (found != functions_.end() && found->second.library == library.name) functions_.erase(found);
  }
  libraries_.erase(kept);
}

void FunctionStore::NoteGone(std::string_view name) {
  std::erase_if(gone_, [name](const Gone& gone) { return gone.name == name; });
  if (gone_.size() == kMostGone) gone_.pop_front();
  gone_.push_back({std::string(name), ++version_});
}

bool FunctionStore::Has(std::string_view library) const {
  const std::lock_guard lock(mutex_);
  return libraries_.contains(library);
}

std::optional<FunctionStore::Facts> FunctionStore::Find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = functions_.find(Lower(name));
  if (found == functions_.end()) return std::nullopt;
  return found->second.facts;
}

std::string FunctionStore::CodeOf(std::string_view function) const {
  const std::lock_guard lock(mutex_);
  const auto found = functions_.find(Lower(function));
  if (found == functions_.end()) return {};
  const auto library = libraries_.find(found->second.library);
  return library == libraries_.end() ? std::string() : library->second.library.code;
}

std::vector<FunctionLibrary> FunctionStore::Libraries() const {
  const std::lock_guard lock(mutex_);
  std::vector<FunctionLibrary> all;
  for (const auto& [name, kept] : libraries_) all.push_back(kept.library);
  return all;
}

uint64_t FunctionStore::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

// First what goes: a function's name may have moved from one library to another.
uint64_t FunctionStore::Since(uint64_t version, std::vector<std::string>* frames) const {
  const std::lock_guard lock(mutex_);
  for (const Gone& gone : gone_) {
    if (gone.version > version) frames->push_back(CommandFrame({"FUNCTION", "DELETE", gone.name}));
  }
  std::map<uint64_t, const FunctionLibrary*> in_order;
  for (const auto& [name, kept] : libraries_) {
    if (kept.version > version) in_order[kept.version] = &kept.library;
  }
  for (const auto& [came, library] : in_order) {
    frames->push_back(CommandFrame({"FUNCTION", "LOAD", "REPLACE", ConfineLibrary(library->code)}));
  }
  return version_;
}

std::vector<TextStore::Text> FunctionStore::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<Text> all;
  for (const auto& [name, kept] : libraries_) {
    all.push_back(std::make_shared<const std::string>(TextOf(kept.library)));
  }
  return all;
}

bool FunctionStore::Restore(std::string_view text) {
  std::optional<FunctionLibrary> library = LibraryOf(text);
  if (!library) return false;
  const std::lock_guard lock(mutex_);
  PutStamped(*std::move(library), 0);
  return true;
}

std::string FunctionStore::Shared() const {
  const std::lock_guard lock(mutex_);
  std::string shared;
  WireWriter writer(&shared);
  writer.U32(static_cast<uint32_t>(libraries_.size() + dropped_.size()));
  for (const auto& [name, kept] : libraries_) {
    writer.U8(1);
    writer.U64(kept.stamp);
    writer.Text(name);
    writer.Text(TextOf(kept.library));
  }
  for (const auto& [name, stamp] : dropped_) {
    writer.U8(0);
    writer.U64(stamp);
    writer.Text(name);
    writer.Text({});
  }
  return shared;
}

// Of two changes that did not know of each other all take the same one.
bool FunctionStore::IsNewer(const std::string& name, uint64_t stamp, std::string_view text) const {
  if (const auto kept = libraries_.find(name); kept != libraries_.end()) {
    if (stamp != kept->second.stamp) return stamp > kept->second.stamp;
    return text > TextOf(kept->second.library);
  }
  const auto dropped = dropped_.find(name);
  if (dropped == dropped_.end()) return true;
  return stamp != dropped->second ? stamp > dropped->second : !text.empty();
}

bool FunctionStore::Merge(std::string_view shared) {
  WireReader reader(shared);
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (size_t count = reader.Count(kLeastOfShared); count > 0; --count) {
    const bool there = reader.U8() != 0;
    const uint64_t stamp = reader.U64();
    const std::string name(reader.Text());
    const std::string_view text = reader.Text();
    if (!reader.ok()) break;
    if (!IsNewer(name, stamp, text)) continue;
    std::optional<FunctionLibrary> library = LibraryOf(text);
    if (there == library.has_value() && (!there || library->name == name)) {
      any = true;
      if (there) {
        PutStamped(*std::move(library), stamp);
      } else {
        DropStamped(name, stamp);
      }
    }
  }
  return any;
}

}  // namespace gemel

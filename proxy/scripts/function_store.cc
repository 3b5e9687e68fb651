#include "proxy/scripts/function_store.h"

#include <algorithm>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/command/script_guard.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr size_t kMostGone = 1024;
// What one takes beside its code.
constexpr uint64_t kEachLibrary = 1024;

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
  if (const auto known = libraries_.find(library.name); known != libraries_.end()) Forget(known);
  std::erase_if(gone_, [&](const Gone& gone) { return gone.name == library.name; });
  bytes_ += SizeOf(library);
  for (const FunctionLibrary::Function& each : library.functions) {
    functions_[Lower(each.name)] = {library.name, each.writes};
  }
  std::string name = library.name;
  libraries_[std::move(name)] = {std::move(library), ++version_};
}

bool FunctionStore::Delete(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto known = libraries_.find(name);
  if (known == libraries_.end()) return false;
  NoteGone(name);
  Forget(known);
  return true;
}

void FunctionStore::Clear() {
  const std::lock_guard lock(mutex_);
  while (!libraries_.empty()) {
    NoteGone(libraries_.begin()->first);
    Forget(libraries_.begin());
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

bool FunctionStore::HasFunction(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return functions_.contains(Lower(name));
}

bool FunctionStore::OnlyReads(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = functions_.find(Lower(name));
  return found != functions_.end() && !found->second.writes;
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
    std::string text;
    for (const FunctionLibrary::Function& each : kept.library.functions) {
      text += (each.writes ? "" : "!") + each.name + " ";
    }
    all.push_back(std::make_shared<const std::string>(text + "\n" + kept.library.code));
  }
  return all;
}

bool FunctionStore::Restore(std::string_view text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  FunctionLibrary library{NameIn(text.substr(end + 1)), std::string(text.substr(end + 1)), {}};
  if (library.name.empty()) return false;
  std::string_view names = text.substr(0, end);
  for (size_t space = names.find(' '); space != std::string_view::npos; space = names.find(' ')) {
    const bool writes = !names.starts_with('!');
    library.functions.push_back(
        {std::string(names.substr(writes ? 0 : 1, space - (writes ? 0 : 1))), writes});
    names.remove_prefix(space + 1);
  }
  Put(std::move(library));
  return true;
}

}  // namespace gemel

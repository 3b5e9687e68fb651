#include "proxy/local/command_info.h"

#include <algorithm>
#include <charconv>

#include "backend/command/command_docs.h"
#include "backend/command/command_facts.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

struct FlagName {
  uint32_t flag;
  std::string_view name;
};
constexpr FlagName kFlagNames[] = {
    {kCmdWrite, "write"},
    {kCmdReadonly, "readonly"},
    {kCmdDenyOom, "denyoom"},
    {kCmdAdmin, "admin"},
    {kCmdPubSub, "pubsub"},
    {kCmdNoScript, "noscript"},
    {kCmdBlocking, "blocking"},
    {kCmdLoading, "loading"},
    {kCmdStale, "stale"},
    {kCmdSkipMonitor, "skip_monitor"},
    {kCmdSkipSlowlog, "skip_slowlog"},
    {kCmdAsking, "asking"},
    {kCmdFast, "fast"},
    {kCmdNoAuth, "no_auth"},
    {kCmdNoAsyncLoading, "no_async_loading"},
    {kCmdNoMulti, "no_multi"},
    {kCmdNoMandatoryKeys, "no_mandatory_keys"},
    {kCmdAllowBusy, "allow_busy"},
    {kCmdMovableKeys, "movablekeys"},
};

void AppendFlags(const CommandRow& row, std::string* out) {
  int64_t count = 0;
  for (const FlagName& f : kFlagNames) count += (row.flags & f.flag) != 0;
  AppendSetHeader(out, count);
  for (const FlagName& f : kFlagNames) {
    if ((row.flags & f.flag) != 0) AppendSimple(out, f.name);
  }
}

// The words of a text, which are apart by `by`; of an empty one none.
std::vector<std::string_view> WordsOf(std::string_view text, char by) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(by), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

void AppendNumber(std::string_view word, std::string* out) {
  int64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  AppendInteger(out, number);
}

// One of the two searches of a key specification: its type, and a map of its fields.
struct Search {
  char letter;
  std::string_view type;
  std::vector<std::string_view> fields;
};

void AppendSearch(std::string_view text, std::string* out) {
  static const Search kSearches[] = {{'i', "index", {"index"}},
                                     {'k', "keyword", {"keyword", "startfrom"}},
                                     {'r', "range", {"lastkey", "keystep", "limit"}},
                                     {'n', "keynum", {"keynumidx", "firstkey", "keystep"}},
                                     {'u', "unknown", {}}};
  const std::vector<std::string_view> words = WordsOf(text, ' ');
  for (const Search& search : kSearches) {
    if (search.letter != text[0]) continue;
    AppendMapHeader(out, 2);
    AppendBulk(out, "type");
    AppendBulk(out, search.type);
    AppendBulk(out, "spec");
    AppendMapHeader(out, static_cast<int64_t>(search.fields.size()));
    for (size_t i = 0; i < search.fields.size(); ++i) {
      AppendBulk(out, search.fields[i]);
      if (search.fields[i] == "keyword") {
        AppendBulk(out, words[1 + i]);
      } else {
        AppendNumber(words[1 + i], out);
      }
    }
  }
}

void AppendKeySpecs(std::string_view text, std::string* out) {
  const std::vector<std::string_view> specs = WordsOf(text, '|');
  AppendSetHeader(out, static_cast<int64_t>(specs.size()));
  for (const std::string_view spec : specs) {
    const std::vector<std::string_view> parts = WordsOf(spec, ';');
    AppendMapHeader(out, static_cast<int64_t>(parts.size()));
    if (parts.size() > 3) {
      AppendBulk(out, "notes");
      AppendBulk(out, parts[3]);
    }
    AppendBulk(out, "flags");
    const std::vector<std::string_view> flags = WordsOf(parts[0], ' ');
    AppendSetHeader(out, static_cast<int64_t>(flags.size()));
    for (const std::string_view flag : flags) AppendSimple(out, flag);
    AppendBulk(out, "begin_search");
    AppendSearch(parts[1], out);
    AppendBulk(out, "find_keys");
    AppendSearch(parts[2], out);
  }
}

constexpr std::string_view kCategories[] = {
    "@keyspace",   "@read",        "@write",    "@set",         "@sortedset", "@list",
    "@hash",       "@string",      "@bitmap",   "@hyperloglog", "@geo",       "@stream",
    "@pubsub",     "@admin",       "@fast",     "@slow",        "@blocking",  "@dangerous",
    "@connection", "@transaction", "@scripting"};

}  // namespace

std::vector<std::string_view> CategoriesOf(const CommandRow& row) {
  std::vector<std::string_view> names;
  if (const CommandFacts* facts = FindCommandFacts(row.name); facts != nullptr) {
    for (const std::string_view word : WordsOf(facts->categories, ' ')) {
      for (const std::string_view category : kCategories) {
        if (category.substr(1) == word) names.push_back(category);
      }
    }
    return names;
  }
  if ((row.flags & kCmdWrite) != 0) names.push_back("@write");
  if ((row.flags & kCmdReadonly) != 0) names.push_back("@read");
  names.push_back((row.flags & kCmdFast) != 0 ? "@fast" : "@slow");
  if ((row.flags & kCmdAdmin) != 0) names.insert(names.end(), {"@admin", "@dangerous"});
  return names;
}

void AppendCommandInfo(const CommandRow& row, std::string* out) {
  AppendArrayHeader(out, 10);
  AppendBulk(out, row.name);
  AppendInteger(out, row.arity);
  AppendFlags(row, out);
  AppendInteger(out, row.first_key);
  AppendInteger(out, row.last_key);
  AppendInteger(out, row.key_step);
  const std::vector<std::string_view> categories = CategoriesOf(row);
  AppendSetHeader(out, static_cast<int64_t>(categories.size()));
  for (const std::string_view name : categories) AppendSimple(out, name);
  const CommandFacts* facts = FindCommandFacts(row.name);
  const std::vector<std::string_view> tips =
      WordsOf(facts == nullptr ? std::string_view() : facts->tips, ' ');
  AppendSetHeader(out, static_cast<int64_t>(tips.size()));
  for (const std::string_view tip : tips) AppendBulk(out, tip);
  AppendKeySpecs(facts == nullptr ? std::string_view() : facts->key_specs, out);
}

}  // namespace gemel

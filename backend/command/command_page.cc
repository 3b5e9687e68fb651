#include "backend/command/command_page.h"

#include <array>
#include <string_view>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/command/command_docs.h"
#include "backend/command/command_table.h"

namespace gemel {

namespace {

enum class Kind : uint8_t { kAsRedis, kWithinOneShard, kByGemel, kRefused };
constexpr std::array<std::string_view, 4> kKindNames = {"as Redis", "as Redis within one shard",
                                                        "answered by gemel", "refused"};

Kind KindOf(const CommandRow& row) {
  switch (row.split) {
    case Split::kNotSupported:
      return Kind::kRefused;
    case Split::kLocal:
      return Kind::kByGemel;
    case Split::kOneShard: {
      const bool one_key = row.key_rule == KeyRule::kRange && row.first_key == row.last_key;
      return one_key ? Kind::kAsRedis : Kind::kWithinOneShard;
    }
    default:
      return Kind::kAsRedis;
  }
}

std::string_view HowItGoes(const CommandRow& row) {
  switch (row.split) {
    case Split::kEachKey:
      return "cut up by key, over all shards";
    case Split::kEachShard:
      return "of all shards";
    case Split::kAnyShard:
      return "of any shard that has one";
    case Split::kCursor:
      return "shard by shard";
    default:
      return {};
  }
}

std::string_view HowItIsCopied(const CommandRow& row) {
  switch (row.second_copy) {
    case SecondCopy::kNone:
      return {};
    case SecondCopy::kSameBytes:
      return "the same command to each copy";
    case SecondCopy::kRewrite:
      return "the other copies get what came of it";
    case SecondCopy::kStateCopy:
      return "the other copies get the state of its keys";
    default:
      return "refused where the shard has several copies, if it writes";
  }
}

// What the table says beside its kind.
std::string Notes(const CommandRow& row) {
  if (!row.refusal.empty()) return std::string(row.refusal);
  std::vector<std::string_view> notes;
  if (const std::string_view how = HowItGoes(row); !how.empty()) notes.push_back(how);
  if (const std::string_view how = HowItIsCopied(row); !how.empty()) notes.push_back(how);
  if (row.blocking != Blocking::kNone) notes.push_back("waits in gemel, not on a node");
  if (row.arg_rule == ArgRule::kSort || row.arg_rule == ArgRule::kSortRo) {
    notes.push_back("BY and GET with patterns only where the pool has one shard");
  }
  if (row.local == LocalCommand::kMonitor) {
    notes.push_back("shows what clients ask, and not what their scripts call");
  }
  if (row.script != ScriptRule::kNone)
    notes.push_back(
        "beside the keys that it declares it may write those that are certainly its shard's");
  std::string text;
  for (const std::string_view note : notes) {
    if (!text.empty()) text += "; ";
    text += note;
  }
  return text;
}

// As people write it: "CONFIG GET".
std::string NameOf(const CommandRow& row) {
  std::string name;
  for (const char c : row.name) name += c == '|' ? ' ' : AsciiUpper(c);
  return name;
}

std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

constexpr std::string_view kHead =
    "# Commands\n"
    "\n"
    "What becomes of each command of Redis 7.0, and of gemel's own. The page is made from the rows "
    "of the command\n"
    "table (`command_page.cc`); a test fails if it is not what they say.\n"
    "\n"
    "- **as Redis**: whatever the keys are, and however many shards there are.\n"
    "- **as Redis within one shard**: all keys must be on one shard (a `{tag}` in their names sees "
    "to that), else the\n"
    "  answer is CROSSSLOT.\n"
    "- **answered by gemel**: no node is asked, or what it says is about gemel itself.\n"
    "- **refused**: with the sentence that stands here.\n"
    "\n";

}  // namespace

std::string CommandPage() {
  std::array<size_t, kKindNames.size()> counts{};
  std::string rows;
  for (const CommandRow& row : BuiltinCommands()) {
    if ((row.flags & kCmdContainer) != 0) continue;
    const auto kind = static_cast<size_t>(KindOf(row));
    ++counts[kind];
    const CommandDoc* doc = FindCommandDoc(row.name);
    rows += "| " + NameOf(row) + " | " + std::string(doc == nullptr ? "" : doc->group) + " | " +
            std::string(kKindNames[kind]) + " | " + Cell(Notes(row)) + " |\n";
  }
  std::string page(kHead);
  for (size_t kind = 0; kind < counts.size(); ++kind) {
    page += (kind == 0 ? "" : ", ") + std::to_string(counts[kind]) + " " +
            std::string(kKindNames[kind]);
  }
  page += ".\n\n| command | group | what becomes of it | |\n| --- | --- | --- | --- |\n";
  return page + rows;
}

}  // namespace gemel

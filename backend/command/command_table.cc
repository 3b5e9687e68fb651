#include "backend/command/command_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>

#include "backend/command/ascii.h"
#include "backend/command/row_builder.h"

namespace gemel {

namespace {

// ---- The index: names folded to lower case in two words, one probe into an open table.

// A name of up to 16 bytes fills the two words with nothing left over (the loads overlap, so that
// none reads past the end); of a longer one they hold the first and the last 8, and the whole is
// compared too.
struct Folded {
  uint64_t head = 0;
  uint64_t tail = 0;
};

uint64_t Load(const char* p, size_t n) {
  uint64_t word = 0;
  std::memcpy(&word, p, n);
  return word;
}

// Eight letters at once: bytes from 'A' to 'Z' get bit 5.
uint64_t FoldWord(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  const uint64_t low7 = word & (0x7f * kOnes);
  const uint64_t from_a = low7 + (0x80 - 'A') * kOnes;       // bit 7: >= 'A'
  const uint64_t above_z = low7 + (0x80 - 'Z' - 1) * kOnes;  // bit 7: > 'Z'
  const uint64_t upper = from_a & ~above_z & ~word & (0x80 * kOnes);
  return word | (upper >> 2);
}

Folded Fold(std::string_view name) {
  const char* p = name.data();
  const size_t n = name.size();
  if (n >= 8) return {FoldWord(Load(p, 8)), FoldWord(Load(p + n - 8, 8))};
  if (n >= 4) return {FoldWord(Load(p, 4) | Load(p + n - 4, 4) << 32), 0};
  if (n == 0) return {};
  const uint64_t word = static_cast<uint64_t>(static_cast<unsigned char>(p[0])) |
                        static_cast<uint64_t>(static_cast<unsigned char>(p[n / 2])) << 8 |
                        static_cast<uint64_t>(static_cast<unsigned char>(p[n - 1])) << 16;
  return {FoldWord(word), 0};
}

class Index {
 public:
  static constexpr uint32_t kNoParent = 0;

  // Room for `count` names.
  void Reserve(size_t count) {
    const size_t size = std::bit_ceil(count * 2 + 1);
    slots_.assign(size, Slot{});
    shift_ = 64 - std::countr_zero(size);
  }

  // `parent` is 0, or 1 + the row of the container.
  void Add(std::string_view lower, uint32_t parent, uint32_t row) {
    const Folded key = Fold(lower);
    size_t i = Hash(key, parent);
    while (slots_[i].row != kEmpty) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {key, parent, static_cast<uint32_t>(lower.size()), row};
    if (names_.size() <= row) names_.resize(row + 1);
    names_[row] = lower;
  }

  // The row, or -1. `lower` need not be in lower case.
  int64_t Find(std::string_view name, uint32_t parent) const {
    const Folded key = Fold(name);
    for (size_t i = Hash(key, parent);; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[i];
      if (slot.row == kEmpty) return -1;
      if (slot.key.head == key.head && slot.key.tail == key.tail && slot.size == name.size() &&
          slot.parent == parent && (name.size() <= 16 || EqualsLower(name, names_[slot.row]))) {
        return slot.row;
      }
    }
  }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  struct Slot {
    Folded key;
    uint32_t parent = 0;
    uint32_t size = 0;
    uint32_t row = kEmpty;
  };

  size_t Hash(const Folded& key, uint32_t parent) const {
    const uint64_t mixed = (key.head ^ (key.tail << 1 | key.tail >> 63)) + parent;
    return (mixed ^ mixed >> 32) * 0x9e3779b97f4a7c15ull >> shift_;
  }

  std::vector<Slot> slots_;
  std::vector<std::string_view> names_;  // by row
  int shift_ = 0;
};

// ---- The operator's rows

// The fewest arguments that hold every key of the range.
int LeastArity(const CommandRow& row) {
  if (row.key_rule != KeyRule::kRange) return 1;
  return row.last_key < 0 ? row.first_key - row.last_key : row.last_key + 1;
}

CommandRow RowOf(const ExtraCommand& extra, std::string_view name) {
  CommandRow row{};
  row.name = name;
  row.flags = extra.write ? kCmdWrite : kCmdReadonly;
  if (extra.first_key > 0) {
    row.key_rule = KeyRule::kRange;
    row.first_key = static_cast<int16_t>(extra.first_key);
    row.last_key = static_cast<int16_t>(extra.last_key == 0 ? extra.first_key : extra.last_key);
    row.key_step = static_cast<int16_t>(std::max(extra.key_step, 1));
  }
  if (extra.first_key <= 0) row.space = SpaceRule::kRefused;  // nobody knows what it is about
  // A command too short for its keys is a matter of arity: then keys are always there to be found.
  const int least = LeastArity(row);
  row.arity = static_cast<int16_t>(extra.arity >= 0 ? std::max(extra.arity, least)
                                                    : std::min(extra.arity, -least));
  if (extra.write) {
    if (!extra.deterministic) row.flags |= kCmdLooseReplication;
    row.second_copy = extra.deterministic               ? SecondCopy::kSameBytes
                      : row.key_rule == KeyRule::kRange ? SecondCopy::kStateCopy
                                                        : SecondCopy::kNotYet;
    if (row.second_copy == SecondCopy::kNotYet) {
      row.refusal =
          "this module command is not supported by gemel yet on a shard of several copies: its "
          "[[command]] entry names no keys and does not say that it is deterministic";
    }
  }
  return row;
}

// ---- Error sentences

// At most `limit` bytes, and none from the first NUL on: what C's "%.*s" prints.
std::string_view Printed(std::string_view text, size_t limit) {
  text = text.substr(0, limit);
  return text.substr(0, text.find('\0'));
}

// An error is one line.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return text;
}

constexpr size_t kShown = 128;  // bytes of a name, and of all arguments together

}  // namespace

std::span<const CommandRow> BuiltinCommands() {
  static const std::vector<CommandRow> all = [] {
    std::vector<CommandRow> sorted;
    for (std::span<const CommandRow> group :
         {rows::StringRows(), rows::CollectionRows(), rows::StreamRows(), rows::ServerRows()}) {
      sorted.insert(sorted.end(), group.begin(), group.end());
    }
    std::sort(sorted.begin(), sorted.end(),
              [](const CommandRow& a, const CommandRow& b) { return a.name < b.name; });
    return sorted;
  }();
  return all;
}

struct CommandTable::Rep {
  std::vector<CommandRow> rows;
  std::deque<std::string> names;  // the operator's: rows point here
  Index index;

  const CommandRow* Get(std::string_view name, uint32_t parent) const {
    const int64_t row = index.Find(name, parent);
    return row < 0 ? nullptr : &rows[static_cast<size_t>(row)];
  }
  uint32_t ParentId(const CommandRow& container) const {
    return static_cast<uint32_t>(&container - rows.data()) + 1;
  }
};

CommandTable::CommandTable(const std::vector<ExtraCommand>& extra) : rep_(std::make_unique<Rep>()) {
  const std::span<const CommandRow> builtin = BuiltinCommands();
  std::vector<CommandRow>& all = rep_->rows;
  all.assign(builtin.begin(), builtin.end());
  for (const ExtraCommand& command : extra) {
    std::string& name = rep_->names.emplace_back(command.name);
    std::transform(name.begin(), name.end(), name.begin(), AsciiLower);
    all.push_back(RowOf(command, name));
  }
  std::sort(all.begin(), all.end(),
            [](const CommandRow& a, const CommandRow& b) { return a.name < b.name; });

  rep_->index.Reserve(all.size());
  // Commands first: a subcommand's entry needs its container's. The operator's names are whole, a
  // '|' in one means nothing.
  const auto parent_of = [&](std::string_view name) -> const CommandRow* {
    const size_t bar = name.find('|');
    if (bar == std::string_view::npos) return nullptr;
    const CommandRow* row = rep_->Get(name.substr(0, bar), Index::kNoParent);
    return row != nullptr && (row->flags & kCmdContainer) != 0 ? row : nullptr;
  };
  for (uint32_t i = 0; i < all.size(); ++i) {
    if (all[i].name.find('|') == std::string_view::npos) {
      rep_->index.Add(all[i].name, Index::kNoParent, i);
    }
  }
  for (uint32_t i = 0; i < all.size(); ++i) {
    const std::string_view name = all[i].name;
    if (name.find('|') == std::string_view::npos) continue;
    if (const CommandRow* parent = parent_of(name)) {
      rep_->index.Add(name.substr(name.find('|') + 1), rep_->ParentId(*parent), i);
    } else {
      rep_->index.Add(name, Index::kNoParent, i);
    }
  }
}

CommandTable::~CommandTable() = default;

const CommandRow* CommandTable::Find(std::span<const std::string_view> args) const {
  const CommandRow* row = rep_->Get(args[0], Index::kNoParent);
  if (row == nullptr || (row->flags & kCmdContainer) == 0 || args.size() < 2) return row;
  return rep_->Get(args[1], rep_->ParentId(*row));
}

const CommandRow* CommandTable::FindByName(std::string_view name) const {
  if (const CommandRow* row = rep_->Get(name, Index::kNoParent)) return row;
  const size_t bar = name.find('|');
  if (bar == std::string_view::npos) return nullptr;
  const CommandRow* parent = rep_->Get(name.substr(0, bar), Index::kNoParent);
  if (parent == nullptr || (parent->flags & kCmdContainer) == 0) return nullptr;
  return rep_->Get(name.substr(bar + 1), rep_->ParentId(*parent));
}

std::string CommandTable::NotFoundError(std::span<const std::string_view> args) const {
  const bool known = rep_->Get(args[0], Index::kNoParent) != nullptr;
  return known && args.size() > 1 ? UnknownSubcommandError(args) : UnknownCommandError(args);
}

std::span<const CommandRow> CommandTable::rows() const { return rep_->rows; }

std::string UnknownCommandError(std::span<const std::string_view> args) {
  std::string shown;
  for (size_t i = 1; i < args.size() && shown.size() < kShown; ++i) {
    shown += '\'';
    shown += Printed(args[i], kShown - (shown.size() - 1));
    shown += "' ";
  }
  std::string error = "ERR unknown command '";
  error += Printed(args[0], kShown);
  error += "', with args beginning with: ";
  return OneLine(error + shown);
}

std::string UnknownSubcommandError(std::span<const std::string_view> args) {
  std::string error = "ERR unknown subcommand '";
  if (args.size() > 1) error += Printed(args[1], kShown);
  error += "'. Try ";
  for (char c : Printed(args[0], kShown)) error += AsciiUpper(c);
  return OneLine(error + " HELP.");
}

std::string ArityError(const CommandRow& row) {
  return "ERR wrong number of arguments for '" + std::string(row.name) + "' command";
}

std::string SubcommandSyntaxError(std::span<const std::string_view> args) {
  std::string container(args[0]);
  for (char& c : container) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return "ERR unknown subcommand or wrong number of arguments for '" +
         std::string(args[1].substr(0, 128)) + "'. Try " + container + " HELP.";
}

}  // namespace gemel

#include "backend/command/second_copy.h"

#include "backend/command/ascii.h"
#include "backend/command/stream_args.h"

namespace gemel {

namespace {

using Args = std::span<const std::string_view>;

bool Contains(Args args, size_t from, std::string_view lower) {
  for (size_t i = from; i < args.size(); ++i) {
    if (EqualsLower(args[i], lower)) return true;
  }
  return false;
}

// An ID that the node makes up ("*", "ms-*") differs from copy to copy; "~" trims by node layout.
SecondCopy ForXadd(Args args) {
  const XaddArgs read = ReadXaddArgs(args);
  if (read.about || read.id >= args.size()) return SecondCopy::kRewrite;
  return args[read.id].ends_with('*') ? SecondCopy::kRewrite : SecondCopy::kSameBytes;
}

// The options of SORT, as Redis's own parser reads them.
struct SortOptions {
  bool store = false;
  bool alpha = false;
  bool by_pattern = false;   // BY with a "*"
  bool get_pattern = false;  // GET of anything but "#"
};

// Calls on_pattern(pattern) for each of the patterns.
template <typename OnPattern>
SortOptions ParseSort(Args args, OnPattern on_pattern) {
  SortOptions options;
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t left = args.size() - i - 1;
    if (EqualsLower(args[i], "alpha")) {
      options.alpha = true;
    } else if (EqualsLower(args[i], "limit") && left >= 2) {
      i += 2;
    } else if (EqualsLower(args[i], "store") && left >= 1) {
      options.store = true;
      ++i;
    } else if (EqualsLower(args[i], "by") && left >= 1) {
      options.by_pattern = args[++i].find('*') != std::string_view::npos;
      if (options.by_pattern) on_pattern(args[i]);
    } else if (EqualsLower(args[i], "get") && left >= 1) {
      if (args[++i] == "#") continue;
      options.get_pattern = true;
      on_pattern(args[i]);
    }
  }
  return options;
}

SortOptions ParseSort(Args args) {
  return ParseSort(args, [](std::string_view) {});
}

// BITFIELD, as bitfieldGetKeys of Redis's db.c reads it: what is malformed counts as a write.
bool OnlyReadsBits(Args args) {
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t left = args.size() - i - 1;
    if (EqualsLower(args[i], "get") && left >= 2) {
      i += 2;
    } else if (EqualsLower(args[i], "overflow") && left >= 1) {
      ++i;
    } else {
      return false;
    }
  }
  return true;
}

// With BY and ALPHA elements of equal weight keep the order of the source, which for a set is that
// of a seeded hash table. Elsewhere Redis breaks ties itself, and sorts a set that is to be stored.
SecondCopy ForSort(Args args) {
  const SortOptions options = ParseSort(args);
  if (!options.store) return SecondCopy::kNone;
  return options.by_pattern && options.alpha ? SecondCopy::kStateCopy : SecondCopy::kSameBytes;
}

}  // namespace

SecondCopy SecondCopyByArgs(const CommandRow& row, Args args) {
  switch (row.arg_rule) {
    case ArgRule::kXadd:
      return ForXadd(args);
    case ArgRule::kXtrim:
      return args.size() > 3 && args[3] == "~" ? SecondCopy::kRewrite : SecondCopy::kSameBytes;
    case ArgRule::kByLex:
      return Contains(args, 5, "bylex") ? SecondCopy::kStateCopy : SecondCopy::kSameBytes;
    case ArgRule::kSort:
      return ForSort(args);
    case ArgRule::kStoreOption:
      return Contains(args, row.numkeys_at, "store") || Contains(args, row.numkeys_at, "storedist")
                 ? SecondCopy::kSameBytes
                 : SecondCopy::kNone;
    case ArgRule::kBitfield:
      return OnlyReadsBits(args) ? SecondCopy::kNone : SecondCopy::kSameBytes;
    case ArgRule::kPfcount:
      return args.size() > 2 ? SecondCopy::kNone : SecondCopy::kSameBytes;
    case ArgRule::kScript:
      return args.size() > 2 && args[2] == "0" ? SecondCopy::kConfined : row.second_copy;
    case ArgRule::kNone:
    case ArgRule::kSortRo:
    case ArgRule::kCopy:
    case ArgRule::kMove:
    case ArgRule::kSwapDb:
    case ArgRule::kFlushAll:
    case ArgRule::kBlocks:
      break;
  }
  return row.second_copy;
}

bool ReadsUnnamedKeysByArgs(const CommandRow& row, Args args) {
  if (row.arg_rule != ArgRule::kSort && row.arg_rule != ArgRule::kSortRo) return false;
  const SortOptions options = ParseSort(args);
  return options.by_pattern || options.get_pattern;
}

bool UnnamedKeysBegin(Args args, const std::function<bool(std::string_view)>& fits) {
  bool all = true;
  ParseSort(args, [&](std::string_view pattern) {
    const size_t star = pattern.find('*');
    all = all && star != std::string_view::npos && fits(pattern.substr(0, star));
  });
  return all;
}

}  // namespace gemel

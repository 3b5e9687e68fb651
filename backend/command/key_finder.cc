#include "backend/command/key_finder.h"

#include "backend/command/ascii.h"
#include "backend/command/blocking.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

using Args = std::span<const std::string_view>;
using Found = std::vector<uint32_t>;

// A decimal number as Redis reads one: no sign, no leading zeros, no blanks. Larger than any number
// of arguments is not a number here either.
bool ParseCount(std::string_view text, size_t* value) {
  if (text.empty() || text.size() > 9 || (text[0] == '0' && text.size() > 1)) return false;
  size_t n = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    n = n * 10 + static_cast<size_t>(c - '0');
  }
  *value = n;
  return true;
}

void AddRun(size_t from, size_t count, Found* keys) {
  for (size_t i = 0; i < count; ++i) keys->push_back(static_cast<uint32_t>(from + i));
}

bool FindRange(const CommandRow& row, Args args, Found* keys) {
  const int64_t count = static_cast<int64_t>(args.size());
  const int64_t first = row.first_key;
  const int64_t step = row.key_step;
  const int64_t last = row.last_key < 0 ? count + row.last_key : row.last_key;
  if (first < 1 || step < 1 || last >= count) return false;
  if (last < first) return ArityFits(row, args.size());  // none given, and none needed
  // Each key has its whole step: MSET k v k is malformed.
  if (row.last_key < 0 && (last - first + 1) % step != 0) return false;
  for (int64_t i = first; i <= last; i += step) keys->push_back(static_cast<uint32_t>(i));
  return true;
}

bool FindNumkeys(const CommandRow& row, size_t at, Args args, Found* keys) {
  size_t count = 0;
  if (at >= args.size() || !ParseCount(args[at], &count)) return false;
  if (count > args.size() - at - 1) return false;
  if (count == 0 && (row.flags & kCmdNoMandatoryKeys) == 0) return false;
  AddRun(at + 1, count, keys);
  return true;
}

// Where the keys begin in XREAD [COUNT n] [BLOCK ms] STREAMS key ... id ...; XREADGROUP has GROUP
// group consumer and NOACK too. 0 if there is no STREAMS where one may be.
size_t StreamsBegin(Args args) {
  for (size_t i = 1; i < args.size(); ++i) {
    if (EqualsLower(args[i], "streams")) return i + 1;
    if (EqualsLower(args[i], "count") || EqualsLower(args[i], "block")) {
      i += 1;
    } else if (EqualsLower(args[i], "group")) {
      i += 2;
    } else if (!EqualsLower(args[i], "noack")) {
      return 0;
    }
  }
  return 0;
}

bool FindStreams(Args args, Found* keys) {
  const size_t begin = StreamsBegin(args);
  if (begin == 0 || begin == args.size() || (args.size() - begin) % 2 != 0) return false;
  AddRun(begin, (args.size() - begin) / 2, keys);
  return true;
}

// The key, and what the last STORE names; the options' own arguments are no options.
bool FindSort(Args args, Found* keys) {
  if (args.size() < 2) return false;
  size_t store = 0;
  for (size_t i = 2; i < args.size(); ++i) {
    if (EqualsLower(args[i], "limit")) {
      i += 2;
    } else if (EqualsLower(args[i], "get") || EqualsLower(args[i], "by")) {
      i += 1;
    } else if (EqualsLower(args[i], "store")) {
      if (i + 1 == args.size()) return false;
      store = ++i;
    }
  }
  keys->push_back(1);
  if (store != 0) keys->push_back(static_cast<uint32_t>(store));
  return true;
}

// The key, and all that STORE or STOREDIST names: Redis stores to the last.
bool FindGeoRadius(const CommandRow& row, Args args, Found* keys) {
  if (args.size() < row.numkeys_at) return false;
  keys->push_back(1);
  for (size_t i = row.numkeys_at; i < args.size(); ++i) {
    if (!EqualsLower(args[i], "store") && !EqualsLower(args[i], "storedist")) continue;
    if (++i < args.size()) keys->push_back(static_cast<uint32_t>(i));
  }
  return true;
}

// MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH p] [AUTH2 u p] [KEYS key ...]
bool FindMigrate(Args args, Found* keys) {
  if (args.size() < 6) return false;
  for (size_t i = 6; i < args.size(); ++i) {
    if (EqualsLower(args[i], "keys")) {
      if (!args[3].empty() || i + 1 == args.size()) return false;
      AddRun(i + 1, args.size() - i - 1, keys);
      return true;
    }
    if (EqualsLower(args[i], "auth")) {
      i += 1;
    } else if (EqualsLower(args[i], "auth2")) {
      i += 2;
    }
  }
  keys->push_back(3);
  return true;
}

bool FindMovable(const CommandRow& row, Args args, Found* keys) {
  switch (row.movable) {
    case Movable::kNumkeys:
      return FindNumkeys(row, row.numkeys_at, args, keys);
    case Movable::kDestNumkeys:
      keys->push_back(1);
      return FindNumkeys(row, 2, args, keys);
    case Movable::kStreams:
      return FindStreams(args, keys);
    case Movable::kSort:
      return FindSort(args, keys);
    case Movable::kGeoRadius:
      return FindGeoRadius(row, args, keys);
    case Movable::kMigrate:
      return FindMigrate(args, keys);
    case Movable::kNone:
      break;
  }
  return false;
}

// The first mistake in what XREAD and XREADGROUP have before their IDs. Source: xreadCommand,
// t_stream.c of Redis 7.0.
std::string StreamsError(bool of_group, Args args) {
  for (size_t i = 1; i < args.size(); ++i) {
    const size_t more = args.size() - i - 1;
    int64_t count = 0;
    uint64_t timeout_ms = 0;
    std::string wrong;
    if (EqualsLower(args[i], "block") && more > 0) {
      if (!ReadTimeoutMs(args[++i], &timeout_ms, &wrong)) return wrong;
    } else if (EqualsLower(args[i], "count") && more > 0) {
      if (!ParseInteger(args[++i], &count)) return "ERR value is not an integer or out of range";
    } else if (EqualsLower(args[i], "streams") && more > 0) {
      return "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
             "specified.";
    } else if (EqualsLower(args[i], "group") && more >= 2) {
      if (!of_group) {
        return "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
      }
      i += 2;
    } else if (EqualsLower(args[i], "noack")) {
      if (!of_group) {
        return "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
      }
    } else {
      break;
    }
  }
  return "ERR syntax error";
}

}  // namespace

bool FindKeys(const CommandRow& row, Args args, Found* keys) {
  keys->clear();
  bool ok = true;
  if (row.key_rule == KeyRule::kRange) {
    ok = FindRange(row, args, keys);
  } else if (row.key_rule == KeyRule::kMovable) {
    ok = FindMovable(row, args, keys);
  }
  if (!ok) keys->clear();
  return ok;
}

std::string MalformedKeysError(const CommandRow& row, Args args) {
  if (row.key_rule == KeyRule::kRange) return ArityError(row);
  if (row.movable == Movable::kNumkeys || row.movable == Movable::kDestNumkeys) {
    const size_t at = row.movable == Movable::kNumkeys ? row.numkeys_at : 2;
    if (at >= args.size()) return ArityError(row);
    int64_t count = 0;
    const bool number = ParseInteger(args[at], &count);
    const std::string_view too_many = "ERR Number of keys can't be greater than number of args";
    const std::string_view no_number = "ERR value is not an integer or out of range";
    switch (row.numkeys_error) {
      case NumkeysError::kOfScripts:
        if (number && count < 0) return "ERR Number of keys can't be negative";
        if (number) return std::string(too_many);
        return row.script == ScriptRule::kFunction ? "ERR Bad number of keys provided"
                                                   : std::string(no_number);
      case NumkeysError::kGreater:
        return number && count > 0 ? "ERR syntax error" : "ERR numkeys should be greater than 0";
      case NumkeysError::kAtLeastOne:
        if (number && count > 0) return "ERR syntax error";
        if (!number) return std::string(no_number);
        return "ERR at least 1 input key is needed for '" + std::string(row.name) + "' command";
      case NumkeysError::kCardinality:
        return number && count > 0 ? std::string(too_many) : "ERR numkeys should be greater than 0";
    }
  }
  if (row.movable == Movable::kStreams) return StreamsError(row.IsWrite(), args);
  return "ERR syntax error";
}

}  // namespace gemel

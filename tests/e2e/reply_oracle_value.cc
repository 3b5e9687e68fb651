#include "tests/e2e/reply_oracle_value.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>

#include "backend/command/ascii.h"

namespace gemel::e2e::reply_oracle_test {
namespace {

constexpr int64_t kTolerance = 5;  // seconds

Value Parse(std::string_view* rest) {
  const std::string_view all = *rest;
  const size_t end = all.find("\r\n");
  if (end == std::string_view::npos) throw std::runtime_error("not a whole reply");
  Value value;
  value.type = all[0];
  value.text = all.substr(1, end - 1);
  rest->remove_prefix(end + 2);
  int64_t count = 0;
  switch (value.type) {
    case '$':
    case '=':
    case '!':
      count = std::stoll(value.text);
      if (count < 0) break;
      value.text = rest->substr(0, static_cast<size_t>(count));
      rest->remove_prefix(static_cast<size_t>(count) + 2);
      break;
    case '*':
    case '~':
    case '>':
    case '%':
      count = std::stoll(value.text) * (value.type == '%' ? 2 : 1);
      for (; count > 0; --count) value.items.push_back(Parse(rest));
      break;
    default:
      break;
  }
  value.bytes = all.substr(0, all.size() - rest->size());
  return value;
}

bool IsNull(const Value& value) { return value.bytes.substr(1, 2) == "-1" || value.type == '_'; }
bool IsAggregate(const Value& value) {
  return value.type == '*' || value.type == '~' || value.type == '%' || value.type == '>';
}

// Types and lengths; of scalars not what they are.
std::string Shape(const Value& value) {
  if (IsNull(value)) return std::string(value.bytes);
  std::string shape(1, value.type);
  if (!IsAggregate(value)) return shape;
  shape += value.text + "[";
  for (const Value& item : value.items) shape += Shape(item);
  return shape + "]";
}

// The items in an order of their own, `group` by `group`.
std::string Ordered(const Value& value, size_t group) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < value.items.size(); i += group) {
    std::string part;
    for (size_t j = i; j < std::min(i + group, value.items.size()); ++j) {
      part += value.items[j].bytes;
    }
    parts.push_back(part);
  }
  std::sort(parts.begin(), parts.end());
  std::string all = value.type + value.text + "\r\n";
  for (const std::string& part : parts) all += part;
  return all;
}

std::string DeepOrdered(const Value& value) {
  if (!IsAggregate(value)) return std::string(value.bytes);
  std::vector<std::string> parts;
  for (const Value& item : value.items) parts.push_back(DeepOrdered(item));
  std::sort(parts.begin(), parts.end());
  std::string all = value.type + value.text;
  for (const std::string& part : parts) all += part;
  return all;
}

// Without the times of a stream's consumers and of what they have pending.
std::string WithoutIdleTimes(const Value& value, bool masked = false) {
  if (!IsAggregate(value)) {
    constexpr size_t kDigitsOfUnixMs = 13;
    const bool moment = value.type == ':' && value.text.size() == kDigitsOfUnixMs;
    return masked || moment ? std::string(1, value.type) + "time" : std::string(value.bytes);
  }
  static const std::set<std::string_view> kTimes = {"idle", "seen-time", "active-time", "inactive"};
  std::string all = value.type + value.text + "\r\n";
  // XPENDING: an ID, a consumer, how long ago, how often.
  const bool pending = value.items.size() == 4 && value.items[2].type == ':' &&
                       value.items[3].type == ':' && value.items[0].type == '$';
  for (size_t i = 0; i < value.items.size(); ++i) {
    const bool time = (i > 0 && kTimes.contains(value.items[i - 1].text)) || (pending && i == 2);
    all += WithoutIdleTimes(value.items[i], time);
  }
  return all;
}

// Sets, hashes and libraries are written in the order of their tables, streams with the times of
// consumers: of these the type and the length.
std::string DumpWithoutOrder(const Value& value) {
  static constexpr std::string_view kOfThese("\x02\x04\x0f\x13\x15\xf5", 6);
  if (value.type != '$' || value.text.empty()) return std::string(value.bytes);
  if (kOfThese.find(value.text[0]) == std::string_view::npos) return std::string(value.bytes);
  return value.text.substr(0, 1) + std::to_string(value.text.size());
}

std::string WithoutPlaceInScript(const Value& value) {
  std::string text(value.bytes);
  if (value.IsError()) {
    text.resize(std::min(text.find(" script: "), text.find('\r')));
  }
  return text;
}

bool Close(const Value& gemel, const Value& redis, int64_t tolerance) {
  if (gemel.type != ':' || redis.type != ':') return false;
  const int64_t a = std::stoll(gemel.text);
  const int64_t b = std::stoll(redis.text);
  return a >= 0 && b >= 0 && std::llabs(a - b) <= tolerance;
}

// A cursor and what is there. A table that is shown in parts has others on each server.
bool AlikeFromCursor(const Value& gemel, const Value& redis) {
  if (gemel.items.size() != 2 || redis.items.size() != 2) return false;
  if (gemel.items[0].text == "0" && redis.items[0].text == "0") {
    return Ordered(gemel.items[1], 1) == Ordered(redis.items[1], 1);
  }
  return gemel.items[0].type == redis.items[0].type && gemel.items[1].type == redis.items[1].type;
}

bool Has(const Words& words, std::string_view lower) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return EqualsLower(word, lower); });
}

const std::map<std::string_view, Likeness>& LikenessOfRows() {
  static const std::map<std::string_view, Likeness> kRows = {
      {"client|id", Likeness::kShape},
      // gemel's own table, names and subcommands.
      {"client|help", Likeness::kFirstByte},
      {"command|help", Likeness::kFirstByte},
      {"config|help", Likeness::kFirstByte},
      {"command", Likeness::kFirstByte},
      {"command|count", Likeness::kFirstByte},
      {"command|docs", Likeness::kFirstByte},
      {"command|info", Likeness::kFirstByte},
      {"command|list", Likeness::kFirstByte},
      {"hello", Likeness::kFirstByte},
      {"client|info", Likeness::kShape},
      {"client|list", Likeness::kShape},
      // What has expired is counted for as long as nobody has met it.
      {"dbsize", Likeness::kFirstByte},
      {"dump", Likeness::kDump},
      {"eval", Likeness::kScriptError},
      {"eval_ro", Likeness::kScriptError},
      {"evalsha", Likeness::kScriptError},
      {"evalsha_ro", Likeness::kScriptError},
      {"expiretime", Likeness::kSeconds},
      {"fcall", Likeness::kScriptError},
      {"fcall_ro", Likeness::kScriptError},
      {"function|dump", Likeness::kDump},
      {"function|list", Likeness::kDeepUnordered},
      {"hgetall", Likeness::kPairs},
      {"hkeys", Likeness::kUnordered},
      {"hrandfield", Likeness::kShape},
      {"hscan", Likeness::kCursor},
      {"hvals", Likeness::kUnordered},
      {"info", Likeness::kShape},
      {"keys", Likeness::kUnordered},
      {"lastsave", Likeness::kShape},
      {"latency|doctor", Likeness::kFirstByte},
      {"latency|histogram", Likeness::kFirstByte},
      {"latency|latest", Likeness::kFirstByte},
      {"lolwut", Likeness::kShape},
      {"memory|doctor", Likeness::kShape},
      {"memory|malloc-stats", Likeness::kFirstByte},
      {"memory|stats", Likeness::kFirstByte},
      {"memory|usage", Likeness::kShape},
      {"object|idletime", Likeness::kSeconds},
      {"pexpiretime", Likeness::kMilliseconds},
      {"pttl", Likeness::kMilliseconds},
      {"randomkey", Likeness::kShape},
      {"scan", Likeness::kCursor},
      {"sdiff", Likeness::kUnordered},
      {"sinter", Likeness::kUnordered},
      {"slowlog|get", Likeness::kFirstByte},
      {"slowlog|len", Likeness::kFirstByte},
      {"smembers", Likeness::kUnordered},
      {"spop", Likeness::kShape},
      {"srandmember", Likeness::kShape},
      {"sscan", Likeness::kCursor},
      {"sunion", Likeness::kUnordered},
      {"time", Likeness::kShape},
      {"ttl", Likeness::kSeconds},
      {"xinfo|consumers", Likeness::kIdleTimes},
      {"xinfo|stream", Likeness::kIdleTimes},
      {"xpending", Likeness::kIdleTimes},
      {"zrandmember", Likeness::kShape},
      {"zscan", Likeness::kCursor},
  };
  return kRows;
}

}  // namespace

Value ParseReply(std::string_view bytes) { return Parse(&bytes); }

Likeness LikenessOf(std::string_view row, const Words& words) {
  if (row == "xadd") return Has(words, "*") ? Likeness::kShape : Likeness::kBytes;
  // A cursor that nobody gave.
  if (row.ends_with("scan")) {
    const size_t at = row == "scan" ? 1 : 2;
    if (words.size() > at && words[at] != "0") return Likeness::kFirstByte;
  }
  // What has equal weights stands in the order of its source.
  if (row == "sort" || row == "sort_ro") {
    if (!Has(words, "by")) return Likeness::kBytes;
    return Has(words, "limit") ? Likeness::kFirstByte : Likeness::kUnordered;
  }
  const auto found = LikenessOfRows().find(row);
  return found == LikenessOfRows().end() ? Likeness::kBytes : found->second;
}

bool Alike(Likeness likeness, const Value& gemel, const Value& redis) {
  if (gemel.bytes == redis.bytes) return true;
  if (gemel.IsError() || redis.IsError()) {
    return likeness == Likeness::kScriptError &&
           WithoutPlaceInScript(gemel) == WithoutPlaceInScript(redis);
  }
  switch (likeness) {
    case Likeness::kBytes:
      return false;
    case Likeness::kFirstByte:
      return gemel.type == redis.type;
    case Likeness::kShape:
      return Shape(gemel) == Shape(redis);
    case Likeness::kSeconds:
      return Close(gemel, redis, kTolerance);
    case Likeness::kMilliseconds:
      return Close(gemel, redis, kTolerance * 1000);
    case Likeness::kUnordered:
      return Ordered(gemel, 1) == Ordered(redis, 1);
    case Likeness::kDeepUnordered:
      return DeepOrdered(gemel) == DeepOrdered(redis);
    case Likeness::kPairs:
      return Ordered(gemel, 2) == Ordered(redis, 2);
    case Likeness::kCursor:
      return AlikeFromCursor(gemel, redis);
    case Likeness::kIdleTimes:
      return WithoutIdleTimes(gemel) == WithoutIdleTimes(redis);
    case Likeness::kDump:
      return DumpWithoutOrder(gemel) == DumpWithoutOrder(redis);
    case Likeness::kScriptError:
      return false;
  }
  return false;
}

std::string Shown(std::string_view bytes, size_t most) {
  std::string shown;
  for (const char c : bytes.substr(0, most)) {
    if (c == '\r') {
      shown += "\\r";
    } else if (c == '\n') {
      shown += "\\n";
    } else if (c < ' ' || c > '~') {
      static constexpr char kHex[] = "0123456789abcdef";
      shown += {'\\', 'x', kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 15]};
    } else {
      shown += c;
    }
  }
  if (bytes.size() > most) shown += "... (" + std::to_string(bytes.size()) + " bytes)";
  return shown;
}

}  // namespace gemel::e2e::reply_oracle_test

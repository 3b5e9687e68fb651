// Where a command that is typed on the status page would go.

#include <algorithm>

#include "proxy/metrics/status_json.h"
#include "proxy/session/plan.h"

namespace gemel {

namespace {

// Each is told in many lines.
constexpr size_t kMostKeys = 64;

int HexOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What stands behind a backslash; takes it off.
char Escaped(std::string_view* line) {
  const char c = (*line)[0];
  if (c == 'x' && line->size() >= 3 && HexOf((*line)[1]) >= 0 && HexOf((*line)[2]) >= 0) {
    const char byte = static_cast<char>(HexOf((*line)[1]) * 16 + HexOf((*line)[2]));
    line->remove_prefix(3);
    return byte;
  }
  line->remove_prefix(1);
  return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
}

// The text up to its closing quote, which is taken off, too. False: it has none.
bool TakeQuoted(std::string_view* line, char quote, std::string* word) {
  while (!line->empty()) {
    const char c = (*line)[0];
    line->remove_prefix(1);
    if (c == quote) return true;
    if (c == '\\' && quote == '"' && !line->empty()) {
      *word += Escaped(line);
    } else {
      *word += c;
    }
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> SplitCommand(std::string_view line) {
  std::vector<std::string> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r\n"), line.size()));
    if (line.empty()) return words;
    std::string& word = words.emplace_back();
    while (!line.empty() && line[0] != ' ' && line[0] != '\t' && line[0] != '\n') {
      const char c = line[0];
      line.remove_prefix(1);
      if (c == '"' || c == '\'') {
        if (!TakeQuoted(&line, c, &word)) return std::nullopt;
      } else {
        word += c;
      }
    }
  }
}

CommandPlaces PlacesOf(const Pool& pool, const std::vector<std::string>& command) {
  CommandPlaces places;
  const std::vector<std::string_view> args(command.begin(), command.end());
  if (args.empty()) {
    places.error = "ERR expected a command, such as GET key";
    return places;
  }
  const CommandRow* row = pool.table().Find(args);
  if (row == nullptr) {
    places.error = pool.table().NotFoundError(args);
    return places;
  }
  if (!ArityFits(*row, args.size())) {
    places.error = ArityError(*row);
    return places;
  }
  Plan plan;
  MakePlan(pool, *row, args, &plan);
  if (plan.kind == Plan::Kind::kRefused) places.refused = plan.error;
  if (plan.kind == Plan::Kind::kLocal) places.refused = "gemel itself answers it";
  if (plan.keys.size() > kMostKeys) {
    places.error = "ERR a command of at most " + std::to_string(kMostKeys) + " keys is explained";
    return places;
  }
  places.frame = plan.request == RequestKind::kFirstWrite ? kExplainFirstWrite
                 : plan.write()                           ? kExplainWrite
                                                          : std::string_view();
  places.primary_only = (row->flags & kCmdPrimaryOnly) != 0;
  for (size_t i = 0; i < plan.keys.size(); ++i) {
    const std::string_view key = args[plan.keys[i]];
    const std::string_view hashed = HashedPart(key, pool.config().ring.hash_tag);
    const uint64_t hash = HashKey(hashed);
    places.keys.push_back({PrintableKey(key),
                           PrintableKey(hashed),
                           hash,
                           pool.ring().FindPoint(hash).position,
                           plan.key_shards[i],
                           pool.OfSlot(plan.key_shards[i]).name,
                           {}});
  }
  return places;
}

}  // namespace gemel

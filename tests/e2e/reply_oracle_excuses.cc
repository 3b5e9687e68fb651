#include "tests/e2e/reply_oracle_excuses.h"

namespace gemel::e2e::reply_oracle_test {
namespace {

constexpr Excuse kByDesign[] = {
    {"", "not supported by gemel", "", "refused, with a sentence that says why"},
    {"", "CROSSSLOT", "", "keys of one command lie on one shard, unless it is split"},
};

constexpr Excuse kKnownDeviations[] = {
    {"none", "", "", ""},
};

struct Silent {
  std::string_view row;
  bool sent;
  int copies;  // of a shard that has so many; 0: always
  std::string_view why;
};

constexpr Silent kSilent[] = {
    {"client|pause", false, 0, "gemel refuses it, and redis-server would pause"},
    {"config|rewrite", false, 0, "it writes gemel's file, and the redis-server has none"},
    {"fcall", true, 2, "refused on a shard of several copies"},
    {"quit", false, 0, "it is played by the duel itself"},
    {"asking", true, 0, "an error where there is no cluster"},
    {"readonly", true, 0, "an error where there is no cluster"},
    {"readwrite", true, 0, "an error where there is no cluster"},
};

const Excuse* FindIn(std::span<const Excuse> excuses, std::string_view row, std::string_view gemel,
                     std::string_view redis) {
  for (const Excuse& excuse : excuses) {
    if ((excuse.row.empty() || excuse.row == row) &&
        gemel.find(excuse.gemel) != std::string_view::npos &&
        redis.find(excuse.redis) != std::string_view::npos) {
      return &excuse;
    }
  }
  return nullptr;
}

}  // namespace

std::span<const Excuse> ByDesign() { return kByDesign; }
std::span<const Excuse> KnownDeviations() { return kKnownDeviations; }

const Excuse* FindExcuse(std::string_view row, std::string_view gemel, std::string_view redis) {
  const Excuse* excuse = FindIn(kByDesign, row, gemel, redis);
  return excuse != nullptr ? excuse : FindIn(kKnownDeviations, row, gemel, redis);
}

std::string_view WhyNeverAnswered(std::string_view row, int copies) {
  if (row.starts_with("proxy|")) return "gemel's own";
  for (const Silent& silent : kSilent) {
    if (silent.row == row && (silent.copies == 0 || silent.copies == copies)) return silent.why;
  }
  return {};
}

bool IsSent(std::string_view row) {
  if (row.starts_with("proxy|")) return false;
  for (const Silent& silent : kSilent) {
    if (silent.row == row && !silent.sent) return false;
  }
  return true;
}

}  // namespace gemel::e2e::reply_oracle_test

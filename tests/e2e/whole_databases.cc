#include "tests/e2e/whole_databases.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace gemel::e2e {
namespace {

constexpr size_t kMostExamples = 5;
constexpr int64_t kSomeTimeMs = 1000000000000;

// All of it but when a consumer was seen, of which each copy has a clock, and how the entries lie
// in memory.
std::string StreamText(const Reply& reply, Groups groups) {
  static const std::set<std::string> kLeftOut = {"seen-time", "radix-tree-keys",
                                                 "radix-tree-nodes"};
  static const std::set<std::string> kNotReplicated = {"entries-read", "lag", "pending",
                                                       "consumers"};
  // When it was delivered each copy says by its own clock.
  if (reply.kind == Reply::Kind::kInteger && reply.integer > kSomeTimeMs) return "<time>";
  if (reply.kind != Reply::Kind::kArray) return reply.Text();
  std::string text = "[";
  for (size_t i = 0; i < reply.items.size(); ++i) {
    const std::string& name = reply.items[i].bytes;
    if (kLeftOut.contains(name) ||
        (groups == Groups::kAsReplicated && kNotReplicated.contains(name))) {
      ++i;
    } else {
      text += StreamText(reply.items[i], groups) + " ";
    }
  }
  return text + "]";
}

Reply KeysOf(Client* client, int database) {
  (*client)("SELECT", std::to_string(database));
  return (*client)("KEYS", "*");
}

std::map<std::string, std::string> StateOf(const RedisNode& node, int databases, Groups groups) {
  Client client = node.Connect();
  std::map<std::string, std::string> states;
  for (int database = 0; database < databases; ++database) {
    for (const Reply& key : KeysOf(&client, database).items) {
      const std::string type = client("TYPE", key.bytes).Text();
      std::string state = type + " " + client("DEBUG", "DIGEST-VALUE", key.bytes).Text();
      if (type == "stream") {
        state +=
            " " + StreamText(client("XINFO", "STREAM", key.bytes, "FULL", "COUNT", "0"), groups);
      }
      if (client("PTTL", key.bytes).integer >= 0) state += " TTL";
      if (type != "none") states[std::to_string(database) + " " + key.bytes] = state;
    }
  }
  return states;
}

// What they have in common at their ends says nothing.
std::string Shortened(const std::string& state, size_t differs_at) {
  const size_t from = differs_at > 60 ? differs_at - 60 : 0;
  return state.substr(0, 50) + (from > 50 ? " ... " : "") +
         (state.size() > 50 ? state.substr(std::max<size_t>(from, 50), 160) : "");
}

}  // namespace

std::string DatabasesDiffer(const RedisNode& first, const RedisNode& second, int databases,
                            Groups groups) {
  std::map<std::string, std::pair<std::string, std::string>> both;
  for (const auto& [key, state] : StateOf(first, databases, groups)) both[key].first = state;
  for (const auto& [key, state] : StateOf(second, databases, groups)) both[key].second = state;
  std::string examples;
  size_t differ = 0;
  for (const auto& [key, states] : both) {
    const auto& [one, other] = states;
    if (one == other || ++differ > kMostExamples) continue;
    size_t at = 0;
    while (at < one.size() && at < other.size() && one[at] == other[at]) ++at;
    examples += "\n  database and key " + key + ": " + Shortened(one, at) + "\n    | " +
                Shortened(other, at);
  }
  if (differ == 0) return "";
  return std::to_string(differ) + " of " + std::to_string(both.size()) + " keys differ" + examples;
}

bool ExpiresSoon(const RedisNode& node, int databases) {
  constexpr int64_t kSoon = 60'000;
  Client client = node.Connect();
  for (int database = 0; database < databases; ++database) {
    for (const Reply& key : KeysOf(&client, database).items) {
      const int64_t left = client("PTTL", key.bytes).integer;
      if (left >= 0 && left < kSoon) return true;
    }
  }
  return false;
}

}  // namespace gemel::e2e

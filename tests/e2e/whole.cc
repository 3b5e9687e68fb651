#include "tests/e2e/whole.h"

#include <map>
#include <vector>

#include "tests/e2e/wait.h"

namespace gemel::e2e {
namespace {

constexpr size_t kBatch = 500;
constexpr int kExamples = 5;

// Type, digest of the value and whether there is a TTL, by key.
std::map<std::string, std::string> StateOf(const RedisNode& node) {
  Client client = node.Connect();
  std::map<std::string, std::string> states;
  std::string cursor = "0";
  do {
    const Reply reply = client("SCAN", cursor, "COUNT", std::to_string(kBatch));
    cursor = reply.items.at(0).bytes;
    const std::vector<Reply>& keys = reply.items.at(1).items;
    for (const Reply& key : keys) {
      client.Append({"TYPE", key.bytes});
      client.Append({"DEBUG", "DIGEST-VALUE", key.bytes});
      client.Append({"PTTL", key.bytes});
    }
    for (const Reply& key : keys) {
      const std::string type = client.Read().Text();
      const std::string digest = client.Read().Text();
      const bool has_ttl = client.Read().integer >= 0;
      if (type != "none") states[key.bytes] = type + " " + digest + (has_ttl ? " TTL" : "");
    }
  } while (cursor != "0");
  return states;
}

}  // namespace

std::string Differences(const RedisNode& first, const RedisNode& second) {
  const std::map<std::string, std::string> one = StateOf(first), other = StateOf(second);
  int only_first = 0, only_second = 0, differ = 0;
  std::string examples;
  const auto say = [&](const std::string& key, const std::string& here, const std::string& there) {
    if (only_first + only_second + differ <= kExamples) {
      examples += "\n  " + key + ": " + here + " | " + there;
    }
  };
  for (const auto& [key, state] : one) {
    const auto found = other.find(key);
    if (found == other.end()) {
      ++only_first;
      say(key, state, "nothing");
    } else if (found->second != state) {
      ++differ;
      say(key, state, found->second);
    }
  }
  for (const auto& [key, state] : other) {
    if (one.contains(key)) continue;
    ++only_second;
    say(key, "nothing", state);
  }
  if (only_first + only_second + differ == 0) return "";
  return "of " + std::to_string(one.size()) + " and " + std::to_string(other.size()) + " keys " +
         std::to_string(only_first) + " are on the first alone, " + std::to_string(only_second) +
         " on the second alone, " + std::to_string(differ) + " differ" + examples;
}

std::string DifferencesInTheEnd(const RedisNode& first, const RedisNode& second) {
  std::string differences;
  Eventually([&] { return (differences = Differences(first, second)).empty(); }, kPatience / 3);
  return differences;
}

}  // namespace gemel::e2e

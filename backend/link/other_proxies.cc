#include "backend/link/other_proxies.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

#include "backend/link/client_list.h"

namespace gemel {

namespace {

constexpr std::string_view kServes = "gemel:";
constexpr std::string_view kUndecided = "gemel?:";
// At the end of the names of further connections.
constexpr std::string_view kFurther[] = {":side", ":feed", ":channels"};
constexpr size_t kFields = 8;
constexpr size_t kMaxField = 100;

// CLIENT SETNAME takes no spaces and nothing unprintable.
std::string Clean(std::string_view text) {
  std::string clean(text.substr(0, kMaxField));
  for (char& c : clean) {
    if (c < '!' || c > '~' || c == ';') c = '_';
  }
  return clean;
}

bool ParseNumber(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::optional<ProxyInstance> Parse(std::string_view name, bool* serves) {
  *serves = name.starts_with(kServes);
  if (!*serves && !name.starts_with(kUndecided)) return std::nullopt;
  std::vector<std::string_view> fields;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find(';', at), name.size());
    fields.push_back(name.substr(at, end - at));
    at = end + 1;
  }
  if (fields.size() != kFields) return std::nullopt;
  ProxyInstance proxy;
  proxy.id = fields[1];
  proxy.state = fields[2];
  proxy.machine = fields[3];
  const size_t dot = std::min(fields[4].find('.'), fields[4].size() - 1);
  if (fields[4].empty() || !ParseNumber(fields[4].substr(0, dot), &proxy.pid) ||
      !ParseNumber(fields[4].substr(dot + 1), &proxy.pid_since) ||
      !ParseNumber(fields[5], &proxy.started_s)) {
    return std::nullopt;
  }
  proxy.host = fields[6];
  proxy.listen = fields[7];
  for (const std::string_view end : kFurther) {
    if (!proxy.listen.ends_with(end)) continue;
    proxy.listen.resize(proxy.listen.size() - end.size());
    break;
  }
  return proxy;
}

}  // namespace

std::string ConnectionName(const ProxyInstance& self, std::string_view shard, bool serves) {
  return std::string(serves ? kServes : kUndecided) + Clean(shard) + ";" + Clean(self.id) + ";" +
         Clean(self.state) + ";" + Clean(self.machine) + ";" + std::to_string(self.pid) + "." +
         std::to_string(self.pid_since) + ";" + std::to_string(self.started_s) + ";" +
         Clean(self.host) + ";" + Clean(self.listen);
}

// A connection that serves several databases is at any of them, but those of probes stay at the
// first.
std::vector<SeenProxy> ProxiesIn(std::string_view client_list, uint32_t database,
                                 std::string_view but_id) {
  std::vector<SeenProxy> proxies;
  std::vector<std::string> there;  // the ids of those that have a connection to the database
  const std::string wanted = std::to_string(database);
  ForEachClient(client_list, [&](std::string_view line) {
    bool serves = false;
    std::optional<ProxyInstance> proxy = Parse(ClientField(line, "name"), &serves);
    if (!proxy || proxy->id == but_id) return;
    if (ClientField(line, "db") == wanted) there.push_back(proxy->id);
    uint64_t idle_s = 0;
    ParseNumber(ClientField(line, "idle"), &idle_s);
    auto known = std::find_if(proxies.begin(), proxies.end(), [&](const SeenProxy& seen) {
      return seen.proxy.id == proxy->id && seen.serves == serves;
    });
    if (known == proxies.end()) {
      proxies.push_back({*std::move(proxy), serves, idle_s, {}});
      known = proxies.end() - 1;
    }
    known->idle_s = std::min(known->idle_s, idle_s);
    known->client_ids.emplace_back(ClientField(line, "id"));
  });
  std::erase_if(proxies, [&](const SeenProxy& seen) {
    return std::find(there.begin(), there.end(), seen.proxy.id) == there.end();
  });
  return proxies;
}

std::string Describe(const ProxyInstance& proxy) {
  const std::time_t start = static_cast<std::time_t>(proxy.started_s);
  std::tm utc{};
  char text[32] = "?";
  if (::gmtime_r(&start, &utc) != nullptr) {
    std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
  }
  return "gemel on host " + proxy.host + " (pid " + std::to_string(proxy.pid) + ", listening on " +
         proxy.listen + ", started " + text + ")";
}

StartStep NextStartStep(const ProxyInstance& self, const std::vector<SeenProxy>& others,
                        ProxyInstance* whom) {
  StartStep step = StartStep::kServe;
  for (const SeenProxy& other : others) {
    // Who has decided did so before it could see this one. Of two undecided ones that may have seen
    // each other both know who is first.
    const bool first =
        std::pair(other.proxy.started_s, other.proxy.id) < std::pair(self.started_s, self.id);
    if (other.serves || first) {
      *whom = other.proxy;
      return StartStep::kYield;
    }
    *whom = other.proxy;
    step = StartStep::kWait;
  }
  return step;
}

}  // namespace gemel

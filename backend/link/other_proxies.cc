#include "backend/link/other_proxies.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "backend/link/client_list.h"

namespace gemel {

// A connection that serves several databases is at any of them, but those of probes stay at the
// first.
std::vector<SeenProxy> ProxiesIn(std::string_view client_list, uint32_t database,
                                 const ProxyInstance& self) {
  std::vector<SeenProxy> proxies;
  std::vector<std::string> there;  // the ids of those that have a connection to the database
  const std::string wanted = std::to_string(database);
  ForEachClient(client_list, [&](std::string_view line) {
    std::optional<NamedConnection> named = ParseConnectionName(ClientField(line, "name"));
    if (!named || named->proxy.id == self.id) return;
    if (!self.fleet_id.empty() && named->proxy.fleet_id == self.fleet_id) return;
    if (ClientField(line, "db") == wanted) there.push_back(named->proxy.id);
    const uint64_t idle_s = ClientNumber(line, "idle");
    auto known = std::find_if(proxies.begin(), proxies.end(), [&](const SeenProxy& seen) {
      return seen.proxy.id == named->proxy.id && seen.serves == named->serves;
    });
    if (known == proxies.end()) {
      proxies.push_back({std::move(named->proxy), named->serves, idle_s, {}});
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
         proxy.listen + ", started " + text +
         (proxy.fleet_id.empty() ? ""
                                 : ", member " + proxy.member + " of fleet " + proxy.fleet_id) +
         ")";
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

#include "config/config_check.h"

#include <map>
#include <string>

#include "config/config_text.h"

namespace gemel {

namespace {

std::string AtLine(Place place) { return "line " + std::to_string(place.line); }

// The address under which a loopback node is the same whatever it is called, and spoken to.
Address SameNode(Address address) {
  address.tls = false;
  if (address.host == "localhost") address.host = "127.0.0.1";
  return address;
}

void CheckNames(const PoolConfig& pool, const PoolPlaces& places, Mistakes* mistakes) {
  std::map<std::string, Place> seen;
  for (size_t i = 0; i < pool.shards.size(); i++) {
    const std::string& name = pool.shards[i].name;
    auto [first, fresh] = seen.emplace(name, places.shards[i].name);
    if (fresh) continue;
    mistakes->Add(places.shards[i].name, "shard name " + Quote(name) +
                                             " is given twice, first at " + AtLine(first->second) +
                                             ", expected another name");
  }
}

void CheckNodes(const PoolConfig& pool, const PoolPlaces& places, Mistakes* mistakes) {
  // What a node must not be: a listen address, also under the names that lead to it.
  std::map<std::string, std::string> listens;
  for (size_t i = 0; i < pool.listen.size(); i++) {
    Address address = SameNode(pool.listen[i]);
    const std::string text = pool.listen[i].ToString();
    const std::string where =
        places.listen.empty() ? "by default" : "at " + AtLine(places.listen[i]);
    listens.emplace(address.ToString(), where);
    if (address.host == "0.0.0.0" || address.host == "::") {
      listens.emplace(Address{"127.0.0.1", address.port, ""}.ToString(), where);
    }
    if (address.host == "::") {
      listens.emplace(Address{"::1", address.port, ""}.ToString(), where);
    }
  }

  struct Use {
    size_t shard;
    Place place;
  };
  std::map<std::string, Use> seen;
  for (size_t i = 0; i < pool.shards.size(); i++) {
    std::vector<Address> nodes = pool.shards[i].Nodes();
    for (size_t j = 0; j < nodes.size(); j++) {
      const Place place = j == 0 ? places.shards[i].primary : places.shards[i].replicas[j - 1];
      const std::string text = nodes[j].ToString();
      const std::string same = SameNode(nodes[j]).ToString();
      if (auto listen = listens.find(same); listen != listens.end()) {
        mistakes->Add(place, "node " + Quote(text) + " is also an address that gemel listens on (" +
                                 listen->second + "), expected the address of a Redis server");
      }
      auto [first, fresh] = seen.emplace(same, Use{i, place});
      if (fresh) continue;
      const std::string& name = pool.shards[i].name;
      const std::string& other = pool.shards[first->second.shard].name;
      const std::string line = AtLine(first->second.place);
      mistakes->Add(place, "node " + Quote(text) +
                               (first->second.shard == i
                                    ? " is twice in shard " + Quote(name) + ", first at " + line
                                    : " is in two shards, " + Quote(other) + " (" + line +
                                          ") and " + Quote(name)) +
                               ", expected another server for each copy");
    }
  }
}

void CheckListen(const PoolConfig& pool, const PoolPlaces& places, Mistakes* mistakes) {
  std::map<std::string, Place> seen;
  for (size_t i = 0; i < places.listen.size(); i++) {
    const std::string text = pool.listen[i].ToString();
    Address place = pool.listen[i];
    place.tls = false;
    auto [first, fresh] = seen.emplace(place.ToString(), places.listen[i]);
    if (fresh) continue;
    mistakes->Add(places.listen[i], "listen address " + Quote(text) + " is given twice, first at " +
                                        AtLine(first->second) + ", expected each one once");
  }
}

void CheckPoints(const PoolConfig& pool, const PoolPlaces& places, Mistakes* mistakes) {
  uint64_t total = 0;
  for (size_t i = 0; i < pool.shards.size(); i++) {
    total += uint64_t{pool.ring.points} * pool.shards[i].weight;
    if (total <= kMaxTotalPoints) continue;
    const ShardPlaces& shard = places.shards[i];
    mistakes->Add(shard.weight.value_or(places.points.value_or(shard.head)),
                  "with shard " + Quote(pool.shards[i].name) + " the ring has " +
                      std::to_string(total) +
                      " points, expected weight times points of all shards "
                      "to be at most " +
                      std::to_string(kMaxTotalPoints));
    return;
  }
}

void CheckCommands(const PoolConfig& pool, const PoolPlaces& places, Mistakes* mistakes) {
  std::map<std::string, Place> seen;
  for (size_t i = 0; i < pool.commands.size(); i++) {
    const std::string& name = pool.commands[i].name;
    auto [first, fresh] = seen.emplace(name, places.commands[i]);
    if (fresh) continue;
    mistakes->Add(places.commands[i], "command " + Quote(name) + " is given twice, first at " +
                                          AtLine(first->second) + ", expected each one once");
  }
}

}  // namespace

void CheckPool(const PoolConfig& pool, const PoolPlaces& places, Mistakes* mistakes) {
  if (pool.shards.empty()) {
    mistakes->AddMissing({}, "no shard, expected at least one section [[shard]]");
  }
  CheckNames(pool, places, mistakes);
  CheckNodes(pool, places, mistakes);
  CheckListen(pool, places, mistakes);
  CheckPoints(pool, places, mistakes);
  CheckCommands(pool, places, mistakes);
}

}  // namespace gemel

#include "config/config_fleet.h"

#include <string>
#include <vector>

#include "config/config_text.h"

namespace gemel {

namespace {

constexpr char kTcpAddress[] = "\"host:port\" or \"[v6]:port\"";
constexpr size_t kMinSecret = 16;

bool IsWord(const std::string& text) {
  if (text.empty() || text.size() > 64 || text == "-") return false;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

void ReadWord(TableReader& table, std::string_view key, bool may_be_empty, std::string* word) {
  const std::optional<Place> place = table.String(key, "a name", word);
  if (!place || IsWord(*word) || (may_be_empty && word->empty())) return;
  table.Reject(
      key, *place,
      "bad name " + Quote(*word) + ", expected 1 to 64 of the characters A-Z a-z 0-9 _ . -");
}

bool ToTcp(TableReader& table, std::string_view key, Place place, const std::string& text,
           bool may_be_tls, Address* address) {
  std::string error;
  const std::optional<Address> parsed = ParseAddress(text, &error);
  if (!parsed || parsed->IsUnix() || (parsed->tls && !may_be_tls)) {
    table.Reject(key, place, std::string("expected ") + kTcpAddress + ", found " + Quote(text));
    return false;
  }
  *address = *parsed;
  address->line = place.line;
  address->column = place.column;
  return true;
}

void ReadTcp(TableReader& table, std::string_view key, bool may_be_tls, Address* address) {
  std::string text = address->host.empty() ? "" : address->ToString();
  if (auto place = table.String(key, kTcpAddress, &text); place && !text.empty()) {
    ToTcp(table, key, *place, text, may_be_tls, address);
  }
}

// Whether TLS, where the address says it, can be spoken with such a server.
bool MayBeTls(TableReader& table, const TableReader::Item& server, const Address& address,
              const std::string& coordinator) {
  const char* why = nullptr;
  if (coordinator == "zookeeper") {
    why =
        " is with TLS, which ZooKeeper's C client of this system cannot speak, expected one "
        "without \"tls:\": that of a tunnel on this machine (stunnel), or of a server on a network "
        "that you trust";
  } else if (coordinator == "raft") {
    why =
        " is with TLS, expected it without \"tls:\": what the voters say is with TLS, by [tls], "
        "where [fleet] listen is";
  }
  if (!address.tls || why == nullptr) return true;
  table.Reject("servers", server.place, Quote(server.text) + why);
  return false;
}

}  // namespace

void ReadFleet(TableReader table, FleetConfig* fleet, Place* coordinator) {
  // What all members have to agree on is not set over a connection to one.
  const auto file_only = [&table](std::string_view key) { table.Protect(key, Guard::kFileOnly); };
  *coordinator = table
                     .Choice<std::string>("coordinator",
                                          {{"file", "file"},
                                           {"raft", "raft"},
                                           {"etcd", "etcd"},
                                           {"zookeeper", "zookeeper"},
                                           {"paxos", "paxos"}},
                                          &fleet->coordinator)
                     .value_or(Place{});
  file_only("coordinator");
  ReadWord(table, "name", false, &fleet->name);
  file_only("name");
  ReadWord(table, "member", true, &fleet->member);
  file_only("member");
  const std::optional<Place> secret = table.Secret("secret", &fleet->secret);
  file_only("secret");
  ReadTcp(table, "listen", true, &fleet->listen);
  file_only("listen");
  ReadTcp(table, "announce", true, &fleet->announce);
  file_only("announce");
  table.Bool("witness", &fleet->witness);
  file_only("witness");
  table.Integer("lease_ms", 100, 60000, &fleet->lease_ms);
  file_only("lease_ms");
  std::vector<TableReader::Item> servers;
  const std::optional<Place> place = table.Strings("servers", kTcpAddress, 16, &servers);
  std::string shown;
  for (const std::string& server : fleet->servers) shown += (shown.empty() ? "" : " ") + server;
  table.Show(std::move(shown));
  file_only("servers");
  if (place) {
    fleet->servers.clear();
    for (const TableReader::Item& item : servers) {
      Address address;
      if (ToTcp(table, "servers", item.place, item.text, true, &address) &&
          MayBeTls(table, item, address, fleet->coordinator)) {
        fleet->servers.push_back(address.ToString());
      }
    }
  }
  table.String("prefix", "a string", &fleet->prefix);
  file_only("prefix");
  table.String("user", "a string", &fleet->user);
  file_only("user");
  table.Secret("password", &fleet->password);
  file_only("password");
  table.Integer("database", 0, 1023, &fleet->database);
  file_only("database");
  ReadTcp(table, "raft_listen", false, &fleet->raft_listen);
  file_only("raft_listen");
  table.Finish();
  if (!fleet->active()) return;
  if (fleet->member.empty()) {
    table.Missing("member", "the name of this member, another one in each member's file");
  }
  if (fleet->secret.empty()) {
    table.Missing("secret", "a secret of at least 16 characters, the same in each member's file");
  } else if (fleet->secret.size() < kMinSecret && secret) {
    table.Reject("secret", *secret, "too short, expected at least 16 characters");
  }
  if (fleet->listen.host.empty() && !table.IsWrong("listen")) {
    table.Missing("listen", std::string("where other members reach this one, as ") + kTcpAddress);
  }
  const bool on_nodes = fleet->coordinator == "paxos";
  if (fleet->servers.empty() && !on_nodes && !table.IsWrong("servers")) {
    table.Missing("servers", "the addresses of " + fleet->coordinator + ", such as [\"127.0.0.1:" +
                                 std::string(fleet->coordinator == "etcd"        ? "2379"
                                             : fleet->coordinator == "zookeeper" ? "2181"
                                                                                 : "7600") +
                                 "\"]");
  }
}

}  // namespace gemel

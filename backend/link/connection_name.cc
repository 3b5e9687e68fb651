#include "backend/link/connection_name.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace gemel {

namespace {

constexpr std::string_view kServes = "gemel:";
constexpr std::string_view kUndecided = "gemel?:";
// At the end of the names of further connections.
constexpr std::string_view kFurther[] = {":side", ":feed", ":channels"};
constexpr size_t kFields = 8;
constexpr size_t kFleetFields = 11;
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

std::vector<std::string_view> FieldsOf(std::string_view name) {
  std::vector<std::string_view> fields;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find(';', at), name.size());
    fields.push_back(name.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

bool ParseProcess(std::string_view text, ProxyInstance* proxy) {
  const size_t dot = text.find('.');
  return dot != std::string_view::npos && ParseNumber(text.substr(0, dot), &proxy->pid) &&
         ParseNumber(text.substr(dot + 1), &proxy->pid_since);
}

}  // namespace

std::string ConnectionName(const ProxyInstance& self, std::string_view shard, bool serves,
                           const ShardTurn& turn) {
  std::string name = std::string(serves ? kServes : kUndecided) + Clean(shard) + ";" +
                     Clean(self.id) + ";" + Clean(self.state) + ";" + Clean(self.machine) + ";" +
                     std::to_string(self.pid) + "." + std::to_string(self.pid_since) + ";" +
                     std::to_string(self.started_s) + ";" + Clean(self.host) + ";" +
                     Clean(self.listen);
  if (turn.fleet_id.empty()) return name;
  return name + ";" + Clean(turn.fleet_id) + ";" + std::to_string(turn.owner_epoch) + ";" +
         Clean(turn.member);
}

std::optional<NamedConnection> ParseConnectionName(std::string_view name) {
  NamedConnection named;
  named.serves = name.starts_with(kServes);
  if (!named.serves && !name.starts_with(kUndecided)) return std::nullopt;
  name.remove_prefix((named.serves ? kServes : kUndecided).size());
  for (const std::string_view end : kFurther) {
    if (!name.ends_with(end)) continue;
    name.remove_suffix(end.size());
    break;
  }
  const std::vector<std::string_view> fields = FieldsOf(name);
  if (fields.size() != kFields && fields.size() != kFleetFields) return std::nullopt;
  ProxyInstance& proxy = named.proxy;
  named.shard = fields[0];
  proxy.id = fields[1];
  proxy.state = fields[2];
  proxy.machine = fields[3];
  if (!ParseProcess(fields[4], &proxy) || !ParseNumber(fields[5], &proxy.started_s)) {
    return std::nullopt;
  }
  proxy.host = fields[6];
  proxy.listen = fields[7];
  if (fields.size() == kFields) return named;
  if (fields[8].empty() || !ParseNumber(fields[9], &named.turn.owner_epoch)) return std::nullopt;
  proxy.fleet_id = named.turn.fleet_id = fields[8];
  proxy.member = named.turn.member = fields[10];
  return named;
}

}  // namespace gemel

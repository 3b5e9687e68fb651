#include "backend/link/node_identity.h"

#include <algorithm>
#include <charconv>

namespace gemel {

namespace {

constexpr std::string_view kReplica = "replica";
constexpr std::string_view kNeverReplica = "0";
// Of an id of 40 random digits that is enough to know it by.
constexpr size_t kReplidDigits = 16;

// What follows the '+', empty if nothing was told.
std::string_view LineageOf(std::string_view id) {
  const size_t plus = id.find('+');
  return plus == std::string_view::npos ? std::string_view() : id.substr(plus + 1);
}

std::string LineageFrom(std::string_view replication) {
  if (InfoField(replication, "role") == "slave") return std::string(kReplica);
  const std::string_view replid2 = InfoField(replication, "master_replid2");
  if (replid2.empty()) return {};
  if (replid2.find_first_not_of('0') == std::string_view::npos) return std::string(kNeverReplica);
  return std::string(replid2.substr(0, kReplidDigits)) + "@" +
         std::string(InfoField(replication, "second_repl_offset"));
}

struct Release {
  std::string_view program;
  int major;
  int minor;
  int dump_version;  // of it and of those after it, up to the next one here
};
constexpr Release kReleases[] = {
    {"Redis", 2, 6, 6},   {"Redis", 3, 2, 7},   {"Redis", 4, 0, 8},  {"Redis", 5, 0, 9},
    {"Redis", 7, 0, 10},  {"Redis", 7, 2, 11},  {"Redis", 7, 4, 12}, {"Redis", 8, 3, 0},
    {"Valkey", 7, 2, 11}, {"Valkey", 9, 0, 80}, {"Valkey", 9, 1, 0},
};

std::string_view ProgramOf(std::string_view info) {
  if (!InfoField(info, "valkey_version").empty()) return "Valkey";
  const std::string_view name = InfoField(info, "server_name");
  if (!name.empty() && name != "redis") return name;
  return InfoField(info, "redis_version").empty() ? std::string_view() : "Redis";
}

std::string_view NumberOf(std::string_view info) {
  const std::string_view valkey = InfoField(info, "valkey_version");
  return valkey.empty() ? InfoField(info, "redis_version") : valkey;
}

}  // namespace

namespace {

// The number of "name=" in a list apart by commas; 0 if there is none.
uint64_t NumberIn(std::string_view list, std::string_view name) {
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    std::string_view field = list.substr(begin, end - begin);
    begin = end + 1;
    if (!field.starts_with(name) || field.size() <= name.size() || field[name.size()] != '=') {
      continue;
    }
    field.remove_prefix(name.size() + 1);
    uint64_t number = 0;
    std::from_chars(field.data(), field.data() + field.size(), number);
    return number;
  }
  return 0;
}

}  // namespace

// "db0:keys=1,expires=0,avg_ttl=0"
void ForEachDatabase(std::string_view info,
                     const std::function<void(uint32_t index, const KeyspaceCount&)>& visit) {
  while (!info.empty()) {
    const size_t end = std::min(info.find('\n'), info.size());
    std::string_view line = info.substr(0, end);
    info.remove_prefix(std::min(end + 1, info.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (!line.starts_with("db") || colon == std::string_view::npos) continue;
    uint32_t index = 0;
    const auto [stop, error] = std::from_chars(line.data() + 2, line.data() + colon, index);
    if (error != std::errc() || stop != line.data() + colon) continue;
    const std::string_view list = line.substr(colon + 1);
    visit(index, {NumberIn(list, "keys"), NumberIn(list, "expires"), NumberIn(list, "avg_ttl")});
  }
}

std::string VersionFrom(std::string_view info) {
  const std::string_view program = ProgramOf(info);
  if (program.empty()) return {};
  return std::string(program) + " " + std::string(NumberOf(info));
}

int DumpVersionFrom(std::string_view info) {
  const std::string_view number = NumberOf(info);
  int major = 0;
  int minor = 0;
  const char* const end = number.data() + number.size();
  const auto read = std::from_chars(number.data(), end, major);
  if (read.ec != std::errc() || read.ptr == end || *read.ptr != '.') return 0;
  if (std::from_chars(read.ptr + 1, end, minor).ec != std::errc()) return 0;
  int version = 0;
  for (const Release& release : kReleases) {
    if (release.program != ProgramOf(info)) continue;
    if (major > release.major || (major == release.major && minor >= release.minor)) {
      version = release.dump_version;
    }
  }
  return version;
}

bool CannotRead(const NodeIdentity& copy, const NodeIdentity& source) {
  return copy.dump_version != 0 && copy.dump_version < source.dump_version;
}

std::string_view InfoField(std::string_view info, std::string_view name) {
  size_t at = 0;
  while (at < info.size()) {
    size_t end = info.find('\n', at);
    if (end == std::string_view::npos) end = info.size();
    std::string_view line = info.substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      return line.substr(name.size() + 1);
    }
    at = end + 1;
  }
  return {};
}

std::string IdFromInfo(std::string_view info) {
  const std::string_view run_id = InfoField(info, "run_id");
  if (run_id.empty()) return std::string(kHiddenRunId);
  return IdOfProcess(run_id, info);
}

std::string IdOfProcess(std::string_view run_id, std::string_view replication) {
  std::string id(run_id);
  if (run_id == kHiddenRunId) return id;
  if (const std::string lineage = LineageFrom(replication); !lineage.empty()) id += "+" + lineage;
  return id;
}

bool IsProtocolError(std::string_view reply) { return reply.starts_with("-ERR Protocol error"); }

std::string_view ProcessOf(std::string_view id) { return id.substr(0, id.find('+')); }

bool WasNeverReplica(std::string_view id) {
  const std::string_view lineage = LineageOf(id);
  return lineage.empty() || lineage == kNeverReplica;
}

bool HoldsSameData(std::string_view known, std::string_view seen) {
  if (ProcessOf(known) != ProcessOf(seen) || ProcessOf(seen) == kHiddenRunId) return false;
  const std::string_view before = LineageOf(known);
  const std::string_view now = LineageOf(seen);
  if (now == kReplica) return before == kReplica;
  // Not told, or a replica that was put right by hand: there is nothing to compare with.
  if (before.empty() || now.empty() || before == kReplica) return true;
  // Redis forgets by itself that it was a replica, and its data stays.
  return now == before || now == kNeverReplica;
}

}  // namespace gemel

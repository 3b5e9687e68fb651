#include "proxy/local/node_info.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "backend/link/node_identity.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

// How the values of several nodes become one.
enum class Joined : uint8_t {
  kSum,
  kCount,  // a sum that CONFIG RESETSTAT resets
  kLimit,  // a sum, but none where one node has none (0)
  kLargest,
  kSmallest,
  kAllOk,  // "ok", or what the first of the others says
  kSame,   // left out where they differ
};

struct NodeField {
  std::string_view section;
  std::string_view name;
  Joined joined;
};

constexpr NodeField kNodeFields[] = {
    {"memory", "used_memory", Joined::kSum},
    {"memory", "used_memory_rss", Joined::kSum},
    {"memory", "used_memory_peak", Joined::kSum},
    {"memory", "used_memory_overhead", Joined::kSum},
    {"memory", "used_memory_startup", Joined::kSum},
    {"memory", "used_memory_dataset", Joined::kSum},
    {"memory", "allocator_allocated", Joined::kSum},
    {"memory", "allocator_active", Joined::kSum},
    {"memory", "allocator_resident", Joined::kSum},
    {"memory", "used_memory_lua", Joined::kSum},
    {"memory", "used_memory_vm_eval", Joined::kSum},
    {"memory", "used_memory_vm_functions", Joined::kSum},
    {"memory", "used_memory_vm_total", Joined::kSum},
    {"memory", "used_memory_functions", Joined::kSum},
    {"memory", "number_of_functions", Joined::kLargest},
    {"memory", "number_of_libraries", Joined::kLargest},
    {"memory", "maxmemory", Joined::kLimit},
    {"memory", "maxmemory_policy", Joined::kSame},
    {"memory", "mem_not_counted_for_evict", Joined::kSum},
    {"memory", "mem_replication_backlog", Joined::kSum},
    {"memory", "mem_total_replication_buffers", Joined::kSum},
    {"memory", "mem_clients_slaves", Joined::kSum},
    {"memory", "mem_clients_normal", Joined::kSum},
    {"memory", "mem_cluster_links", Joined::kSum},
    {"memory", "mem_aof_buffer", Joined::kSum},
    {"memory", "mem_allocator", Joined::kSame},
    {"memory", "active_defrag_running", Joined::kLargest},
    {"memory", "lazyfree_pending_objects", Joined::kSum},
    {"memory", "lazyfreed_objects", Joined::kCount},
    {"persistence", "current_cow_peak", Joined::kSum},
    {"persistence", "current_cow_size", Joined::kSum},
    {"persistence", "current_cow_size_age", Joined::kLargest},
    {"persistence", "current_save_keys_processed", Joined::kSum},
    {"persistence", "current_save_keys_total", Joined::kSum},
    {"persistence", "rdb_changes_since_last_save", Joined::kSum},
    {"persistence", "rdb_bgsave_in_progress", Joined::kLargest},
    {"persistence", "rdb_last_save_time", Joined::kSmallest},
    {"persistence", "rdb_last_bgsave_status", Joined::kAllOk},
    {"persistence", "rdb_last_bgsave_time_sec", Joined::kLargest},
    {"persistence", "rdb_current_bgsave_time_sec", Joined::kLargest},
    {"persistence", "rdb_saves", Joined::kCount},
    {"persistence", "rdb_last_cow_size", Joined::kSum},
    {"persistence", "rdb_last_load_keys_expired", Joined::kSum},
    {"persistence", "rdb_last_load_keys_loaded", Joined::kSum},
    {"persistence", "aof_enabled", Joined::kLargest},
    {"persistence", "aof_rewrite_in_progress", Joined::kLargest},
    {"persistence", "aof_rewrite_scheduled", Joined::kLargest},
    {"persistence", "aof_last_rewrite_time_sec", Joined::kLargest},
    {"persistence", "aof_current_rewrite_time_sec", Joined::kLargest},
    {"persistence", "aof_last_bgrewrite_status", Joined::kAllOk},
    {"persistence", "aof_rewrites", Joined::kCount},
    {"persistence", "aof_rewrites_consecutive_failures", Joined::kLargest},
    {"persistence", "aof_last_write_status", Joined::kAllOk},
    {"persistence", "aof_last_cow_size", Joined::kSum},
    {"persistence", "aof_current_size", Joined::kSum},
    {"persistence", "aof_base_size", Joined::kSum},
    {"persistence", "module_fork_in_progress", Joined::kLargest},
    {"persistence", "module_fork_last_cow_size", Joined::kSum},
    {"stats", "expired_keys", Joined::kCount},
    {"stats", "expired_time_cap_reached_count", Joined::kCount},
    {"stats", "expire_cycle_cpu_milliseconds", Joined::kSum},
    {"stats", "evicted_keys", Joined::kCount},
    {"stats", "total_eviction_exceeded_time", Joined::kCount},
    {"stats", "current_eviction_exceeded_time", Joined::kLargest},
    {"stats", "keyspace_hits", Joined::kCount},
    {"stats", "keyspace_misses", Joined::kCount},
    {"stats", "latest_fork_usec", Joined::kLargest},
    {"stats", "total_forks", Joined::kCount},
    {"stats", "active_defrag_hits", Joined::kCount},
    {"stats", "active_defrag_misses", Joined::kCount},
    {"stats", "active_defrag_key_hits", Joined::kCount},
    {"stats", "active_defrag_key_misses", Joined::kCount},
    {"stats", "total_active_defrag_time", Joined::kCount},
    {"stats", "current_active_defrag_time", Joined::kLargest},
    {"stats", "dump_payload_sanitizations", Joined::kCount},
};

// Calls visit(name, value) for each line "name:value".
template <typename Visit>
void ForEachLine(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const size_t end = std::min(text.find("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 2, text.size()));
    const size_t colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    visit(line.substr(0, colon), line.substr(colon + 1));
  }
}

using Fields = std::map<std::string_view, std::string_view>;

std::vector<Fields> SplitNodes(const std::vector<ShardInfoText>& shards) {
  std::vector<Fields> nodes;
  for (const ShardInfoText& shard : shards) {
    if (shard.text.empty()) continue;
    Fields& fields = nodes.emplace_back();
    ForEachLine(shard.text, [&](std::string_view name, std::string_view value) {
      fields.emplace(name, value);
    });
  }
  return nodes;
}

std::string RunIdOf(const Fields& fields) {
  const auto found = fields.find("run_id");
  return found == fields.end() ? std::string() : std::string(found->second);
}

int64_t NumberOf(std::string_view text) {
  int64_t value = 0;
  ParseInteger(text, &value);
  return value;
}

std::string JoinTexts(Joined joined, const std::vector<std::string_view>& values) {
  for (const std::string_view value : values) {
    if (joined == Joined::kAllOk && value != "ok") return std::string(value);
    if (joined == Joined::kSame && value != values[0]) return {};
  }
  return std::string(values[0]);
}

int64_t JoinNumbers(Joined joined, const std::vector<int64_t>& values) {
  int64_t sum = 0;
  for (const int64_t value : values) sum += value;
  switch (joined) {
    case Joined::kLargest:
      return *std::max_element(values.begin(), values.end());
    case Joined::kSmallest:
      return *std::min_element(values.begin(), values.end());
    case Joined::kLimit:
      return std::find(values.begin(), values.end(), 0) != values.end() ? 0 : sum;
    default:
      return sum;
  }
}

// Empty: nobody has it, or it is not to be told.
std::string Join(const NodeField& field, const std::vector<Fields>& nodes,
                 const NodeBaseline* baseline) {
  std::vector<std::string_view> texts;
  std::vector<int64_t> numbers;
  for (const Fields& node : nodes) {
    const auto found = node.find(field.name);
    if (found == node.end()) continue;
    texts.push_back(found->second);
    int64_t number = NumberOf(found->second);
    if (field.joined == Joined::kCount && baseline != nullptr) {
      number -= baseline->Of(RunIdOf(node), field.name, number);
    }
    numbers.push_back(number);
  }
  if (texts.empty()) return {};
  if (field.joined == Joined::kAllOk || field.joined == Joined::kSame) {
    return JoinTexts(field.joined, texts);
  }
  return std::to_string(JoinNumbers(field.joined, numbers));
}

double Ratio(int64_t a, int64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

// What Redis computes from the others.
void AddDerived(std::vector<InfoLine>* fields) {
  std::map<std::string, int64_t, std::less<>> known;
  for (const InfoLine& field : *fields) known[field.name] = NumberOf(field.text);
  if (!known.contains("used_memory")) return;
  const auto add = [fields](std::string name, std::string text) {
    fields->push_back({"memory", std::move(name), std::move(text)});
  };
  const auto add_human = [&](const std::string& name) {
    if (known.contains(name)) {
      add(name + "_human", HumanBytes(static_cast<uint64_t>(std::max<int64_t>(known[name], 0))));
    }
  };
  for (const char* name : {"used_memory", "used_memory_rss", "used_memory_peak", "used_memory_lua",
                           "used_memory_vm_total", "maxmemory"}) {
    add_human(name);
  }
  const int64_t used = known["used_memory"];
  const int64_t rss = known["used_memory_rss"];
  add("used_memory_peak_perc", TwoDigits(Ratio(used, known["used_memory_peak"]) * 100) + "%");
  add("used_memory_dataset_perc",
      TwoDigits(Ratio(known["used_memory_dataset"], used - known["used_memory_startup"]) * 100) +
          "%");
  add("mem_fragmentation_ratio", TwoDigits(Ratio(rss, used)));
  add("mem_fragmentation_bytes", std::to_string(rss - used));
  const int64_t allocated = known["allocator_allocated"];
  const int64_t active = known["allocator_active"];
  const int64_t resident = known["allocator_resident"];
  add("allocator_frag_ratio", TwoDigits(Ratio(active, allocated)));
  add("allocator_frag_bytes", std::to_string(active - allocated));
  add("allocator_rss_ratio", TwoDigits(Ratio(resident, active)));
  add("allocator_rss_bytes", std::to_string(resident - active));
  add("rss_overhead_ratio", TwoDigits(Ratio(rss, resident)));
  add("rss_overhead_bytes", std::to_string(rss - resident));
}

}  // namespace

std::vector<InfoLine> SumNodes(const std::vector<ShardInfoText>& shards,
                               const NodeBaseline* baseline) {
  std::vector<InfoLine> fields;
  const std::vector<Fields> nodes = SplitNodes(shards);
  for (const NodeField& field : kNodeFields) {
    std::string text = Join(field, nodes, baseline);
    if (!text.empty()) fields.push_back({field.section, std::string(field.name), std::move(text)});
  }
  AddDerived(&fields);
  return fields;
}

std::vector<InfoLine> SumKeyspace(const std::vector<ShardInfoText>& shards) {
  std::map<uint32_t, KeyspaceCount> databases;
  for (const ShardInfoText& shard : shards) {
    ForEachDatabase(shard.text, [&](uint32_t index, const KeyspaceCount& count) {
      if (shard.database != 0 && index != shard.database) return;
      if (shard.hidden != 0 && index == shard.hidden) return;
      KeyspaceCount& all = databases[shard.database != 0 ? 0 : index];
      // The mean of those that expire.
      const uint64_t expires = all.expires + count.expires;
      if (expires > 0) {
        all.avg_ttl = (all.avg_ttl * all.expires + count.avg_ttl * count.expires) / expires;
      }
      all.keys += count.keys;
      all.expires = expires;
    });
  }
  std::vector<InfoLine> fields;
  for (const auto& [index, count] : databases) {
    fields.push_back({"keyspace", "db" + std::to_string(index),
                      "keys=" + std::to_string(count.keys) +
                          ",expires=" + std::to_string(count.expires) +
                          ",avg_ttl=" + std::to_string(count.avg_ttl)});
  }
  return fields;
}

std::map<std::string, NodeBaseline::Counters, std::less<>> CountersOf(
    const std::vector<ShardInfoText>& shards) {
  std::map<std::string, NodeBaseline::Counters, std::less<>> counters;
  for (const Fields& node : SplitNodes(shards)) {
    NodeBaseline::Counters& own = counters[RunIdOf(node)];
    for (const NodeField& field : kNodeFields) {
      const auto found = node.find(field.name);
      if (field.joined != Joined::kCount || found == node.end()) continue;
      own.emplace(field.name, NumberOf(found->second));
    }
  }
  return counters;
}

std::string HumanBytes(uint64_t bytes) {
  char text[32];
  const double size = static_cast<double>(bytes);
  if (bytes < 1024) {
    std::snprintf(text, sizeof(text), "%lluB", static_cast<unsigned long long>(bytes));
  } else if (bytes < 1024 * 1024) {
    std::snprintf(text, sizeof(text), "%.2fK", size / 1024);
  } else if (bytes < 1024ull * 1024 * 1024) {
    std::snprintf(text, sizeof(text), "%.2fM", size / (1024 * 1024));
  } else {
    std::snprintf(text, sizeof(text), "%.2fG", size / (1024.0 * 1024 * 1024));
  }
  return text;
}

std::string TwoDigits(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

}  // namespace gemel

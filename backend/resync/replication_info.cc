#include "backend/resync/replication_info.h"

#include <algorithm>
#include <charconv>

namespace gemel {

namespace {

struct NumberField {
  std::string_view name;
  int64_t ReplicationInfo::*member;
};
constexpr NumberField kNumbers[] = {
    {"master_repl_offset", &ReplicationInfo::master_offset},
    {"slave_repl_offset", &ReplicationInfo::copy_offset},
    {"master_sync_read_bytes", &ReplicationInfo::sync_read},
    {"master_sync_total_bytes", &ReplicationInfo::sync_total},
    {"loading_loaded_bytes", &ReplicationInfo::loaded},
    {"loading_total_bytes", &ReplicationInfo::load_total},
    {"current_save_keys_processed", &ReplicationInfo::saved_keys},
    {"current_save_keys_total", &ReplicationInfo::save_total_keys},
    {"total_net_repl_input_bytes", &ReplicationInfo::replication_input},
    {"sync_full", &ReplicationInfo::full_syncs},
};

struct FlagField {
  std::string_view name;
  std::string_view yes;
  bool ReplicationInfo::*member;
};
constexpr FlagField kFlags[] = {
    {"role", "slave", &ReplicationInfo::is_replica},
    {"master_link_status", "up", &ReplicationInfo::link_up},
    {"master_sync_in_progress", "1", &ReplicationInfo::syncing},
    {"slave_read_only", "1", &ReplicationInfo::read_only},
    {"loading", "1", &ReplicationInfo::loading},
};

struct TextField {
  std::string_view name;
  std::string ReplicationInfo::*member;
};
constexpr TextField kTexts[] = {
    {"master_host", &ReplicationInfo::host},
    {"master_port", &ReplicationInfo::port},
    {"master_replid", &ReplicationInfo::replid},
    {"master_replid2", &ReplicationInfo::replid2},
};

}  // namespace

int64_t InfoNumber(std::string_view text) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

ReplicationInfo ParseReplicationInfo(std::string_view info) {
  ReplicationInfo seen;
  while (!info.empty()) {
    std::string_view line = info.substr(0, info.find('\n'));
    info.remove_prefix(std::min(info.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    // "slave0:ip=...,port=...,state=wait_bgsave,..."
    if (name.starts_with("slave") && (value.find("state=wait_bgsave") != std::string_view::npos ||
                                      value.find("state=send_bulk") != std::string_view::npos)) {
      seen.gives_copy = true;
    }
    for (const NumberField& field : kNumbers) {
      if (name == field.name) seen.*field.member = InfoNumber(value);
    }
    for (const FlagField& field : kFlags) {
      if (name == field.name) seen.*field.member = value == field.yes;
    }
    for (const TextField& field : kTexts) {
      if (name == field.name) seen.*field.member = value;
    }
  }
  if (seen.replid2.find_first_not_of('0') == std::string::npos) seen.replid2.clear();
  return seen;
}

}  // namespace gemel

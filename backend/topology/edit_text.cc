// An edit as text: Edit::EncodeTo and Edit::DecodeFrom.

#include <algorithm>
#include <iterator>

#include "backend/topology/checked_toml.h"
#include "backend/topology/edit_rows.h"
#include "backend/topology/saved_names.h"

namespace gemel {
namespace {

constexpr uint64_t kEditVersion = 1;

constexpr std::string_view kEditKeys[] = {"version", "edit",       "shard", "node",
                                          "run_id",  "reason",     "nodes", "expected",
                                          "ring",    "drained_by", "spec",  "setting"};

void RefuseUnknownKeys(const toml::table& table, std::string* error) {
  for (const auto& [key, value] : table) {
    const std::string_view name = key.str();
    if (error->empty() &&
        std::find(std::begin(kEditKeys), std::end(kEditKeys), name) == std::end(kEditKeys)) {
      *error = "it has \"" + std::string(name) + "\", which this gemel does not know";
    }
  }
}

}  // namespace

void Edit::EncodeTo(std::string* out) const {
  using checked_toml::AppendEntry;
  std::string text;
  AppendEntry(&text, "version", kEditVersion);
  AppendEntry(&text, "edit", topology_parts::RowOf(kind).saved);
  AppendEntry(&text, "shard", shard);
  AppendEntry(&text, "node", node);
  AppendEntry(&text, "run_id", run_id);
  AppendEntry(&text, "reason", reason);
  AppendEntry(&text, "expected", expected);
  AppendEntry(&text, "drained_by", NameOf(kSavedDrainers, drained_by));
  AppendEntry(&text, "ring", ring);
  checked_toml::AppendArray(&text, "nodes", nodes);
  if (spec != RingSpec()) {
    text += "[spec]\n";
    checked_toml::AppendRing(&text, spec);
  }
  checked_toml::AppendSettings(&text, "[[setting]]", settings);
  *out += text;
  *out += checked_toml::Footer(text);
}

std::optional<Edit> Edit::DecodeFrom(std::string_view text, std::string* error) {
  const std::optional<toml::table> table = checked_toml::Parse(text, kEditVersion, error);
  if (!table) return std::nullopt;
  Edit edit{};
  std::string name;
  std::string drainer;
  checked_toml::Fields fields(*table, error);
  fields.Get("edit", &name);
  fields.Get("shard", &edit.shard);
  fields.Get("node", &edit.node);
  fields.Get("run_id", &edit.run_id);
  fields.Get("reason", &edit.reason);
  fields.Get("expected", &edit.expected);
  fields.Get("drained_by", &drainer);
  fields.Get("ring", &edit.ring);
  fields.Get("nodes", &edit.nodes);
  if (table->contains("spec")) {
    const toml::table* spec = (*table)["spec"].as_table();
    if (spec != nullptr) {
      edit.spec = checked_toml::DecodeRing(*spec, error);
    } else if (error->empty()) {
      *error = "\"spec\" is not a table";
    }
  }
  edit.settings = checked_toml::DecodeSettings(*table, error);
  RefuseUnknownKeys(*table, error);
  if (!error->empty()) return std::nullopt;
  const topology_parts::EditRow* row = topology_parts::RowOfSaved(name);
  const std::optional<DrainedBy> drained_by = ValueOf(kSavedDrainers, drainer);
  if (row == nullptr || !drained_by) {
    *error = row == nullptr
                 ? "it is an edit \"" + name + "\", which this gemel does not know"
                 : "\"drained_by\" is \"" + drainer + "\", which this gemel does not know";
    return std::nullopt;
  }
  edit.kind = row->kind;
  edit.drained_by = *drained_by;
  return edit;
}

}  // namespace gemel

// The text of a state file: EncodeTopology and DecodeTopology.

#include <toml++/toml.h>
#include <xxhash.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "backend/topology/state_file.h"

namespace gemel {
namespace {

constexpr uint64_t kVersion = 1;
constexpr std::string_view kFooterStart = "# xxh3 ";

// The last line, over all that comes before it.
std::string Footer(std::string_view text) {
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return std::string(kFooterStart) + hex + "\n";
}

// A TOML string in which each byte that is not printable ASCII is the code point of the same
// number: reasons may quote a node, which may send anything, and TOML takes only valid UTF-8.
void AppendString(std::string* out, std::string_view bytes) {
  *out += '"';
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (byte >= 0x20 && byte < 0x7f) {
      *out += c;
    } else {
      char escape[7];
      std::snprintf(escape, sizeof(escape), "\\u%04X", byte);
      *out += escape;
    }
  }
  *out += '"';
}

void AppendEntry(std::string* out, std::string_view key, std::string_view bytes) {
  *out += key;
  *out += " = ";
  AppendString(out, bytes);
  *out += '\n';
}

void AppendEntry(std::string* out, std::string_view key, uint64_t value) {
  *out += key;
  *out += " = ";
  *out += std::to_string(value);
  *out += '\n';
}

void AppendFlag(std::string* out, std::string_view key, bool value) {
  *out += key;
  *out += value ? " = true\n" : " = false\n";
}

// Code points back to bytes. False if one is no byte.
bool ToBytes(std::string_view utf8, std::string* bytes) {
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      *bytes += utf8[i];
    } else if ((byte == 0xc2 || byte == 0xc3) && i + 1 < utf8.size()) {
      const auto low = static_cast<unsigned char>(utf8[++i]);
      *bytes += static_cast<char>((byte & 0x03) << 6 | (low & 0x3f));
    } else {
      return false;
    }
  }
  return true;
}

// Reads fields of a table. The first that is missing or has the wrong type is kept as the error.
class Fields {
 public:
  Fields(const toml::table& table, std::string* error) : table_(table), error_(error) {}

  void Get(std::string_view key, uint64_t* value) {
    const auto* node = table_[key].as_integer();
    if (node == nullptr || node->get() < 0) return Fail(key, "a number");
    *value = static_cast<uint64_t>(node->get());
  }
  void Get(std::string_view key, bool* value) {
    const auto* node = table_[key].as_boolean();
    if (node == nullptr) return Fail(key, "true or false");
    *value = node->get();
  }
  void Get(std::string_view key, std::string* value) {
    const auto* node = table_[key].as_string();
    value->clear();
    if (node == nullptr || !ToBytes(node->get(), value)) Fail(key, "a string of bytes");
  }

  // One that older files do not have: then it is false.
  void GetOptional(std::string_view key, bool* value) {
    *value = false;
    if (table_.contains(key)) Get(key, value);
  }
  // The same: then it is 0.
  void GetOptional(std::string_view key, uint64_t* value) {
    *value = 0;
    if (table_.contains(key)) Get(key, value);
  }
  void Get(std::string_view key, uint32_t* value) {
    uint64_t wide = 0;
    Get(key, &wide);
    if (wide > UINT32_MAX) return Fail(key, "a number of 32 bits");
    *value = static_cast<uint32_t>(wide);
  }

  // Calls each(node) for the elements of an array.
  template <typename Each>
  void ForEachElement(std::string_view key, Each each) {
    const toml::array* array = table_[key].as_array();
    if (array == nullptr) return Fail(key, "an array");
    for (const toml::node& node : *array) each(node);
  }

  // Calls each(table) for the tables of [[key]]; none is fine.
  template <typename Each>
  void ForEach(std::string_view key, Each each) {
    if (!table_.contains(key)) return;
    const toml::array* array = table_[key].as_array();
    if (array == nullptr) return Fail(key, "an array of tables");
    for (const toml::node& node : *array) {
      const toml::table* table = node.as_table();
      if (table == nullptr) return Fail(key, "an array of tables");
      each(*table);
    }
  }

 private:
  void Fail(std::string_view key, std::string_view expected) {
    if (error_->empty()) *error_ = "\"" + std::string(key) + "\" is not " + std::string(expected);
  }

  const toml::table& table_;
  std::string* error_;
};

CopyInfo DecodeCopy(const toml::table& table, std::string* error) {
  CopyInfo copy;
  std::string state;
  Fields fields(table, error);
  fields.Get("node", &copy.node);
  fields.Get("state", &state);
  fields.Get("run_id", &copy.run_id);
  fields.Get("reason", &copy.reason);
  fields.GetOptional("drained", &copy.drained);
  if (state == "in sync") {
    copy.state = CopyState::kInSync;
  } else if (state == "stale") {
    copy.state = CopyState::kStale;
  } else if (error->empty()) {
    *error = "\"state\" of a copy is neither \"in sync\" nor \"stale\"";
  }
  return copy;
}

ShardInfo DecodeShard(const toml::table& table, std::string* error) {
  ShardInfo shard;
  std::string primary;
  Fields fields(table, error);
  fields.Get("name", &shard.name);
  fields.Get("epoch", &shard.epoch);
  fields.Get("primary", &primary);
  fields.Get("adopted", &shard.adopted);
  fields.GetOptional("swept", &shard.swept);
  fields.ForEach("copy",
                 [&](const toml::table& copy) { shard.copies.push_back(DecodeCopy(copy, error)); });
  const int index = shard.IndexOf(primary);
  if (index >= 0) {
    shard.primary = static_cast<uint32_t>(index);
  } else if (error->empty()) {
    *error = "the primary of a shard is not one of its copies";
  }
  return shard;
}

RingSpec DecodeRing(const toml::table& table, std::string* error) {
  RingSpec ring;
  Fields fields(table, error);
  fields.Get("id", &ring.id);
  fields.Get("points", &ring.points);
  fields.Get("hash_tag", &ring.hash_tag);
  fields.ForEachElement("shards", [&](const toml::node& node) {
    const auto* name = node.as_string();
    ring.shards.emplace_back();
    if ((name == nullptr || !ToBytes(name->get(), &ring.shards.back().name)) && error->empty()) {
      *error = "a shard of a ring is not a string of bytes";
    }
  });
  size_t count = 0;
  fields.ForEachElement("weights", [&](const toml::node& node) {
    const auto* weight = node.as_integer();
    if (weight != nullptr && weight->get() > 0 && weight->get() <= UINT32_MAX &&
        count < ring.shards.size()) {
      ring.shards[count].weight = static_cast<uint32_t>(weight->get());
    } else if (error->empty()) {
      *error = "a weight of a ring is not a number from 1, or is of no shard";
    }
    ++count;
  });
  if (count < ring.shards.size() && error->empty()) *error = "a shard of a ring has no weight";
  return ring;
}

void AppendRing(std::string* out, const RingSpec& ring) {
  *out += "\n[[ring]]\n";
  AppendEntry(out, "id", ring.id);
  AppendEntry(out, "points", ring.points);
  AppendEntry(out, "hash_tag", ring.hash_tag);
  *out += "shards = [";
  for (size_t i = 0; i < ring.shards.size(); ++i) {
    if (i > 0) *out += ", ";
    AppendString(out, ring.shards[i].name);
  }
  *out += "]\nweights = [";
  for (size_t i = 0; i < ring.shards.size(); ++i) {
    if (i > 0) *out += ", ";
    *out += std::to_string(ring.shards[i].weight);
  }
  *out += "]\n";
}

// The text without its last line, if that is its checksum.
std::optional<std::string_view> CheckFooter(std::string_view text, std::string* error) {
  const size_t footer_size = Footer("").size();
  if (text.empty()) {
    *error = "it is empty";
    return std::nullopt;
  }
  if (text.size() < footer_size ||
      text.substr(text.size() - footer_size, kFooterStart.size()) != kFooterStart) {
    *error = "it was cut off or changed (its last line is not a checksum)";
    return std::nullopt;
  }
  const std::string_view body = text.substr(0, text.size() - footer_size);
  if (text.substr(body.size()) != Footer(body)) {
    *error = "it was damaged or changed (its checksum does not match)";
    return std::nullopt;
  }
  return body;
}

}  // namespace

std::string EncodeTopology(const Topology& topology) {
  std::string out =
      "# The state of a gemel proxy: roles, epochs and stale marks of its shards; rings.\n"
      "# Written by the proxy; a file changed by hand is refused.\n";
  AppendEntry(&out, "version", kVersion);
  AppendEntry(&out, "epoch", topology.epoch);
  AppendFlag(&out, "clean", topology.clean);
  for (const ShardInfo& shard : topology.shards) {
    out += "\n[[shard]]\n";
    AppendEntry(&out, "name", shard.name);
    AppendEntry(&out, "epoch", shard.epoch);
    AppendEntry(&out, "primary", shard.copies[shard.primary].node);
    AppendFlag(&out, "adopted", shard.adopted);
    if (shard.swept > 0) AppendEntry(&out, "swept", shard.swept);
    for (const CopyInfo& copy : shard.copies) {
      out += "\n[[shard.copy]]\n";
      AppendEntry(&out, "node", copy.node);
      AppendEntry(&out, "state",
                  std::string_view(copy.state == CopyState::kInSync ? "in sync" : "stale"));
      AppendEntry(&out, "run_id", copy.run_id);
      AppendEntry(&out, "reason", copy.reason);
      if (copy.drained) AppendFlag(&out, "drained", true);
    }
  }
  for (const RingSpec& ring : topology.rings) AppendRing(&out, ring);
  out += '\n';
  out += Footer(out);
  return out;
}

std::optional<Topology> DecodeTopology(std::string_view text, std::string* error) {
  const std::optional<std::string_view> body = CheckFooter(text, error);
  if (!body) return std::nullopt;

  toml::table table;
  try {
    table = toml::parse(*body);
  } catch (const toml::parse_error& e) {
    *error = "it is not TOML (line " + std::to_string(e.source().begin.line) +
             "): " + std::string(e.description());
    return std::nullopt;
  }

  error->clear();
  Fields fields(table, error);
  uint64_t version = 0;
  fields.Get("version", &version);
  if (error->empty() && version != kVersion) {
    *error = "its format is version " + std::to_string(version) + ", this gemel reads version " +
             std::to_string(kVersion);
  }
  if (!error->empty()) return std::nullopt;

  Topology topology;
  fields.Get("epoch", &topology.epoch);
  fields.Get("clean", &topology.clean);
  fields.ForEach("shard", [&](const toml::table& shard) {
    topology.shards.push_back(DecodeShard(shard, error));
  });
  fields.ForEach(
      "ring", [&](const toml::table& ring) { topology.rings.push_back(DecodeRing(ring, error)); });
  if (!error->empty() || !CheckTopology(topology, error)) return std::nullopt;
  return topology;
}

}  // namespace gemel

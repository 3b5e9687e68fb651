#include "backend/topology/checked_toml.h"

#include <xxhash.h>

#include <cstdio>

namespace gemel::checked_toml {
namespace {

constexpr std::string_view kFooterStart = "# xxh3 ";

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

bool ToBytes(const toml::node* node, std::string* bytes) {
  const auto* text = node == nullptr ? nullptr : node->as_string();
  return text != nullptr && ToBytes(text->get(), bytes);
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

std::string Footer(std::string_view text) {
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return std::string(kFooterStart) + hex + "\n";
}

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

void AppendArray(std::string* out, std::string_view key, const std::vector<std::string>& strings) {
  *out += key;
  *out += " = [";
  for (size_t i = 0; i < strings.size(); ++i) {
    if (i > 0) *out += ", ";
    AppendString(out, strings[i]);
  }
  *out += "]\n";
}

void AppendRing(std::string* out, const RingSpec& ring) {
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

void AppendSettings(std::string* out, std::string_view head,
                    const std::vector<NodeSetting>& settings) {
  for (const NodeSetting& setting : settings) {
    *out += head;
    *out += '\n';
    AppendEntry(out, "name", setting.name);
    AppendEntry(out, "own", setting.own);
    AppendEntry(out, "set", setting.set);
    if (!setting.before.empty()) AppendEntry(out, "before", setting.before);
  }
}

std::optional<toml::table> Parse(std::string_view text, uint64_t version, std::string* error) {
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
  uint64_t found = 0;
  Fields(table, error).Get("version", &found);
  if (error->empty() && found != version) {
    *error = "its format is version " + std::to_string(found) + ", this gemel reads version " +
             std::to_string(version);
  }
  if (!error->empty()) return std::nullopt;
  return table;
}

bool Fields::ToBytes(const toml::node* node, std::string* bytes) {
  return checked_toml::ToBytes(node, bytes);
}

RingSpec DecodeRing(const toml::table& table, std::string* error) {
  RingSpec ring;
  Fields fields(table, error);
  fields.Get("id", &ring.id);
  fields.Get("points", &ring.points);
  fields.Get("hash_tag", &ring.hash_tag);
  fields.ForEachElement("shards", [&](const toml::node& node) {
    if (!ToBytes(&node, &ring.shards.emplace_back().name) && error->empty()) {
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

std::vector<NodeSetting> DecodeSettings(const toml::table& table, std::string* error) {
  std::vector<NodeSetting> settings;
  Fields(table, error).ForEach("setting", [&](const toml::table& of) {
    NodeSetting& setting = settings.emplace_back();
    Fields fields(of, error);
    fields.Get("name", &setting.name);
    fields.Get("own", &setting.own);
    fields.Get("set", &setting.set);
    fields.GetOptional("before", &setting.before);
  });
  return settings;
}

}  // namespace gemel::checked_toml

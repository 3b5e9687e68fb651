// The text in which a topology and its edits are kept: TOML whose strings may be any bytes, with a
// checksum as its last line. For the files of this folder alone.

#ifndef GEMEL_BACKEND_TOPOLOGY_CHECKED_TOML_H_
#define GEMEL_BACKEND_TOPOLOGY_CHECKED_TOML_H_

#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ring/ring_spec.h"
#include "backend/topology/topology.h"

namespace gemel::checked_toml {

// A TOML string in which each byte that is not printable ASCII is the code point of the same
// number: reasons may quote a node, which may send anything, and TOML takes only valid UTF-8.
void AppendString(std::string* out, std::string_view bytes);
void AppendEntry(std::string* out, std::string_view key, std::string_view bytes);
void AppendEntry(std::string* out, std::string_view key, uint64_t value);
void AppendFlag(std::string* out, std::string_view key, bool value);
void AppendArray(std::string* out, std::string_view key, const std::vector<std::string>& strings);
// The entries of a ring, behind the head of their table.
void AppendRing(std::string* out, const RingSpec& ring);

// One table for each, under `head`: "[[setting]]".
void AppendSettings(std::string* out, std::string_view head,
                    const std::vector<NodeSetting>& settings);

// The last line, over all of `text`.
std::string Footer(std::string_view text);

// Parses a text that ends with its checksum. Nothing and *error (a sentence that begins with "it")
// if it was cut or changed, is not TOML, or is not of `version`.
std::optional<toml::table> Parse(std::string_view text, uint64_t version, std::string* error);

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
    value->clear();
    if (!ToBytes(table_[key].node(), value)) Fail(key, "a string of bytes");
  }

  // One that may be missing: then it is false, 0 or empty.
  template <typename T>
  void GetOptional(std::string_view key, T* value) {
    *value = T();
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

  void Get(std::string_view key, std::vector<std::string>* strings) {
    ForEachElement(key, [&](const toml::node& node) {
      if (!ToBytes(&node, &strings->emplace_back())) Fail(key, "an array of strings of bytes");
    });
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
  // False if it is no string of bytes.
  static bool ToBytes(const toml::node* node, std::string* bytes);
  void Fail(std::string_view key, std::string_view expected) {
    if (error_->empty()) *error_ = "\"" + std::string(key) + "\" is not " + std::string(expected);
  }

  const toml::table& table_;
  std::string* error_;
};

RingSpec DecodeRing(const toml::table& table, std::string* error);
// Those of [[setting]] in the table; none is fine.
std::vector<NodeSetting> DecodeSettings(const toml::table& table, std::string* error);

}  // namespace gemel::checked_toml

#endif  // GEMEL_BACKEND_TOPOLOGY_CHECKED_TOML_H_

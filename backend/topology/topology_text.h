// A topology as text, as the state file keeps it.

#ifndef GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_TEXT_H_
#define GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "backend/topology/topology.h"

namespace gemel {

// Topology <-> text. Decode checks the checksum, the format version and the invariants; on failure
// it returns nothing and sets *error to a sentence. Names and reasons may be any bytes: those that
// are not printable ASCII are written as \u00XX, a byte each. Epochs are below 2^63.
std::string EncodeTopology(const Topology& topology);
std::optional<Topology> DecodeTopology(std::string_view text, std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_TEXT_H_

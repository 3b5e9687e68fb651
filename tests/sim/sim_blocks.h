// Commands of clients that are sent within a block, with a side key in another database.

#ifndef GEMEL_TESTS_SIM_SIM_BLOCKS_H_
#define GEMEL_TESTS_SIM_SIM_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gemel::sim {

// A block as a session makes it. `database` of it, `side_database` of the side key.
struct BlockOf {
  std::string frame;
  size_t element = 0;   // of the command, in EXEC's reply
  size_t elements = 0;  // of that
};
// The token is appended to `side` before the command, if there is a side key. A read is there
// twice.
BlockOf WrapInBlock(const std::vector<std::string>& args, uint8_t database, const std::string& side,
                    uint8_t side_database, const std::string& token);
// The command's own part of EXEC's reply; an error stays one. Empty if it cannot be right.
std::string Unwrap(const BlockOf& block, const std::string& reply);

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_BLOCKS_H_

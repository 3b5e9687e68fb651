// The example configuration, config/gemel.toml, as it was when the program was built.

#ifndef GEMEL_CONFIG_EXAMPLE_CONFIG_H_
#define GEMEL_CONFIG_EXAMPLE_CONFIG_H_

#include <string_view>

namespace gemel {

// A whole file: every option with its default, and what it means.
std::string_view ExampleConfig();

}  // namespace gemel

#endif  // GEMEL_CONFIG_EXAMPLE_CONFIG_H_

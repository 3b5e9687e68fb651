// The lines of `gemel top`.

#ifndef GEMEL_PROXY_TOP_TOP_VIEW_H_
#define GEMEL_PROXY_TOP_TOP_VIEW_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/top/top_snapshot.h"

namespace gemel {

struct TopScreen {
  size_t rows = 0;  // 0: as many as it takes
  size_t columns = 0;
  bool colors = false;
};

// What is so now, and how much of it there was a second since `before` (null: nothing is known of
// that). `address`: where it was asked. Lines are as long as the screen is wide at most, and what
// others have called keys and nodes is printable.
std::vector<std::string> TopLines(std::string_view address, const TopSnapshot* before,
                                  const TopSnapshot& now, const TopScreen& screen);

}  // namespace gemel

#endif  // GEMEL_PROXY_TOP_TOP_VIEW_H_

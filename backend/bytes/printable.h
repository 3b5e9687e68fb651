// Text of clients and nodes, made fit for a line of the log, a terminal, and INFO.

#ifndef GEMEL_BACKEND_BYTES_PRINTABLE_H_
#define GEMEL_BACKEND_BYTES_PRINTABLE_H_

#include <string>
#include <string_view>

namespace gemel {

// The text as one line that a terminal shows as it stands: control characters (also those above
// U+007F, some of which terminals obey), line and paragraph separators, characters that change the
// direction of the text around them or cannot be seen, and bytes that are no UTF-8 become \n, \r,
// \t or \xHH for each byte. All else stays, backslashes too.
std::string Printable(std::string_view text);

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_PRINTABLE_H_

// Percentiles as an option writes them: "50 99 99.9".

#ifndef GEMEL_CONFIG_PERCENTILES_H_
#define GEMEL_CONFIG_PERCENTILES_H_

#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// The numbers of the text, with blanks between them; none of an empty one. False if something in it
// is no number from 0 to 100.
bool ReadPercentiles(std::string_view text, std::vector<double>* percentiles);
// As Redis writes one: "50", "99.9".
std::string PercentileName(double percentile);
// All of them, as an option.
std::string PercentilesText(const std::vector<double>& percentiles);

}  // namespace gemel

#endif  // GEMEL_CONFIG_PERCENTILES_H_

#include "backend/shard/same_reply.h"

#include <charconv>
#include <cstdio>
#include <vector>

#include "backend/resp/reply_reader.h"

namespace gemel {

namespace {

bool ToDouble(std::string_view text, double* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// The longer one must be what 17 digits give, or two values of somebody's would be taken for one.
bool SameScore(std::string_view a, std::string_view b) {
  double ours = 0;
  double theirs = 0;
  if (!ToDouble(a, &ours) || !ToDouble(b, &theirs) || ours != theirs) return false;
  char text[40];
  std::snprintf(text, sizeof(text), "%.17g", ours);
  return a.size() != b.size() && (a.size() > b.size() ? a : b) == text;
}

}  // namespace

bool DifferInFormatAlone(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty() || a[0] != b[0]) return false;
  if (a[0] == '$') return SameScore(ReplyText(a), ReplyText(b));
  std::vector<std::string_view> ours;
  std::vector<std::string_view> theirs;
  if (!SplitArray(a, &ours) || !SplitArray(b, &theirs) || ours.size() != theirs.size()) {
    return false;
  }
  for (size_t i = 0; i < ours.size(); ++i) {
    if (ours[i] != theirs[i] && !DifferInFormatAlone(ours[i], theirs[i])) return false;
  }
  return true;
}

}  // namespace gemel

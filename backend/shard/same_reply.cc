#include "backend/shard/same_reply.h"

#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp2_form.h"

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

// Both of RESP2.
bool Same(std::string_view a, std::string_view b) {
  if (a == b || (IsNullReply(a) && IsNullReply(b))) return true;
  if (a[0] != b[0]) return false;
  if (a[0] == '$') return SameScore(ReplyText(a), ReplyText(b));
  std::vector<std::string_view> ours;
  std::vector<std::string_view> theirs;
  if (!SplitArray(a, &ours) || !SplitArray(b, &theirs) || ours.size() != theirs.size()) {
    return false;
  }
  for (size_t i = 0; i < ours.size(); ++i) {
    if (!Same(ours[i], theirs[i])) return false;
  }
  return true;
}

}  // namespace

bool DifferInFormatAlone(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return false;
  std::string ours;
  std::string theirs;
  AppendInResp2(a, Resp2Form::kFlatPairs, &ours);
  AppendInResp2(b, Resp2Form::kFlatPairs, &theirs);
  return Same(ours, theirs);
}

}  // namespace gemel

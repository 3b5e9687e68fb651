#include "backend/shard/outcomes.h"

#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/shard/same_reply.h"

namespace gemel {

bool Outcomes::Differ(const Op& op, std::string_view a, std::string_view b,
                      std::string_view frame) {
  if (a == b || (a[0] == '-' && b[0] == '-')) return false;  // two refusals are no difference
  return op.block ? OfBlocksDiffer(a, b, frame) : !DifferInFormatAlone(a, b);
}

// What is read in a transaction may differ (a random member, the order of a set).
bool Outcomes::OfBlocksDiffer(std::string_view a, std::string_view b, std::string_view frame) {
  std::vector<std::string_view> ours;
  std::vector<std::string_view> theirs;
  if (!SplitArray(a, &ours) || !SplitArray(b, &theirs) || ours.size() != theirs.size()) return true;
  frame_.Split(frame);
  frame_.Find(nullptr, 0);
  size_t i = 0;
  bool differ = false;
  frame_.ForEachCommand(nullptr, 0, [&](const FrameKeys::Command& command) {
    if (i >= ours.size()) return;
    const std::string_view our = ours[i];
    const std::string_view their = theirs[i++];
    if (our == their || (our[0] == '-' && their[0] == '-')) return;
    if (command.row != nullptr && !command.MayWrite()) return;
    differ |= !DifferInFormatAlone(our, their);
  });
  return differ || i != ours.size();
}

}  // namespace gemel

#include "backend/command/no_effect.h"

#include <algorithm>

#include "backend/command/ascii.h"
#include "backend/resp/reply_reader.h"

namespace gemel {

bool HadNoEffect(NoEffect rule, std::string_view reply) {
  if (reply[0] == '-') return true;
  switch (rule) {
    case NoEffect::kNever:
    case NoEffect::kNullUnlessGet:
      return false;
    case NoEffect::kZero:
      return reply == ":0\r\n";
    case NoEffect::kNotPositive:
      return reply == ":0\r\n" || reply.starts_with(":-");
    case NoEffect::kEmpty:
      return IsNullReply(reply) || (reply.size() == 4 && reply[1] == '0' && reply[0] != ':');
  }
  return false;
}

// Of SET a null says that nothing was done; with GET it says that there was nothing before.
NoEffect NoEffectOf(const CommandRow& row, std::span<const std::string_view> args) {
  if (row.no_effect != NoEffect::kNullUnlessGet) return row.no_effect;
  const bool get = std::any_of(args.begin() + 3, args.end(),
                               [](std::string_view arg) { return EqualsLower(arg, "get"); });
  return get ? NoEffect::kNever : NoEffect::kEmpty;
}

}  // namespace gemel

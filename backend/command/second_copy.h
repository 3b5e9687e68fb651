// What a command's arguments decide about it, for the rows whose answer is not in a column: is this
// invocation a write, what must the further copies be sent, is it refused. The planner asks here
// and knows no names.

#ifndef GEMEL_BACKEND_COMMAND_SECOND_COPY_H_
#define GEMEL_BACKEND_COMMAND_SECOND_COPY_H_

#include <functional>
#include <span>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// The slow halves of the functions below, for rows with an ArgRule.
SecondCopy SecondCopyByArgs(const CommandRow& row, std::span<const std::string_view> args);
bool ReadsUnnamedKeysByArgs(const CommandRow& row, std::span<const std::string_view> args);

// What the copies after the first must be sent for this invocation. kNotYet: refuse it with
// row.refusal on a shard of several copies. Malformed arguments, which Redis will refuse, get an
// answer that is safe whatever they mean.
inline SecondCopy SecondCopyFor(const CommandRow& row, std::span<const std::string_view> args) {
  return row.arg_rule == ArgRule::kNone ? row.second_copy : SecondCopyByArgs(row, args);
}

// May this invocation change data? If not, any in-sync copy may serve it, and may be asked again.
inline bool IsWriteFor(const CommandRow& row, std::span<const std::string_view> args) {
  return SecondCopyFor(row, args) != SecondCopy::kNone;
}

// Must one copy execute it alone first, before the others are sent what came of it?
inline bool OneCopyFirst(SecondCopy second) {
  return second == SecondCopy::kRewrite || second == SecondCopy::kStateCopy;
}

// Does this invocation read keys whose names it does not give (SORT with BY or GET)? It is right
// only where one shard holds all of them; elsewhere refuse it with kUnnamedKeysRefusal.
inline bool ReadsUnnamedKeys(const CommandRow& row, std::span<const std::string_view> args) {
  return row.arg_rule == ArgRule::kNone ? false : ReadsUnnamedKeysByArgs(row, args);
}
// Of such a one: with what the keys of each of its patterns begin, if it is known, fits.
bool UnnamedKeysBegin(std::span<const std::string_view> args,
                      const std::function<bool(std::string_view)>& fits);
inline constexpr std::string_view kUnnamedKeysRefusal =
    "SORT with BY or GET patterns is supported by gemel on several shards only if each has the "
    "key's hash tag before its *: other shards may hold what it names";

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_SECOND_COPY_H_

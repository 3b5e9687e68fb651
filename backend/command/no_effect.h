// Whether a write changed anything, by its reply.

#ifndef GEMEL_BACKEND_COMMAND_NO_EFFECT_H_
#define GEMEL_BACKEND_COMMAND_NO_EFFECT_H_

#include <span>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// By which rule, for these arguments, which fit the row's arity.
NoEffect NoEffectOf(const CommandRow& row, std::span<const std::string_view> args);
// `reply` is a whole one.
bool HadNoEffect(NoEffect rule, std::string_view reply);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_NO_EFFECT_H_

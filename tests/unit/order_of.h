// Orders to a shard by the words of PROXY.

#ifndef GEMEL_TESTS_UNIT_ORDER_OF_H_
#define GEMEL_TESTS_UNIT_ORDER_OF_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "backend/shard/request.h"

namespace gemel {

inline std::unique_ptr<OrderCargo> OrderOf(std::string_view verb, std::string_view node) {
  using Verb = ShardOrder::Verb;
  for (const auto& [name, value] : {std::pair<std::string_view, Verb>{"PROMOTE", Verb::kPromote},
                                    {"FORCE", Verb::kForce},
                                    {"RESYNC", Verb::kResync},
                                    {"DRAIN", Verb::kDrain},
                                    {"UNDRAIN", Verb::kUndrain},
                                    {"REMOVE", Verb::kRemove}}) {
    if (verb == name) {
      return std::make_unique<OrderCargo>(ShardOrder{value, std::string(node)});
    }
  }
  return nullptr;
}

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_ORDER_OF_H_

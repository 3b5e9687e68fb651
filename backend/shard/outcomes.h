// Whether two copies' replies to a write tell of different outcomes.

#ifndef GEMEL_BACKEND_SHARD_OUTCOMES_H_
#define GEMEL_BACKEND_SHARD_OUTCOMES_H_

#include <string_view>

#include "backend/shard/frame_keys.h"
#include "backend/shard/op.h"

namespace gemel {

class Outcomes {
 public:
  explicit Outcomes(const CommandTable* table) : frame_(table) {}

  // `frame`: the write.
  bool Differ(const Op& op, std::string_view a, std::string_view b, std::string_view frame);
  void Trim() { frame_.Trim(); }

 private:
  bool OfBlocksDiffer(std::string_view a, std::string_view b, std::string_view frame);

  FrameKeys frame_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_OUTCOMES_H_

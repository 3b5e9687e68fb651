#include "proxy/seen/tracer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "backend/command/glob.h"
#include "backend/resp/reply_reader.h"

namespace gemel {

bool AnyWordMatches(std::string_view pattern, std::string_view args) {
  std::vector<std::string_view> words;
  if (!SplitArray(args, &words)) return false;
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return GlobMatchesExactly(pattern, ReplyText(word));
  });
}

bool Tracer::Look(TracedRequest request) {
  ++looked_;
  --looks_left_;
  if (AnyWordMatches(trace_->pattern, request.args) && !desk_->Add(id_, std::move(request))) {
    looks_left_ = 0;
    Report();  // who waits does not wait for the tick
  }
  return looks_left_ > 0;
}

bool Tracer::Change(uint64_t under_way) {
  const bool before = looks();
  if (id_ != 0) Report();
  if (under_way != id_) {
    id_ = under_way;
    trace_ = id_ != 0 ? desk_->Find(id_) : nullptr;
    commands_before_ = commands_;
  }
  looks_left_ = trace_ == nullptr || desk_->Full(id_) ? 0 : kLooksPerTick;
  return looks() != before;
}

// What it had no eyes for is the rest of all that there was.
void Tracer::Report() {
  const uint64_t all = commands_ - std::exchange(commands_before_, commands_);
  const uint64_t looked = std::exchange(looked_, 0);
  desk_->Count(id_, looked, all > looked ? all - looked : 0);
}

}  // namespace gemel

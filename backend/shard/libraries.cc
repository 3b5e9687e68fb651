#include "backend/shard/libraries.h"

#include "backend/shard/library_source.h"

namespace gemel {

namespace {

constexpr uint64_t kAgainMs = 1000;

// For the moment. Others (there is no such command, another library has the function) would say the
// same again, and then who calls the function is told.
bool MayPass(std::string_view error) {
  for (const std::string_view why :
       {"-BUSY", "-LOADING", "-OOM", "-READONLY", "-MISCONF", "-MASTERDOWN", "-NOREPLICAS"}) {
    if (error.starts_with(why)) return true;
  }
  return false;
}

}  // namespace

void Libraries::OnUp(uint32_t copy) {
  nodes_[copy] = {};
  Bring(copy);
}

void Libraries::OnChange() {
  for (uint32_t copy = 0; copy < parts_->copies->count(); ++copy) {
    if (parts_->copies->link(copy).up()) Bring(copy);
  }
}

void Libraries::Tell(std::string_view frame) {
  for (uint32_t copy = 0; copy < parts_->copies->count(); ++copy) {
    Link& link = parts_->copies->link(copy);
    if (link.up()) link.Send(&item_, frame);
  }
}

void Libraries::Bring(uint32_t copy) {
  const LibrarySource* source = parts_->env->libraries();
  Node& node = nodes_[copy];
  if (source == nullptr || source->version() == node.given) return;
  std::vector<std::string> frames;
  node.given = source->Since(node.given, &frames);
  node.again_ms = 0;
  for (const std::string& frame : frames) parts_->copies->link(copy).Send(&item_, frame);
}

void Libraries::OnReply(uint32_t copy, std::string_view reply, uint64_t now_ms) {
  if (!MayPass(reply)) return;
  nodes_[copy] = {.given = 0, .again_ms = now_ms + kAgainMs};
  refused_ = true;
}

void Libraries::Tick(uint64_t now_ms) {
  if (!refused_) [[likely]]
    return;
  refused_ = false;
  for (uint32_t copy = 0; copy < parts_->copies->count(); ++copy) {
    Node& node = nodes_[copy];
    if (node.again_ms == 0) continue;
    if (now_ms >= node.again_ms && parts_->copies->link(copy).up()) {
      Bring(copy);
    } else {
      refused_ = true;
    }
  }
}

}  // namespace gemel

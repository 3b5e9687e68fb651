#include "proxy/fleet/uv_shared_libraries.h"

#include <utility>

#include "backend/fleet/registers.h"
#include "proxy/log/log.h"

namespace gemel {

namespace {

constexpr uint64_t kLookAtLibrariesMs = 100;
constexpr char kLibrariesText[] = "functions";

}  // namespace

UvSharedLibraries::UvSharedLibraries(uv_loop_t* loop, UvFleetCoordinator* fleet,
                                     FunctionStore* store, OnChange on_change)
    : fleet_(fleet),
      store_(store),
      on_change_(std::move(on_change)),
      timer_(loop, [this] { Look(); }) {
  timer_.Set(kLookAtLibrariesMs);
}

// What is not written because another was first is written once both are known.
void UvSharedLibraries::Look() {
  timer_.Set(kLookAtLibrariesMs);
  std::string theirs = fleet_->Shared(kLibrariesText);
  if (theirs != seen_) {
    seen_ = std::move(theirs);
    agreed_ = 0;
    if (store_->Merge(seen_)) on_change_();
  }
  const uint64_t version = store_->version();
  if (version == agreed_) return;
  std::string ours = store_->Shared();
  if (ours == seen_) {
    agreed_ = version;
    return;
  }
  if (ours.size() <= Registers::kMaxText) {
    warned_ = false;
    fleet_->Share(kLibrariesText, std::move(ours));
  } else if (!std::exchange(warned_, true)) {
    Log(NoteLevel::kWarn,
        "the libraries of functions are more than the fleet's registers take, " +
            std::to_string(Registers::kMaxText / 1024) +
            " KB: members that own no shard learn nothing of what is loaded elsewhere");
  }
}

}  // namespace gemel

#include "backend/fleet/others_lives.h"

#include <utility>

namespace gemel {

OthersLives::OthersLives(Registers* registers, FleetView* view, std::string self, uint32_t lease_ms,
                         std::function<uint64_t()> clock,
                         std::function<void(const std::string&)> note)
    : registers_(registers),
      view_(view),
      self_(std::move(self)),
      lease_ms_(lease_ms),
      clock_(std::move(clock)),
      note_(std::move(note)) {}

void OthersLives::EndSilent() {
  for (const auto& [name, member] : view_->members()) {
    if (name == self_ || member.life.ended || !view_->SilentFor(member, lease_ms_) ||
        !asking_.insert(name).second) {
      continue;
    }
    LifeRecord over = member.life;
    over.ended = true;
    registers_->Write(
        LifeRegister(name), member.version, EncodeLife(over),
        alive_.Guard([this, name = name, over](RegisterOutcome outcome, uint64_t version) {
          asking_.erase(name);
          if (outcome != RegisterOutcome::kDone) return;  // the next List says what is so
          view_->OnLife(name, over, version, clock_());
          note_("member " + name + " has not said for " + std::to_string(lease_ms_) +
                " ms that it lives: its shards get other owners");
        }));
  }
}

}  // namespace gemel

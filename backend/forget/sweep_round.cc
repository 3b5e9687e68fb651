#include "backend/forget/sweep_round.h"

namespace gemel {

void SweepRound::Begin(uint32_t primary_copy, uint64_t its_connection, uint32_t databases) {
  Abandon();
  failed = proven = false;
  primary = primary_copy;
  connection = its_connection;
  scan.Begin(databases);
  keys.clear();
  last_number = 0;
}

void SweepRound::Abandon() {
  ++number;
  waiting = false;
}

void SweepProgress::Begin(uint64_t now_ms) {
  began_ms_ = now_ms;
  looked_at_ = deleted_ = on_access_ = 0;
}

void SweepProgress::LookedAt(uint64_t keys) {
  looked_at_ += keys;
  sweep_scanned_ += keys;
}

void SweepProgress::Deleted(uint64_t keys, bool on_access) {
  deleted_ += keys;
  forgotten_ += keys;
  if (!on_access) return;
  on_access_ += keys;
  forgotten_on_access_ += keys;
}

}  // namespace gemel

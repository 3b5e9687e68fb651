#include "proxy/session/session_context.h"

#include "backend/bytes/give_back.h"

namespace gemel {

void SessionContext::GiveScratchBack() {
  GiveBack(&args);
  GiveBack(&plan.keys);
  GiveBack(&plan.key_shards);
  GiveBack(&plan.parts);
  GiveBack(&plan.places);
  GiveBack(&plan.error);
  GiveBack(&marks);
  GiveBack(&space_frame);
  GiveBack(&text);
}

}  // namespace gemel

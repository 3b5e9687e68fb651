#include "backend/shard/hedger.h"

#include <utility>

#include "backend/shard/copies.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/read_path.h"
#include "backend/shard/way_back.h"

namespace gemel {

bool Hedger::MayTakeLong(const CommandRow& row, std::string_view frame) {
  return row.MayTakeLong() || frame.size() >= kManyBytes;
}

bool Hedger::StaysWhereItIs(const Request& request, std::string_view frame) {
  return request.primary_only || (request.row != nullptr && MayTakeLong(*request.row, frame));
}

void Hedger::Tick(uint64_t reads) {
  if (parts_->options.hedge_ms == 0 || parts_->copies->count() == 1) return;
  budget_.Earn(reads);
  CopyMask silent = 0;
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    if (parts_->nodes->stalled_ms(i) >= parts_->options.hedge_ms) silent |= Bit(i);
  }
  if (silent != silent_) hedged_ = 0;
  silent_ = silent;
  const CopyMask readable = parts_->copies->readable();
  // Where nobody else can be asked now, somebody may be ready later.
  if ((readable & ~silent_) == 0) return;
  ForEachCopy(silent_ & readable & ~hedged_, [this](uint32_t copy) { HedgeLine(copy); });
}

void Hedger::HedgeLine(uint32_t copy) {
  hedged_ |= Bit(copy);
  // No write of its own session to the same keys is on its way behind a read: see
  // proxy/session/read_fence.h.
  parts_->copies->link(copy).ReplacePending(
      [&](LinkItem* item, std::string_view frame) -> LinkItem* {
        if (item->item_kind != LinkItem::Kind::kRequest) return item;
        return HedgeRead(static_cast<Request*>(item), frame, copy);
      });
}

LinkItem* Hedger::HedgeRead(Request* request, std::string_view frame, uint32_t from) {
  if (StaysWhereItIs(*request, frame)) return request;
  if (!parts_->way_back->NothingLocked()) {
    const std::string_view before = std::exchange(request->frame, frame);
    const bool locked = parts_->way_back->TouchesLockedKey(*request);
    request->frame = before;
    if (locked) return request;  // the copies may differ there
  }
  const int picked =
      parts_->reads->Pick(~silent_ & ~CopyMask{request->tried}, /*primary_only=*/false);
  if (picked < 0 || !budget_.Take(hedges_.in_use())) return request;
  const uint32_t to = static_cast<uint32_t>(picked);
  ++hedged_reads_;
  request->tried |= static_cast<uint16_t>(Bit(to));
  Hedge* hedge = hedges_.New();
  hedge->first = static_cast<uint8_t>(from);
  hedge->request = request;
  hedge->database = request->database;
  hedge->block = request->block;
  hedge->pending = Bit(from) | Bit(to);
  parts_->copies->link(to).Send(hedge, frame);
  return hedge;
}

void Hedger::OnReply(uint32_t copy, Hedge* hedge, const Reply& reply, std::string_view frame) {
  hedge->pending &= ~Bit(copy);
  Request* request = hedge->request;
  if (request != nullptr && parts_->reads->IsDoubtful(copy, reply)) {
    if (hedge->pending != 0) return;  // the other one is still to answer
    if (parts_->reads->AskAgain(copy, request, frame)) request = nullptr;
  }
  const bool won = copy != hedge->first;
  hedge->request = nullptr;
  if (hedge->pending == 0) hedges_.Free(hedge);
  if (request == nullptr) return;
  if (won) ++wins_;
  parts_->reads->Answer(request, reply, frame);
}

void Hedger::OnLost(const Link& link, Hedge* hedge, std::string_view frame, bool suspect) {
  hedge->pending &= ~Bit(link.index());
  if (hedge->pending != 0) return;
  Request* request = std::exchange(hedge->request, nullptr);
  hedges_.Free(hedge);
  if (request != nullptr) parts_->reads->OnLost(link, request, frame, suspect);
}

}  // namespace gemel

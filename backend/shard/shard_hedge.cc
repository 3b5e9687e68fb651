// Reads that wait on a silent copy are sent to another one too, and the first good answer wins.

#include <bit>
#include <utility>

#include "backend/shard/shard.h"

namespace gemel {

namespace {

// From here on a command has so many keys, or members, that it may take long.
constexpr size_t kManyBytes = ChunkPool::kStandard;

}  // namespace

bool Shard::MayTakeLong(const CommandRow& row, std::string_view frame) {
  return row.MayTakeLong() || frame.size() >= kManyBytes;
}

// One that may take long would make the other copy silent, too, and then nobody is left who answers
// what is short.
bool Shard::StaysWhereItIs(const Request& request, std::string_view frame) {
  return request.primary_only || (request.row != nullptr && MayTakeLong(*request.row, frame));
}

// Called at each tick, after WatchNodes. A copy whose line has not moved for hedge_ms is silent
// until it moves again: the reads in it are sent to another copy too, and new ones there alone.
void Shard::HedgeReads() {
  if (options_.hedge_ms == 0 || copies_.size() == 1) return;
  hedge_budget_.Earn(stats_.reads);
  CopyMask silent = 0;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if (copies_[i]->hang.stalled_ms() >= options_.hedge_ms) silent |= Bit(i);
  }
  if (silent != silent_) hedged_ = 0;
  silent_ = silent;
  // Where nobody else can be asked now, somebody may be ready later.
  if ((readable_ & ~silent_) == 0) return;
  for (CopyMask rest = silent_ & readable_ & ~hedged_; rest != 0; rest &= rest - 1) {
    HedgeLine(static_cast<uint32_t>(std::countr_zero(rest)));
  }
}

void Shard::HedgeLine(uint32_t copy) {
  hedged_ |= Bit(copy);
  Link& link = *copies_[copy]->link;
  // No write of its own session to the same keys is on its way behind a read: see
  // proxy/session/read_fence.h.
  link.ReplacePending([&](LinkItem* item, std::string_view frame) -> LinkItem* {
    if (item->item_kind != LinkItem::Kind::kRequest) return item;
    return HedgeRead(static_cast<Request*>(item), frame, copy);
  });
}

// Sends it to a second copy. What is to stand in the line of the first one.
LinkItem* Shard::HedgeRead(Request* request, std::string_view frame, uint32_t from) {
  if (StaysWhereItIs(*request, frame)) return request;
  if (!repair_.idle()) {
    const std::string_view before = std::exchange(request->frame, frame);
    const bool locked = TouchesLockedKey(*request);
    request->frame = before;
    if (locked) return request;  // the copies may differ there
  }
  const int picked = PickRead(~silent_ & ~CopyMask{request->tried}, /*primary_only=*/false);
  if (picked < 0 || !hedge_budget_.Take(hedges_.in_use())) return request;
  const uint32_t to = static_cast<uint32_t>(picked);
  ++stats_.hedged;
  request->tried |= static_cast<uint16_t>(Bit(to));
  Hedge* hedge = hedges_.New();
  hedge->first = static_cast<uint8_t>(from);
  hedge->request = request;
  hedge->pending = Bit(from) | Bit(to);
  copies_[to]->link->Send(hedge, frame);
  return hedge;
}

void Shard::OnHedgeReply(uint32_t copy, Hedge* hedge, const Reply& reply, std::string_view frame) {
  hedge->pending &= ~Bit(copy);
  Request* request = hedge->request;
  if (request != nullptr && IsDoubtful(copy, reply)) {
    if (hedge->pending != 0) return;  // the other one is still to answer
    if (Retry(request, frame)) request = nullptr;
  }
  const bool won = copy != hedge->first;
  hedge->request = nullptr;
  if (hedge->pending == 0) hedges_.Free(hedge);
  if (request == nullptr) return;
  if (won) ++stats_.hedge_wins;
  if (reply.bytes.size() >= HeavyReads::kLarge) [[unlikely]]
    NoteHeavy(request->row, frame, reply.bytes.size());
  request->sink->OnReply(request, reply);
}

void Shard::OnHedgeLost(uint32_t copy, Hedge* hedge, std::string_view frame, bool suspect) {
  hedge->pending &= ~Bit(copy);
  if (hedge->pending != 0) return;
  Request* request = std::exchange(hedge->request, nullptr);
  hedges_.Free(hedge);
  if (request != nullptr) OnReadLost(request, frame, suspect);
}

}  // namespace gemel

#include "proxy/session/gather.h"

#include <new>

#include "backend/bytes/budget.h"
#include "backend/resp/resp_writer.h"
#include "proxy/session/errors.h"

namespace gemel {

namespace {

constexpr std::string_view kTooLarge =
    "ERR the replies of the parts of this command are more than may be held: [limits] buffered";
// While too much is held, a gatherer of more than this part of all gives up.
constexpr uint64_t kPartOfAll = 8;

}  // namespace

Gather::Gather(Dispatcher* dispatcher, Request* parent, Finish finish)
    : dispatcher_(dispatcher), parent_(parent), finish_(std::move(finish)) {}

GatherPtr Gather::Make(Dispatcher* dispatcher, Request* parent, Finish finish) {
  return GatherPtr(new Gather(dispatcher, parent, std::move(finish)));
}

void Gather::Abandon::operator()(Gather* gather) const {
  for (const Part& part : gather->parts_) gather->dispatcher_->Free(part.request);
  delete gather;
}

Request* Gather::NewPart(std::string_view frame) {
  Request* request = dispatcher_->NewFor(*parent_, this);
  request->frame = frame;
  parts_.emplace_back().request = request;  // it is kept, whatever fails from here on
  request->OwnFrame();
  return request;
}

void Gather::AddShard(uint32_t shard, RequestKind kind, const CommandRow* row,
                      std::string_view frame, std::vector<uint32_t> places) {
  Request* request = NewPart(frame);
  request->shard = static_cast<uint16_t>(shard);
  request->kind = kind;
  request->row = row;
  Part& part = parts_.back();
  part.shard = shard;
  part.name = dispatcher_->pool().OfSlot(shard).name;
  part.places = std::move(places);
}

void Gather::TrackLast() {
  Request* request = parts_.back().request;
  request->becomes = BecomesOf(request->kind);
  request->kind = RequestKind::kTracked;
}

void Gather::AddEachShard(const Pool& pool, RequestKind kind, const CommandRow* row,
                          std::string_view frame) {
  for (const PoolShard& shard : pool.shards()) AddShard(shard.slot, kind, row, frame);
}

void Gather::AddApart(uint32_t shard, RequestKind kind, std::unique_ptr<RequestCargo> cargo) {
  AddShard(shard, kind, nullptr, {});
  parts_.back().apart = true;
  parts_.back().request->Extra().cargo = std::move(cargo);
}

void Gather::AddOrder(uint32_t shard, ShardOrder order) {
  AddShard(shard, RequestKind::kControl, nullptr, {});
  parts_.back().request->Extra().cargo = std::make_unique<OrderCargo>(std::move(order));
}

void Gather::AddWorker(uint32_t worker, std::unique_ptr<RequestCargo> order) {
  NewPart({})->Extra().cargo = std::move(order);
  parts_.back().shard = worker;
  parts_.back().to_worker = true;
}

void Gather::Launch(GatherPtr gather) { gather.release()->Send(); }

void Gather::Send() {
  left_ = parts_.size() + 1;  // one more, so that it does not end while parts are being sent
  for (const Part& part : parts_) {
    if (part.to_worker) {
      dispatcher_->SubmitToWorker(part.request, part.shard);
    } else if (part.apart) {
      dispatcher_->SubmitApart(part.request);
    } else {
      const uint32_t flags = part.request->row != nullptr ? part.request->row->flags : 0;
      part.request->primary_only = (flags & kCmdPrimaryOnly) != 0;
      part.request->cursors = (flags & kCmdCursor) != 0;
      dispatcher_->Submit(part.request);
    }
  }
  if (--left_ == 0) Complete();
}

void Gather::OnReply(Request* request, const Reply& reply) {
  if (request->submitted) dispatcher_->Answered(*request);
  request->answered = true;
  if (too_large_ || !parent_->sink->Wanted()) {
    request->Extra().reply.Clear();
  } else {
    dispatcher_->KeepReply(request, reply);
    const size_t size = request->extra->reply.capacity();
    held_ += size;
    parent_->sink->OnHeld(static_cast<int64_t>(size));
    if (Budget::Over() && held_ > Budget::limit() / kPartOfAll) DropParts();
  }
  if (--left_ > 0) return;
  if (request->extra != nullptr) parent_->Extra().away = request->extra->away;
  Complete();
}

void Gather::DropParts() {
  too_large_ = true;
  parent_->sink->OnHeld(-static_cast<int64_t>(held_));
  held_ = 0;
  for (const Part& part : parts_) {
    if (part.request->answered) part.request->extra->reply.Clear();
  }
}

// Where the client has left, some replies are missing, and nobody reads what is made.
void Gather::Merge(std::string* whole) {
  std::vector<PartReply> replies;
  replies.reserve(parts_.size());
  whole->reserve(held_);
  for (Part& part : parts_) {
    RequestExtra& extra = *part.request->extra;
    replies.push_back({part.name, extra.reply.view(), std::move(part.places), extra.cargo.get()});
  }
  finish_(replies, whole);
}

void Gather::Complete() {
  // For a moment the parts are there, and the whole.
  if (Budget::Held() + held_ > Budget::limit() && held_ > Budget::limit() / kPartOfAll) DropParts();
  std::string whole;
  const bool wanted = parent_->sink->Wanted();
  if (wanted && !too_large_) {
    try {
      Merge(&whole);
    } catch (const std::bad_alloc&) {
      std::string().swap(whole);
      AppendError(&whole, kNoMemory);
    }
  } else {
    AppendError(&whole, kTooLarge);
  }
  const size_t counted = whole.capacity();
  Budget::Take(counted);
  parent_->sink->OnHeld(-static_cast<int64_t>(held_));
  for (const Part& part : parts_) dispatcher_->Free(part.request);
  parent_->sink->OnReply(parent_, Reply{whole, nullptr});
  Budget::Give(counted);
  delete this;
}

}  // namespace gemel

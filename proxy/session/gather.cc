#include "proxy/session/gather.h"

namespace gemel {

Gather::Gather(Dispatcher* dispatcher, Request* parent, Finish finish)
    : dispatcher_(dispatcher), parent_(parent), finish_(std::move(finish)) {}

Gather* Gather::Make(Dispatcher* dispatcher, Request* parent, Finish finish) {
  return new Gather(dispatcher, parent, std::move(finish));
}

Request* Gather::NewPart(std::string_view frame) {
  Request* request = dispatcher_->New();
  request->sink = this;
  request->session = parent_->session;
  request->frame = frame;
  request->OwnFrame();
  return request;
}

void Gather::AddShard(uint32_t shard, RequestKind kind, const CommandRow* row,
                      std::string_view frame, std::vector<uint32_t> places) {
  Request* request = NewPart(frame);
  request->shard = static_cast<uint16_t>(shard);
  request->kind = kind;
  request->row = row;
  parts_.push_back(
      {request, shard, false, dispatcher_->pool().OfSlot(shard).name, std::move(places)});
}

void Gather::AddWorker(uint32_t worker, std::string_view frame) {
  parts_.push_back({NewPart(frame), worker, true, {}, {}});
}

void Gather::Launch() {
  left_ = parts_.size() + 1;  // one more, so that it does not end while parts are being sent
  for (const Part& part : parts_) {
    if (part.to_worker) {
      dispatcher_->SubmitToWorker(part.request, part.shard);
    } else {
      part.request->primary_only =
          part.request->row != nullptr && (part.request->row->flags & kCmdPrimaryOnly) != 0;
      dispatcher_->Submit(part.request);
    }
  }
  if (--left_ == 0) Complete();
}

void Gather::OnReply(Request* request, const Reply& reply) {
  if (request->submitted) dispatcher_->Answered(*request);
  Dispatcher::KeepReply(request, reply);
  if (--left_ == 0) Complete();
}

void Gather::Complete() {
  std::vector<PartReply> replies;
  replies.reserve(parts_.size());
  for (Part& part : parts_) {
    replies.push_back({part.name, part.request->extra->reply.view(), std::move(part.places)});
  }
  std::string whole;
  finish_(replies, &whole);
  for (const Part& part : parts_) dispatcher_->Free(part.request);
  parent_->sink->OnReply(parent_, Reply{whole, nullptr});
  delete this;
}

}  // namespace gemel

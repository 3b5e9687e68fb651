#include "proxy/local/subscribe_wish.h"

#include <set>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/spaces/space_channels.h"

namespace gemel {

void AppendConfirmationHead(bool resp3, std::string_view verb, const std::string* channel,
                            std::string* out) {
  const size_t begin = out->size();
  AppendArrayHeader(out, 3);
  if (resp3) (*out)[begin] = '>';
  AppendBulk(out, verb);
  if (channel != nullptr) {
    AppendBulk(out, *channel);
  } else if (resp3) {
    AppendNull(out);
  } else {
    AppendNullBulk(out);
  }
}

std::shared_ptr<SubscribeWish> SubscribeWish::Make(Session* session, ChannelKind kind,
                                                   std::vector<std::string> names) {
  return std::shared_ptr<SubscribeWish>(new SubscribeWish(session, kind, std::move(names)));
}

SubscribeWish::SubscribeWish(Session* session, ChannelKind kind, std::vector<std::string> names)
    : session_(session),
      registry_(session->context().channels),
      kind_(kind),
      silent_(session->state().reply_mode.silent()),
      pool_number_(session->context().pool->number()),
      names_(std::move(names)) {}

SubscribeWish::~SubscribeWish() { EndAsking(); }

void SubscribeWish::Enter() {
  try {
    for (const std::string& name : names_) EnterOne(name);
  } catch (...) {
    TakeBack();
    throw;
  }
}

void SubscribeWish::EnterOne(const std::string& name) {
  SessionState& state = session_->state();
  if (!state.subscriptions.Has(name)) {
    entered_.push_back(name);
    registry_->Take(name);
    try {
      state.subscriptions.Enter(registry_, &session_->replies(), name);
    } catch (...) {
      registry_->Give({name});
      throw;
    }
  }
  const std::string shown = ChannelOfClient(kind_, TextOfChannel(name), state.access.prefix());
  Confirmation& confirmation = confirmations_.emplace_back();
  confirmation.count = state.subscriptions.Told(kind_);
  AppendConfirmationHead(state.protocol.is_resp3(), VerbsOf(kind_).subscribe, &shown,
                         &confirmation.head);
}

SubscribeWish::Questions SubscribeWish::BeginAsking() {
  Questions questions;
  for (const std::string& name : std::set<std::string>(names_.begin(), names_.end())) {
    if (registry_->IsTold(name)) continue;
    for (const uint32_t shard : registry_->ShardsOf(name)) questions[shard].push_back(name);
    asked_.push_back(name);
    try {
      registry_->BeginAsking(name);
    } catch (...) {
      asked_.pop_back();
      throw;
    }
  }
  return questions;
}

void SubscribeWish::EndAsking() {
  for (const std::string& name : std::exchange(asked_, {})) registry_->EndAsking(name);
}

void SubscribeWish::MakeRequests(Questions questions) {
  Dispatcher* dispatcher = session_->context().dispatcher;
  requests_.reserve(questions.size());
  for (auto& [shard, names] : questions) {
    Request* request = dispatcher->New();
    requests_.push_back(request);
    request->kind = RequestKind::kChannels;
    request->shard = static_cast<uint16_t>(shard);
    request->frame = {};
    request->sink = this;
    request->Extra().cargo = registry_->Question(true, std::move(names));
  }
}

void SubscribeWish::Begin(Request* place) {
  try {
    MakeRequests(BeginAsking());
    HoldMessages();
  } catch (...) {
    for (Request* request : requests_) session_->context().dispatcher->Free(request);
    requests_.clear();
    TakeBack();
    throw;
  }
  place_ = place;
  place->holds_pushes = true;
  self_ = shared_from_this();
  std::weak_ptr<void>& last = session_->state().subscriptions.asked_last;
  if (const auto before = std::static_pointer_cast<SubscribeWish>(last.lock());
      before != nullptr && before->self_ != nullptr) {
    waits_ = true;
    before->next_ = self_;
  }
  last = self_;
  size_t size = 0;
  for (const Confirmation& confirmation : confirmations_) size += confirmation.head.size();
  session_->replies().Foresee(size);
  left_ = requests_.size() + 1;  // it is not over before all are sent
  for (Request* request : std::exchange(requests_, {})) {
    session_->context().dispatcher->SubmitApart(request);
  }
  if (--left_ == 0) End();
}

void SubscribeWish::HoldMessages() {
  ReplyLine& replies = session_->replies();
  if (replies.pending() > 0) replies.held_pushes().AwaitConfirmation(replies.pending(), entered_);
}

void SubscribeWish::OnReply(Request* request, const Reply& reply) {
  if (error_.empty() && reply.bytes.starts_with('-')) error_ = reply.bytes;
  session_->context().dispatcher->Free(request);
  if (--left_ == 0) End();
}

void SubscribeWish::TakeBack() {
  EndAsking();
  Subscriptions& subscriptions = session_->state().subscriptions;
  uint64_t fewer = 0;
  for (const std::string& name : entered_) {
    if (!subscriptions.Leave(name)) continue;
    registry_->Give({name});
    ++fewer;
  }
  session_->replies().held_pushes().DropUnconfirmed(entered_);
  const auto counted_apart = [](ChannelKind kind) { return kind == ChannelKind::kShardChannel; };
  for (SubscribeWish* later = next_.get(); later != nullptr; later = later->next_.get()) {
    if (counted_apart(later->kind_) == counted_apart(kind_)) later->fewer_ += fewer;
  }
}

// What a client that has left had is given back already.
void SubscribeWish::End() {
  if (place_->sink->Wanted()) {
    if (!error_.empty()) {
      TakeBack();
    } else if (session_->context().pool->number() == pool_number_) {
      // Else a reload meanwhile may have brought shards that were not asked.
      for (const std::string& name : asked_) registry_->SetTold(name);
    }
  }
  EndAsking();
  ended_ = true;
  if (!waits_) AnswerInTurn();
}

void SubscribeWish::AnswerInTurn() {
  for (auto wish = shared_from_this(); wish != nullptr && wish->ended_;) {
    const auto next = std::move(wish->next_);
    if (next != nullptr) next->waits_ = false;
    wish->self_.reset();
    wish->Answer();
    wish = next;
  }
}

void SubscribeWish::Answer() {
  std::string out = error_;
  if (!error_.empty() && silent_) place_->form = Resp2Form::kNothing;
  for (const Confirmation& confirmation : confirmations_) {
    if (!error_.empty()) break;
    out += confirmation.head;
    AppendInteger(&out, static_cast<int64_t>(confirmation.count - fewer_));
  }
  place_->sink->OnReply(place_, Reply{out, nullptr});
}

}  // namespace gemel

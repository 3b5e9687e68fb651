#include "backend/link/link.h"

#include <algorithm>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

void SendAsks(LinkHandshake* handshake, Link* link) {
  for (const std::string& frame : handshake->TakeAsks()) link->Send(nullptr, frame);
}

bool IsPush(std::string_view bytes) {
  return bytes[0] == '>' || bytes.starts_with("*4\r\n$8\r\npmessage\r\n") ||
         bytes.starts_with("*3\r\n$7\r\nmessage\r\n") ||
         bytes.starts_with("*3\r\n$8\r\nsmessage\r\n");
}

}  // namespace

Link::Link(LinkOwner* owner, uint32_t index, ChunkPool* pool, LinkOptions options)
    : owner_(owner),
      options_(std::move(options)),
      index_(index),
      out_(pool),
      handshake_(&options_) {}

AwayTime AnswerBoard::Away() const { return answering != nullptr ? answering->Away() : AwayTime(); }

void Link::Start(uint64_t now_ms) {
  started_ = true;
  times_.Attempt(now_ms);
  state_ = State::kConnecting;
  out_.transport()->Connect();
}

void Link::Stop() {
  started_ = false;
  Fail("the link was stopped");
}

void Link::Fail(const std::string& reason) {
  if (state_ == State::kDown) return;
  out_.transport()->Close();
  Down(reason, false);
}

void Link::Tick(uint64_t now_ms, uint32_t random) {
  times_.Pass(now_ms);
  switch (state_) {
    case State::kDown:
      if (times_.IsDue(random) && started_) Start(now_ms);
      return;
    case State::kConnecting:
    case State::kHandshake:
      if (times_.AttemptIsOver(options_.connect_timeout_ms)) {
        Fail("no connection within " + std::to_string(options_.connect_timeout_ms) + " ms");
      }
      return;
    case State::kUp:
      line_.Trim();
      if (line_.empty() || options_.request_timeout_ms == 0) return;
      const uint64_t due_ms = times_.DueMs(options_.request_timeout_ms);
      if (now_ms < due_ms || owner_->MayTakeLonger(*this, now_ms - due_ms)) return;
      end_.overdue = true;
      Fail("no answer within " + std::to_string(options_.request_timeout_ms) + " ms");
      return;
  }
}

void Link::SendSpecial(LinkItem* item, std::string_view frame) {
  if (database_.Differs(item->database)) Send(nullptr, database_.Select(item->database));
  const OutQueue::Placement placement = out_.Append(frame);
  if (item->block) {
    if (line_.empty()) times_.BeginWaiting();
    line_.PushParts(placement.chunk, LinkBlock::PartsOf(frame));
  }
  Push(item, placement.chunk, placement.offset, frame.size());
}

void Link::Send(LinkItem* item, std::string_view frame) {
  if (item != nullptr && (database_.Differs(item->database) || item->block)) [[unlikely]]
    return SendSpecial(item, frame);
  OutQueue::Placement placement = out_.Append(frame);
  Push(item, placement.chunk, placement.offset, frame.size());
}

void Link::SendShared(LinkItem* item, Chunk* chunk) {
  if (database_.Differs(item->database)) Send(nullptr, database_.Select(item->database));
  out_.AppendChunk(chunk);
  if (item->block) {
    if (line_.empty()) times_.BeginWaiting();
    line_.PushParts(chunk, LinkBlock::PartsOf({chunk->data, chunk->size}));
  }
  Push(item, chunk, 0, chunk->size);
}

void Link::OnConnected(uint64_t now_ms) {
  times_.Pass(now_ms);
  state_ = State::kHandshake;
  database_.Reset();
  handshake_.Begin(/*first=*/times_.connects() == 0);
  SendAsks(&handshake_, this);
}

void Link::OnOwnReply(const LinkLine::Entry& entry, std::string_view reply) {
  if (up() && entry.size == 0) {
    if (const std::string why = block_.OnPart(entry.offset == 0, reply); !why.empty()) Fail(why);
    return;
  }
  if (up()) {
    database_.OnReply(entry.frame(), reply);
    return;
  }
  std::string why = handshake_.OnReply(reply);
  if (why.empty()) {
    SendAsks(&handshake_, this);
    if (!handshake_.done()) return;
    why = owner_->WhyNot(*this, identity());
  }
  if (!why.empty()) {
    Fail(why);
    return;
  }
  state_ = State::kUp;
  was_up_ = true;
  times_.Up();
  last_error_.clear();
  owner_->OnLinkUp(this, identity());
}

void Link::OnData(const char* data, size_t size, uint64_t now_ms) {
  times_.Heard(now_ms);
  BeginAnswers();
  reader_.Feed({data, size}, options_, this);
  EndAnswers();
  traffic_.OnCame(size, line_.answered_place());
  if ((options_.subscriber || tells_when_heard_) && up()) [[unlikely]]
    owner_->OnLinkHeard(this);
}

char* Link::DirectSpace(size_t* size) { return reader_.DirectSpace(line_, options_, size); }

void Link::OnDirect(size_t size, uint64_t now_ms) {
  times_.Heard(now_ms);
  BeginAnswers();
  reader_.FeedDirect(size, options_, this);
  EndAnswers();
  traffic_.OnCame(size, line_.answered_place());
  if ((options_.subscriber || tells_when_heard_) && up()) [[unlikely]]
    owner_->OnLinkHeard(this);
}

void Link::Consume(const Reply& reply) {
  if ((options_.subscriber || reply.bytes[0] == '>') && IsPush(reply.bytes)) [[unlikely]] {
    owner_->OnLinkPush(this, reply.bytes);
    return;
  }
  if (line_.empty()) {
    Fail("the node sent a reply that nothing was asked for");
    return;
  }
  if (database_.refused() && database_.IsMisplaced(line_.oldest(), reply.bytes)) [[unlikely]] {
    end_.misplaced = true;
    end_.database = database_.selected();
    Fail("a command came to another database: the node had refused SELECT");
    return;
  }
  if (reply.bytes[0] == '-') [[unlikely]] {
    ConsumeError(reply.bytes);
    return;
  }
  LinkLine::Entry entry = line_.Pop();
  if (entry.item == nullptr) {
    OnOwnReply(entry, reply.bytes);
    return;
  }
  owner_->OnLinkReply(this, entry.item, reply, entry.frame());
}

void Link::ConsumeError(std::string_view error) {
  if (up()) ++traffic_.error_replies;
  if (up() && IsProtocolError(error)) {
    // The node reads no further: of a block this is the answer to the whole of it.
    while (line_.oldest().item == nullptr && line_.oldest().size == 0) line_.Pop();
    end_.rest_unread = line_.oldest().item != nullptr;
  } else if (line_.oldest().item != nullptr && line_.oldest().item->block) {
    const std::string_view why = block_.OnExecError(error);
    if (why.empty()) {
      Fail("the node does not execute EXEC: " + std::string(ReplyText(error)));
      return;
    }
    error = why;
  }
  LinkLine::Entry entry = line_.Pop();
  if (entry.item == nullptr) {
    OnOwnReply(entry, error);
  } else {
    owner_->OnLinkReply(this, entry.item, Reply{error, nullptr}, entry.frame());
  }
}

// The node says what cannot be an answer, or has no end. Who reads gets that as the reply, or it
// would be asked again and again; of a write it is not known what the node did.
void Link::FailReply(const std::string& reason) {
  const uint64_t resets = reader_.resets();
  const LinkItem* oldest = line_.empty() ? nullptr : line_.oldest().item;
  if (oldest != nullptr && oldest->item_kind == LinkItem::Kind::kRequest) {
    std::string error;
    AppendError(&error, "ERR node " + options_.name + ": " + reason);
    Consume(Reply{error, nullptr});
    end_.told_culprit = resets == reader_.resets();
  }
  if (resets == reader_.resets()) Fail(reason);
}

void Link::OnTaken(size_t bytes, uint64_t now_ms) {
  traffic_.sent_bytes += bytes;
  if (line_.empty()) return;
  if (board_ != nullptr && out_.bytes() == 0) sent_.OnSent(line_.last_place(), *board_->now_us);
  const size_t waited = out_.bytes() + bytes;  // before they were taken
  const size_t gone = line_.bytes() > waited ? line_.bytes() - waited : 0;
  if (gone < line_.oldest_bytes()) times_.Taken(now_ms);
}

void Link::OnClosed(const std::string& reason, bool refused, uint64_t now_ms) {
  times_.Pass(now_ms);
  if (state_ == State::kDown) return;
  end_.by_node = true;
  Down(reason, refused);
}

void Link::Down(const std::string& reason, bool refused) {
  const bool was_up = state_ == State::kUp;
  state_ = State::kDown;
  traffic_.lost += was_up ? 1 : 0;
  traffic_.overdue += end_.overdue ? 1 : 0;
  if (traffic_.answers != nullptr) traffic_.answers->Forget();
  last_error_ = reason;
  out_.Clear();
  out_.FlushDone();
  sent_.Reset();
  reader_.Reset();
  handshake_.End(was_up);
  times_.Down(was_up, options_);
  for (const LinkLine::Entry& entry : line_.TakeAll()) {
    if (entry.item != nullptr) owner_->OnLinkLost(this, entry.item, entry.frame());
  }
  owner_->OnLinkDown(this, reason, refused);
  end_ = LinkEnd();
}

}  // namespace gemel

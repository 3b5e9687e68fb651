#include "proxy/worker/uv_session.h"

#include "backend/tls/openssl_tls.h"
#include "proxy/log/log.h"

namespace gemel {

UvSession::UvSession(UvSessionContext* context, uint64_t id)
    : context_(context), stream_(context->streams, this), id_(id) {}

UvSession::~UvSession() {
  if (dirty_) std::erase(context_->dirty, this);
  if (paused_listed_) context_->paused.Remove(this);
}

bool UvSession::Accept(UniqueFd socket, bool unix_socket, bool tls) {
  std::unique_ptr<OpensslChannel> channel = tls ? TlsOfClient() : nullptr;
  if (tls && channel == nullptr) return false;
  if (!stream_.Accept(std::move(socket), unix_socket, context_->keepalive_s, std::move(channel))) {
    return false;
  }
  unix_socket_ = unix_socket;
  session_ =
      std::make_unique<Session>(&context_->session, id_, stream_.PeerName(), stream_.LocalName());
  session_->set_transport(this);
  stream_.StartReading();
  return true;
}

bool UvSession::TakeOver(UniqueFd socket, const HandedSession& from, std::string_view told) {
  unix_socket_ = from.unix_socket;
  session_ =
      std::make_unique<Session>(&context_->session, id_, from.client.peer, from.client.local);
  session_->set_transport(this);
  if (!stream_.Accept(std::move(socket), from.unix_socket, context_->keepalive_s)) return false;
  stream_.StartReading();  // before it may be paused
  return session_->TakeOver(from, told);
}

void UvSession::BeginHandOver() {
  if (ended_) return;
  session_->BeginHandOver();
  stream_.StopReading();
}

bool UvSession::HandOver(HandedSession* to) {
  const int socket =
      ended_ || session_->cut_off() || session_->replies().out().overrun() ? -1 : stream_.Freeze();
  if (socket < 0) return false;
  *to = session_->HandOver();
  to->socket = static_cast<uint64_t>(socket);
  to->unix_socket = unix_socket_;
  return true;
}

void UvSession::EndHandOver() {
  if (ended_) return;
  stream_.Thaw();
  session_->EndHandOver();
  if (!session_->reading().paused()) stream_.StartReading();
  WantFlush();
}

void UvSession::WantFlush() {
  if (dirty_ || ended_) return;
  dirty_ = true;
  context_->dirty.push_back(this);
}

void UvSession::PauseReading() {
  stream_.StopReading();
  WatchHangUp();
  TellFull();
  if (paused_listed_) return;
  paused_listed_ = true;
  context_->paused.Add(this);
}

// Of one that may be let go then.
void UvSession::WatchHangUp() {
  const PausedClients& pause = session_->context().pause;
  if (pause.holding()) return;
  if (session_->waits().active() || pause.active()) stream_.WatchHangUp();
}

// Once, the log: a client that waits for this one to be read from may wait for ever.
void UvSession::TellFull() {
  if (told_full_ || !session_->state().access.authenticated() || !session_->reading().OutputFull())
    return;
  told_full_ = true;
  Log(NoteLevel::kWarn, "client " + session_->facts().peer +
                            " asks for more replies than it takes: it is not read from while more "
                            "than [limits] client_output are held for it");
}

bool UvSession::TryResume() {
  if (!ended_) session_->Resume();
  if (!ended_ && session_->reading().paused()) {
    WatchHangUp();
    TellFull();
    return false;
  }
  paused_listed_ = false;
  return true;
}

void UvSession::Flush() {
  dirty_ = false;
  if (ended_) return;
  session_->replies().out().FlushDone();
  if (session_->cut_off()) {
    Kill();
    return;
  }
  if (!stream_.Send(&session_->replies().out())) OnStreamSent(0);
}

void UvSession::OnStreamSent(size_t bytes) {
  context_->session.stats->output_bytes.Add(bytes);
  session_->state().access.Spend(bytes);
  if (bytes > 0) session_->OnTaken();
  if (session_->replies().out().overrun()) {
    context_->session.stats->output_overruns.Add(1);
    Log(NoteLevel::kWarn, "client " + session_->facts().peer +
                              " is closed: the replies and messages that it has not taken would "
                              "be more than [limits] " +
                              session_->replies().out().overrun_limit());
    Kill();
  } else if (session_->WantsClose()) {
    Kill();
  } else if (session_->replies().out().empty()) {
    session_->replies().ReleaseMemory();
  }
}

char* UvSession::OnStreamBuffer(size_t* size) {
  char* const direct = session_->DirectSpace(size);
  direct_ = direct != nullptr;
  return direct;
}

void UvSession::OnStreamData(char* data, size_t size) {
  if (direct_) {
    session_->OnDirect(size);
  } else {
    session_->OnData(data, size);
  }
}

bool UvSession::OnStreamInputEnd() {
  session_->OnInputEnd();
  return !session_->WantsClose();
}

void UvSession::OnStreamHangUp() { session_->OnHangUp(); }

void UvSession::OnStreamEnd(int) {
  if (!stream_.tls_error().empty()) TellTls(stream_.tls_error());
  End();
}

void UvSession::TellTls(const std::string& why) {
  context_->session.stats->tls_failures.Add(1);
  Log(NoteLevel::kWarn, "client " + session_->facts().peer + " is closed: TLS: " + why);
}

void UvSession::Refuse(const std::string& why) {
  if (ended_) return;
  TellTls(why);
  Kill();
}

void UvSession::Kill() {
  if (ended_) return;
  stream_.Close();
  End();
}

void UvSession::End() {
  if (ended_) return;
  ended_ = true;
  session_->OnClosed();
  context_->ended.push_back(this);
}

}  // namespace gemel

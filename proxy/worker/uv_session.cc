#include "proxy/worker/uv_session.h"

namespace gemel {

UvSession::UvSession(UvSessionContext* context, uint64_t id)
    : context_(context), stream_(context->streams, this), id_(id) {}

UvSession::~UvSession() {
  if (dirty_) std::erase(context_->dirty, this);
  if (paused_listed_) std::erase(context_->paused, this);
}

bool UvSession::Accept(UniqueFd socket, bool unix_socket) {
  if (!stream_.Accept(std::move(socket), unix_socket, context_->keepalive_s)) return false;
  session_ =
      std::make_unique<Session>(&context_->session, id_, stream_.PeerName(), stream_.LocalName());
  session_->set_transport(this);
  stream_.StartReading();
  return true;
}

void UvSession::WantFlush() {
  if (dirty_ || ended_) return;
  dirty_ = true;
  context_->dirty.push_back(this);
}

void UvSession::PauseReading() {
  stream_.StopReading();
  if (paused_listed_) return;
  paused_listed_ = true;
  context_->paused.push_back(this);
}

bool UvSession::TryResume() {
  if (!ended_) session_->Resume();
  if (!ended_ && session_->paused()) return false;
  paused_listed_ = false;
  return true;
}

void UvSession::Flush() {
  dirty_ = false;
  if (ended_) return;
  session_->FlushDone();
  if (session_->cut_off()) {
    Kill();
    return;
  }
  if (!stream_.Send(&session_->out())) OnStreamSent(0);
}

void UvSession::OnStreamSent(size_t bytes) {
  context_->session.stats->output_bytes.Add(bytes);
  if (session_->Overrun()) {
    context_->session.stats->output_overruns.Add(1);
    Kill();
  } else if (session_->WantsClose()) {
    Kill();
  } else if (session_->out().empty()) {
    session_->ReleaseMemory();
  }
}

char* UvSession::OnStreamBuffer(size_t* size) {
  char* direct = session_->DirectSpace(size);
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

void UvSession::OnStreamEnd(int) { End(); }

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

// Carries a Session's bytes over libuv.

#ifndef GEMEL_PROXY_WORKER_UV_SESSION_H_
#define GEMEL_PROXY_WORKER_UV_SESSION_H_

#include <uv.h>

#include <memory>
#include <vector>

#include "backend/uv/uv_stream.h"
#include "proxy/session/session.h"
#include "proxy/upgrade/handed_session.h"
#include "proxy/worker/paused_line.h"

namespace gemel {

class UvSession;

// What the sessions of a worker share.
struct UvSessionContext {
  UvStreamGroup* streams = nullptr;
  SessionContext session;
  std::vector<UvSession*> dirty;  // with output, or to be closed, at the end of the turn
  PausedLine<UvSession> paused;   // to be tried again at the end of each turn
  std::vector<UvSession*> ended;  // the connection is over
  uint32_t keepalive_s = 60;
};

// How a large request comes in while memory is tight.
struct InputTurn {
  bool admitted = false;
  uint64_t since_ms = 0;  // admitted, or looked at with less missing
  uint32_t looks = 0;     // since then
  size_t missing = 0;     // then
  uint64_t slow_until_ms = 0;
  uint64_t slow_since_ms = 0;  // little has come since; 0: enough comes
};

class UvSession : public SessionTransport, private UvStreamEvents {
 public:
  // `context` outlives it.
  UvSession(UvSessionContext* context, uint64_t id);
  ~UvSession() override;

  // Takes a connection that was accepted, with TLS or without; false if there is no memory for it.
  bool Accept(UniqueFd socket, bool unix_socket, bool tls);

  // Takes over one that another process had, with its socket; `told`: see Session::TakeOver. False:
  // it is to be closed.
  bool TakeOver(UniqueFd socket, const HandedSession& from, std::string_view told);

  // --- for who hands it over ---
  // Nothing more is read.
  void BeginHandOver();
  // It is as it is from now on, and described there. False: it is not handed over, for it is over,
  // or has TLS.
  bool HandOver(HandedSession* to);
  // Nothing came of it.
  void EndHandOver();

  Session& session() { return *session_; }
  const Session& session() const { return *session_; }
  // The end of the loop turn: has the group send what is queued, and closes what wants to be
  // closed.
  void Flush();
  // Tries to read on after back-pressure; true if it is not paused any more.
  bool TryResume();
  // Ends the connection now.
  void Kill();
  bool tls() const { return stream_.has_tls(); }
  // Its client has not shown yet that it speaks TLS.
  bool shaking() const { return stream_.shaking(); }
  // Ends the connection, for TLS has failed, for that reason.
  void Refuse(const std::string& why);
  // Its client has sent what was not read yet.
  bool HasInput() const { return stream_.HasInput(); }
  bool ended() const { return ended_; }

  size_t index = 0;  // in the worker's list
  InputTurn turn;    // UvRelief's

 private:
  void WantFlush() override;
  void PauseReading() override;
  void ResumeReading() override { stream_.StartReading(); }

  char* OnStreamBuffer(size_t* size) override;
  void OnStreamData(char* data, size_t size) override;
  bool OnStreamInputEnd() override;
  void OnStreamHangUp() override;
  void OnStreamEnd(int code) override;
  void OnStreamSent(size_t bytes) override;
  void OnStreamWritable() override { WantFlush(); }
  void TellFull();
  void TellTls(const std::string& why);
  void WatchHangUp();
  void End();

  UvSessionContext* context_;
  UvStream stream_;
  uint64_t id_;
  std::unique_ptr<Session> session_;
  bool unix_socket_ = false;
  bool direct_ = false;  // the last buffer was the session's
  bool dirty_ = false;
  bool paused_listed_ = false;
  bool ended_ = false;
  bool told_full_ = false;  // the log, that it does not take its replies
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_SESSION_H_

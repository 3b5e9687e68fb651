// The sessions of a worker: connected ones, and those that are over with requests in flight.

#ifndef GEMEL_PROXY_WORKER_UV_SESSIONS_H_
#define GEMEL_PROXY_WORKER_UV_SESSIONS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/local/local_commands.h"
#include "proxy/worker/uv_session.h"

namespace gemel {

// One loop, one thread.
class UvSessions : public SessionDirectory {
 public:
  // `all` counts the clients of all workers. All outlive it; the context is to be filled before
  // the first client comes.
  UvSessions(std::atomic<uint32_t>* all, WorkerStats* stats, WorkerSeen* seen)
      : all_(all), stats_(stats), seen_(seen) {}

  UvSessionContext& context() { return context_; }
  SessionContext& session_context() override { return context_.session; }
  const std::vector<std::unique_ptr<UvSession>>& connected() const { return connected_; }
  // Nobody is here, nor is anything in flight.
  bool empty() const { return connected_.empty() && finishing_.empty(); }

  // A client was accepted, of whom all workers may have `most`.
  void Accept(UniqueFd socket, bool unix_socket, bool tls, uint64_t id, uint32_t most);
  // The end of a turn: those that are not read from are tried again.
  void Resume();
  // What is queued goes out. A flush can end a connection, and so cause more to flush.
  void Flush();
  bool dirty() const { return !context_.dirty.empty(); }
  // Those whose connection is over go when nothing of theirs is in flight any more.
  void Reap();
  // Ends those that have said nothing since `active_ms`, and for whom nothing is pending.
  void KillIdle(uint64_t active_ms);
  // Ends those that came before `created_ms` and have not begun to speak TLS, as they should.
  void KillShaking(uint64_t created_ms);
  // The users are those of another pool now: whose own is gone is closed, once it has its answers.
  void OnUsers();
  // One that another process had (see UvSession::TakeOver).
  void TakeOver(UniqueFd socket, const HandedSession& from, std::string_view told);

  // --- for who hands them over to another process (SessionContext::pause holds them) ---
  // Nothing more is read, and who only waits is to wait no more.
  void BeginHandOver();
  // Nothing is in flight any more. Else *who is one for whom something is: "127.0.0.1:40000 has
  // asked (get at last)".
  bool Settled(std::string* who) const;
  // Those with TLS cannot be handed over: they go once they have what they are owed, or at once.
  void DrainTls();
  void KillTls();
  bool any_tls() const;
  // Describes all of them, as they are from now on; others have come to their end.
  void HandOver(std::vector<HandedSession>* all);
  // Nothing came of it.
  void EndHandOver();

  // Each is closed once it is answered; or at once.
  void Drain();
  void KillAll();
  // Ends everything.
  void Clear();

  // --- SessionDirectory ---
  void ForEachSession(const std::function<void(Session&)>& visit) override;
  void KillSession(Session& session) override;
  WorkerSeen& seen() override { return *seen_; }

 private:
  // Returns how many clients all workers have then.
  uint32_t Enter(std::unique_ptr<UvSession> session);

  std::atomic<uint32_t>* all_;
  WorkerStats* stats_;
  WorkerSeen* seen_;
  UvSessionContext context_;
  bool any_tls_ = false;  // has come
  std::vector<std::unique_ptr<UvSession>> connected_;
  std::vector<std::unique_ptr<UvSession>> finishing_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_SESSIONS_H_

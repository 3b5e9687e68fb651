// When a client's requests in line were read, and what is told of each once it is answered: counts,
// the slow log (proxy/seen).

#ifndef GEMEL_PROXY_SESSION_ACCOUNT_H_
#define GEMEL_PROXY_SESSION_ACCOUNT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/shard/request.h"
#include "proxy/seen/clients_seen.h"
#include "proxy/session/ask_times.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_state.h"

namespace gemel {

class Account {
 public:
  // All outlive it. `peer`: the client's address.
  Account(SessionContext* context, const SessionState* state, const std::string* peer)
      : context_(context), state_(state), peer_(peer) {}

  // --- the line: the newest begins, the oldest ends ---
  void Begin() { times_.Push(context_->now_us); }
  void End() { times_.Pop(); }
  void ReleaseMemory() { times_.ReleaseMemory(); }

  // --- while a request is in line ---
  // What is told of it: that the client asked this (`row` null: the request's own). For one that is
  // not sent to one shard as it came.
  void Note(Request* request, const CommandRow* row, std::string_view frame);
  // It may wait for what it wants, and then takes no time: who finds out says so in its note.
  static void NoteMayWait(Request* request) {
    request->Extra();
    request->noted = true;
  }
  static void NoteWaits(Request* request) {
    NoteMayWait(request);
    request->extra->note.waits = true;
  }
  // It is answered, and waits for its turn.
  void OnEarly(Request* request) {
    request->extra->answered_us = context_->now_us;
    if (context_->seen->IsSlow(context_->now_us - times_.front())) [[unlikely]]
      KeepArgs(request);
    request->frame_good = false;
  }
  // For the dispatcher (set_keep_args).
  static void KeepArgsElsewhere(Request* request);

  // The oldest was answered by that at that time, whether it goes out or not.
  void OnDone(Request* request, std::string_view reply, uint64_t now_us) {
    if (request->row == nullptr) [[unlikely]]
      return;  // counted when it was answered, or none
    const uint64_t took_us = now_us - times_.front();
    if (context_->seen->IsSlow(took_us) || request->noted || reply.starts_with('-')) [[unlikely]] {
      CountSpecial(request, reply, took_us);
    } else {
      context_->seen->OnDone(*request->row, took_us);
      if (context_->seen->shards().on()) [[unlikely]]
        CountApart(*request, reply, took_us, /*rejected=*/false);
    }
  }
  // Who it is, for what is noted of slow commands.
  ClientsSeen::Who who() const { return {*peer_, state_->client_name.view()}; }

 private:
  [[gnu::noinline]] void CountSpecial(Request* request, std::string_view reply, uint64_t took_us);
  // For who looks at shards and users.
  [[gnu::noinline]] void CountApart(const Request& request, std::string_view reply,
                                    uint64_t took_us, bool rejected);
  void NoteSlow(const Request& request, const CommandRow& row, uint64_t took_us);
  AwayTime AwayOf(const Request& request) const;
  // What came early and slowly: what was asked is gone when its turn comes.
  [[gnu::noinline]] void KeepArgs(Request* request);

  SessionContext* context_;
  const SessionState* state_;
  const std::string* peer_;
  AskTimes times_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_ACCOUNT_H_

// A worker on its way to another binary: its clients come to rest, and are described as they are.

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "proxy/log/log.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

namespace {

// So long clients with TLS have to take what they are owed.
constexpr uint64_t kTlsMs = 500;

}  // namespace

void UvWorker::BeginHandOver(uint64_t for_ms, OnHanded done) {
  SetNow();
  SessionContext& context = sessions_.session_context();
  context.pause.Hold();
  for (Listener& listener : listeners_) listener.listener->Pause();
  sessions_.BeginHandOver();
  shards_.HearAgain();
  const uint64_t now_ms = context.now_ms;
  handing_over_ = {std::move(done), false, now_ms + for_ms, 0, false};
}

void UvWorker::FreezeForHandOver(uint64_t for_ms, OnHanded done) {
  SetNow();
  handing_over_.done = std::move(done);
  handing_over_.freezes = true;
  const uint64_t now_ms = sessions_.session_context().now_ms;
  handing_over_.until_ms = now_ms + for_ms;
  handing_over_.tls_until_ms = now_ms + std::min(for_ms / 2, kTlsMs);
  sessions_.DrainTls();
  shards_.HearAgain();
  CheckSettled();
}

// What the nodes remove is heard of first: who takes over would not hear of it.
void UvWorker::CheckSettled() {
  const uint64_t now_ms = sessions_.session_context().now_ms;
  HandedPart part;
  if (handing_over_.freezes && now_ms >= handing_over_.tls_until_ms) sessions_.KillTls();
  part.settled = sessions_.Settled(&part.who);
  if (part.settled && handing_over_.freezes && sessions_.any_tls()) return;
  if (part.settled && (!shards_.AllHeard() || (handing_over_.freezes && !shards_.Quiet()))) {
    part.settled = false;
    part.who = "a node was asked";
  }
  if (!part.settled && now_ms < handing_over_.until_ms) return;
  const OnHanded done = std::exchange(handing_over_.done, nullptr);
  if (part.settled && handing_over_.freezes) part = Freeze();
  done(std::move(part));
}

UvWorker::HandedPart UvWorker::Freeze() {
  const SessionContext& context = sessions_.session_context();
  FlushAll();
  handing_over_.frozen = true;
  HandedPart part;
  part.settled = true;
  part.quiet = Quiet();
  part.pause_left_ms = context.pause.LeftMs(context.now_ms);
  part.pause_all = context.pause.holds_all();
  for (Listener& listener : listeners_) {
    part.listeners.push_back({listener.address.ToString(),
                              static_cast<uint64_t>(listener.listener->Pause()), index_,
                              part.listeners.size()});
  }
  sessions_.HandOver(&part.sessions);
  for (HandedSession& session : part.sessions) session.worker = index_;
  return part;
}

void UvWorker::EndHandOver() {
  SetNow();
  handing_over_ = {};
  sessions_.session_context().pause.LetGo();
  for (const Listener& listener : listeners_) StartListener(listener);
  sessions_.EndHandOver();
}

void UvWorker::Shared::AwaitListeners() {
  listeners_back.fetch_add(1);
  for (int ms = 0; ms < 1000 && listeners_back.load() < workers.size(); ++ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void UvWorker::TakeOver() {
  SetNow();
  Inherited inherited = std::exchange(inherited_, {});
  SessionContext& context = sessions_.session_context();
  if (inherited.pause_left_ms > 0) {
    context.pause.Begin(context.now_ms + inherited.pause_left_ms, inherited.pause_all);
  }
  // First who has subscribed or monitors, at all workers: what the rest asks, writes and publishes
  // is told to them.
  for (const bool listening : {true, false}) {
    for (auto& [socket, session] : inherited.sessions) {
      const bool listens = session.client.monitors || !session.subscriptions.empty();
      if (listens != listening) continue;
      sessions_.TakeOver(std::move(socket), session, inherited.told);
    }
    if (listening && inherited.handed) shared_->AwaitListeners();
  }
}

}  // namespace gemel

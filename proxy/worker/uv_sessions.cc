#include "proxy/worker/uv_sessions.h"

#include <algorithm>
#include <new>
#include <utility>

namespace gemel {

void UvSessions::Accept(UniqueFd socket, bool unix_socket, bool tls, uint64_t id, uint32_t most) {
  std::unique_ptr<UvSession> session;
  any_tls_ |= tls;
  try {
    session = std::make_unique<UvSession>(&context_, id);
    if (!session->Accept(std::move(socket), unix_socket, tls)) return;
    if (connected_.size() == connected_.capacity()) connected_.reserve(2 * connected_.size() + 16);
  } catch (const std::bad_alloc&) {
    stats_->rejected.Add(1);
    return;
  }
  const uint32_t clients = Enter(std::move(session));
  Session& client = connected_.back()->session();
  if (clients > most) {
    stats_->rejected.Add(1);
    client.commands().TellError("ERR max number of clients reached");
    client.Drain();
  } else {
    client.TurnAwayIfProtected();
  }
}

uint32_t UvSessions::Enter(std::unique_ptr<UvSession> session) {
  stats_->connections.Add(1);
  stats_->clients.Add(1);
  session->index = connected_.size();
  connected_.push_back(std::move(session));
  return all_->fetch_add(1, std::memory_order_relaxed) + 1;
}

void UvSessions::TakeOver(UniqueFd socket, const HandedSession& from, std::string_view told) {
  auto made = std::make_unique<UvSession>(&context_, from.client.id);
  UvSession* session = made.get();
  const bool taken = session->TakeOver(std::move(socket), from, told);
  Enter(std::move(made));
  if (!taken) session->Kill();
}

void UvSessions::BeginHandOver() {
  for (auto& session : connected_) session->BeginHandOver();
}

bool UvSessions::Settled(std::string* who) const {
  for (const auto& session : connected_) {
    if (session->ended() || session->session().Settled()) continue;
    const SessionFacts& facts = session->session().facts();
    *who = facts.peer + " has asked";
    if (facts.last_command != nullptr) {
      *who += " (" + std::string(facts.last_command->name) + " at last)";
    }
    return false;
  }
  if (!finishing_.empty()) *who = "a client that has left had asked";
  return finishing_.empty();
}

void UvSessions::DrainTls() {
  for (auto& session : connected_) {
    if (session->tls()) session->session().Drain();
  }
}

bool UvSessions::any_tls() const {
  return any_tls_ && std::any_of(connected_.begin(), connected_.end(),
                                 [](const auto& session) { return session->tls(); });
}

void UvSessions::KillTls() {
  for (auto& session : connected_) {
    if (session->tls()) session->Kill();
  }
}

void UvSessions::HandOver(std::vector<HandedSession>* all) {
  all->reserve(connected_.size());
  for (auto& session : connected_) {
    if (!session->HandOver(&all->emplace_back())) all->pop_back();
  }
}

void UvSessions::EndHandOver() {
  for (auto& session : connected_) session->EndHandOver();
}

void UvSessions::Resume() {
  context_.paused.Try([](UvSession* session) {
    const uint64_t before = session->session().facts().commands;
    try {
      if (session->TryResume()) return Tried::kResumed;
    } catch (const std::bad_alloc&) {
      session->Kill();
      return Tried::kResumed;
    }
    return session->session().facts().commands == before ? Tried::kStays : Tried::kAdvanced;
  });
}

void UvSessions::Flush() {
  std::vector<UvSession*>& dirty = context_.dirty;
  for (size_t i = 0; i < dirty.size(); ++i) dirty[i]->Flush();
  dirty.clear();
}

void UvSessions::Reap() {
  if (context_.ended.empty() && finishing_.empty()) return;
  for (UvSession* ended : context_.ended) {
    const size_t at = ended->index;
    finishing_.push_back(std::move(connected_[at]));
    if (at + 1 < connected_.size()) {
      connected_[at] = std::move(connected_.back());
      connected_[at]->index = at;
    }
    connected_.pop_back();
    all_->fetch_sub(1, std::memory_order_relaxed);
    stats_->clients.Sub(1);
  }
  context_.ended.clear();
  std::erase_if(finishing_, [](const std::unique_ptr<UvSession>& session) {
    return session->session().Finished();
  });
}

void UvSessions::KillIdle(uint64_t active_ms) {
  for (auto& session : connected_) {
    Session& state = session->session();
    if (state.state().subscriptions.any()) continue;  // as with Redis
    if (state.replies().pending() == 0 && state.facts().active_ms <= active_ms) session->Kill();
  }
}

void UvSessions::KillShaking(uint64_t created_ms) {
  if (!any_tls_) return;
  for (auto& session : connected_) {
    if (!session->shaking() || session->session().facts().created_ms > created_ms) continue;
    session->Refuse("it has not shaken hands in time");
  }
}

void UvSessions::OnUsers() {
  for (auto& session : connected_) {
    Session& client = session->session();
    if (client.OnUsers()) continue;
    if (client.replies().pending() > 0 && !client.waits().active()) {
      client.Drain();
    } else {
      session->Kill();
    }
  }
}

void UvSessions::Drain() {
  for (auto& session : connected_) session->session().Drain();
}

void UvSessions::KillAll() {
  for (auto& session : connected_) session->Kill();
}

void UvSessions::Clear() {
  KillAll();
  connected_.clear();
  finishing_.clear();
  context_.dirty.clear();
  context_.paused.Clear();
  context_.ended.clear();
}

void UvSessions::ForEachSession(const std::function<void(Session&)>& visit) {
  for (auto& session : connected_) visit(session->session());
}

void UvSessions::KillSession(Session& session) {
  for (auto& candidate : connected_) {
    if (&candidate->session() == &session) candidate->Kill();
  }
}

}  // namespace gemel

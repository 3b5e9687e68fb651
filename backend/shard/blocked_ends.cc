// How the waiting of all who wait for keys of a shard ends.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "backend/keys/key_name.h"
#include "backend/shard/blocked_clients.h"

namespace gemel {

void BlockedClients::OnMoved(const std::function<bool(std::string_view)>& is_moved) {
  EndAll(is_moved,
         "-UNBLOCKED force unblock from blocking operation: a change of the config gave the key to "
         "another shard\r\n");
}

void BlockedClients::Stop() {
  EndAll([](std::string_view) { return true; },
         "-UNBLOCKED force unblock from blocking operation: the shard is being stopped\r\n");
}

std::vector<BlockedClients::Taken> BlockedClients::TakeAll() {
  std::vector<Waiter*> waiters;
  for (const auto& [waiter, owned] : waiters_) waiters.push_back(owned.get());
  std::sort(waiters.begin(), waiters.end(),
            [](const Waiter* a, const Waiter* b) { return a->number < b->number; });
  const uint64_t now_ms = parts_->env->NowMs();
  std::vector<Taken> all;
  for (Waiter* waiter : waiters) {
    Request* request = waiter->request;
    auto& cargo = static_cast<BlockingCargo&>(*request->extra->cargo);
    if (waiter->has_deadline) {
      const uint64_t end_ms = waiter->deadline->first;
      cargo.timeout_ms = end_ms > now_ms ? end_ms - now_ms : 1;
    }
    if (waiter->question != nullptr) waiter->question->waiter = nullptr;
    all.push_back({request, waiter->end});
    Unlink(waiter);
  }
  ready_.clear();
  later_.clear();
  return all;
}

void BlockedClients::EndAll(const std::function<bool(std::string_view)>& which,
                            std::string_view text) {
  std::vector<Waiter*> ended;
  for (const auto& [key, line] : lines_) {
    if (!which(KeyOf(key))) continue;
    for (Place* place = line.first; place != nullptr; place = place->behind) {
      Waiter* waiter = place->waiter;
      if (waiter->end.empty()) ended.push_back(waiter);
      waiter->end = text;
    }
  }
  // One may be gone by the answer to another: it is known by its ticket.
  std::vector<std::shared_ptr<BlockTicket>> tickets;
  for (const Waiter* waiter : ended) tickets.push_back(waiter->ticket);
  for (const auto& ticket : tickets) {
    if (ticket->waiter != nullptr) EndIfDue(static_cast<Waiter*>(ticket->waiter));
  }
}

}  // namespace gemel

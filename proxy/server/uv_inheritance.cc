#include "proxy/server/uv_inheritance.h"

#include "backend/bytes/printable.h"
#include "backend/resp/resp_writer.h"
#include "proxy/worker/posix_socket_file.h"

namespace gemel {

UvInheritance::UvInheritance(Inheritance from) : from_(std::move(from)) {
  if (!any()) return;
  for (const HandedListener& listener : from_.hand_over->listeners) {
    listeners_.emplace_back(listener.address, UniqueFd(static_cast<int>(listener.socket)));
  }
}

std::string UvInheritance::Words(bool* bad) const {
  *bad = from_.any && (!any() || !from_.failure.empty());
  if (!from_.any) return {};
  if (!any()) {
    return "what the binary before handed over cannot be read (" + from_.error +
           "): its clients are lost";
  }
  if (!from_.failure.empty()) return from_.failure;
  return "follows gemel " + Printable(from_.hand_over->version) + " with " +
         std::to_string(from_.hand_over->sessions.size()) + " clients";
}

std::vector<UniqueFd> UvInheritance::TakeListeners(const Address& address) {
  std::vector<UniqueFd> sockets;
  for (auto& [name, socket] : listeners_) {
    if (name == address.ToString() && socket.valid()) sockets.push_back(std::move(socket));
  }
  if (address.IsUnix() && !sockets.empty()) KeepSocketFile(address.path);
  return sockets;
}

std::string UvInheritance::binary() const {
  return any() && from_.failure.empty() ? from_.hand_over->binary : std::string();
}

void UvInheritance::GiveTo(UvWorker::Shared* shared, const std::string& version) {
  if (!any()) return;
  HandOver& hand_over = *from_.hand_over;
  listeners_.clear();
  shared->next_session = hand_over.next_session;
  std::string told;
  if (from_.failure.empty()) {
    AppendSimple(&told, "OK gemel " + version + " serves, after " + Printable(hand_over.version));
  } else {
    AppendError(&told, "ERR " + from_.failure);
  }
  std::vector<UvWorker::Inherited> parts(shared->workers.size());
  for (HandedSession& session : hand_over.sessions) {
    UniqueFd socket(static_cast<int>(session.socket));
    parts[session.worker % parts.size()].sessions.emplace_back(std::move(socket),
                                                               std::move(session));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    parts[i].handed = true;
    parts[i].told = told;
    parts[i].pause_left_ms = hand_over.pause_left_ms;
    parts[i].pause_all = hand_over.pause_all;
    shared->workers[i]->set_inherited(std::move(parts[i]));
  }
  hand_over.sessions.clear();
}

}  // namespace gemel

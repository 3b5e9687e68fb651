#include "proxy/server/exposure.h"

#include "proxy/session/state/access_guard.h"

namespace gemel {

std::string ExposureWarning(const PoolConfig& pool) {
  if (!pool.password.empty()) return {};
  std::string listeners;
  for (const Address& address : pool.listen) {
    const std::string text = address.ToString();
    Address plain = address;
    plain.tls = false;
    if (address.host == "localhost" || IsLocalPeer(plain.ToString())) continue;
    listeners += (listeners.empty() ? "" : ", ") + text;
  }
  if (listeners.empty()) return {};
  return pool.protected_mode
             ? "protected mode: there is no password, so on " + listeners +
                   " only clients on this machine are served, others get -DENIED: set [proxy] "
                   "password"
             : "there is no password and protected_mode is off: whoever reaches " + listeners +
                   " may read, write and change the config: set [proxy] password";
}

}  // namespace gemel

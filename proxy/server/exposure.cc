#include "proxy/server/exposure.h"

#include "backend/acl/acl_users.h"
#include "proxy/metrics/http_access.h"
#include "proxy/session/state/access_guard.h"

namespace gemel {

namespace {

// Those that other machines may reach, with commas between them.
std::string OpenOnes(const std::vector<Address>& all) {
  std::string listeners;
  for (const Address& address : all) {
    const std::string text = address.ToString();
    Address plain = address;
    plain.tls = false;
    if (address.host == "localhost" || IsLocalPeer(plain.ToString())) continue;
    listeners += (listeners.empty() ? "" : ", ") + text;
  }
  return listeners;
}

}  // namespace

std::string ExposureWarning(const PoolConfig& pool) {
  const CommandTable table(pool.commands);
  if (!AclUsers(pool, &table, nullptr).first()->open()) return {};
  const std::string listeners = OpenOnes(pool.listen);
  if (listeners.empty()) return {};
  return pool.protected_mode
             ? "protected mode: there is no password, so on " + listeners +
                   " only clients on this machine are served, others get -DENIED: set [proxy] "
                   "password"
             : "there is no password and protected_mode is off: whoever reaches " + listeners +
                   " may read, write and change the config: set [proxy] password";
}

std::string MetricsExposureWarning(const Config& config) {
  if (!config.metrics.password.empty()) return {};
  const std::string listeners = OpenOnes(config.metrics.listen);
  if (listeners.empty()) return {};
  const CommandTable table(config.pool().commands);
  const bool users = HasHttpUsers(AclUsers(config.pool(), &table, nullptr));
  if (config.pool().protected_mode && users) return {};  // others give a name and a password
  return config.pool().protected_mode
             ? "protected mode: there is no [metrics] password, so on " + listeners +
                   " only this machine may look at the metrics: set [metrics] password"
             : "there is no [metrics] password and protected_mode is off: whoever reaches " +
                   listeners +
                   " may look at the metrics, and at names of keys: set [metrics] password";
}

}  // namespace gemel

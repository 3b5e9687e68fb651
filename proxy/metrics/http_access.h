// Who may look at the metrics, and who it is that looks.

#ifndef GEMEL_PROXY_METRICS_HTTP_ACCESS_H_
#define GEMEL_PROXY_METRICS_HTTP_ACCESS_H_

#include <optional>
#include <string>

#include "backend/acl/acl_users.h"
#include "config/config.h"
#include "proxy/metrics/http_exchange.h"

namespace gemel {

enum class HttpVerdict : uint8_t {
  kServed,
  kTurnedAway,   // there is no password, and it is not on this machine
  kStrangeHost,  // a page of another site may have asked, by a name of its own for this machine
  kNoPassword,   // it gave none
  kWrongPassword,
};

struct HttpLooker {
  HttpVerdict verdict = HttpVerdict::kServed;
  bool password = false;  // it gave one that is right
  AclUserPtr user;        // whose it is; null: that of [metrics], or nobody's
  std::string name;       // that a wrong one was given with; empty: none
};

// By [metrics] and [proxy] protected_mode of the config in effect, and its users. Who needs no
// password as a client (`nopass`) is nobody here.
HttpLooker JudgeHttp(const Config& config, const AclUsers& users, const PageRequest& request);
// There is a user who can give a password here.
bool HasHttpUsers(const AclUsers& users);
// What it is told; of kServed nothing.
std::optional<PageAnswer> HttpRefusal(HttpVerdict verdict);
// A page of another site has asked its reader's browser for it.
bool IsFromElsewhere(const PageRequest& request);

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_HTTP_ACCESS_H_

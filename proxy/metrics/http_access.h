// Who may look at the metrics.

#ifndef GEMEL_PROXY_METRICS_HTTP_ACCESS_H_
#define GEMEL_PROXY_METRICS_HTTP_ACCESS_H_

#include <optional>
#include <string>
#include <string_view>

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

// By [metrics] and [proxy] protected_mode of the config in effect.
HttpVerdict JudgeHttp(const Config& config, const PageRequest& request);
// What it is told; of kServed nothing.
std::optional<PageAnswer> Refusal(HttpVerdict verdict);
// A page of another site has asked its reader's browser for it.
bool IsFromElsewhere(const PageRequest& request);

// Of an Authorization header: what "Bearer" has, or the password of "Basic"; nothing of others.
std::optional<std::string> GivenPassword(std::string_view authorization);

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_HTTP_ACCESS_H_

// What users may see and order over HTTP: what the commands that tell or do the same would be
// allowed them for.

#ifndef GEMEL_PROXY_METRICS_HTTP_RIGHTS_H_
#define GEMEL_PROXY_METRICS_HTTP_RIGHTS_H_

#include <string>
#include <string_view>

#include "backend/acl/acl_user.h"
#include "proxy/dispatch/pool.h"
#include "proxy/metrics/page_order.h"

namespace gemel {

struct HttpDenial {
  std::string command;  // that the user may not: "proxy|shards"; empty: nothing is denied
  std::string error;    // a sentence
};

// Of that path. What is not there is denied to nobody.
HttpDenial DenialOfPath(const Pool& pool, const AclUser& user, std::string_view path);
HttpDenial DenialOfOrder(const Pool& pool, const AclUser& user, const PageOrder& order);
// There is an order that it may give.
bool MayOrder(const Pool& pool, const AclUser& user);

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_HTTP_RIGHTS_H_

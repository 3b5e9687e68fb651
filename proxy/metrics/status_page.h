// The status page: one document, with its style and its script in it, made from status_page.html
// when gemel is built.

#ifndef GEMEL_PROXY_METRICS_STATUS_PAGE_H_
#define GEMEL_PROXY_METRICS_STATUS_PAGE_H_

#include <string>
#include <string_view>

#include "proxy/metrics/http_exchange.h"

namespace gemel {

std::string_view StatusPageHtml();

// The page, and the headers by which nothing but its own script and style counts in it, and it
// asks nobody but this gemel.
PageAnswer StatusPage();

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_STATUS_PAGE_H_

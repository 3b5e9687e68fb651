// A request to one of etcd's servers, with TLS where its address says so.

#ifndef GEMEL_BACKEND_ENGINES_UV_ETCD_REQUEST_H_
#define GEMEL_BACKEND_ENGINES_UV_ETCD_REQUEST_H_

#include <string>
#include <string_view>

#include "backend/engines/uv_http.h"

namespace gemel {

// `server`: of EngineOptions. What its certificate has to be, and what it is shown, is what is in
// effect in the process now ([coordinator_tls]).
HttpRequest EtcdRequest(const std::string& server, std::string_view path);

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ETCD_REQUEST_H_

#include "backend/engines/uv_etcd_request.h"

#include <optional>

#include "backend/tls/openssl_tls.h"
#include "config/address.h"

namespace gemel {

HttpRequest EtcdRequest(const std::string& server, std::string_view path) {
  std::string ignored;
  Address address = ParseAddress(server, &ignored).value_or(Address());
  HttpRequest request;
  request.tls = CoordinatorTls(address);
  const char* const scheme = address.tls ? "https://" : "http://";
  address.tls = false;
  if (request.tls != nullptr && !request.tls->server_name().empty()) {
    request.connect_to = address.ToString();
    address.host = request.tls->server_name();
  }
  request.url = scheme + address.ToString() + std::string(path);
  return request;
}

}  // namespace gemel

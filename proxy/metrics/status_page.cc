#include "proxy/metrics/status_page.h"

#include <openssl/evp.h>

#include <array>

namespace gemel {

namespace {

// Of what stands between <name> and </name>, as a Content-Security-Policy names it.
std::string HashOf(std::string_view page, const std::string& name) {
  const std::string open = "<" + name + ">";
  const size_t begin = page.find(open) + open.size();
  const std::string_view text = page.substr(begin, page.find("</" + name + ">") - begin);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash = {};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> base64 = {};
  const int length = EVP_EncodeBlock(base64.data(), hash.data(), static_cast<int>(size));
  return "'sha256-" +
         std::string(reinterpret_cast<const char*>(base64.data()), static_cast<size_t>(length)) +
         "'";
}

}  // namespace

PageAnswer StatusPage() {
  static const std::string policy =
      "Content-Security-Policy: default-src 'none'; connect-src 'self'; script-src " +
      HashOf(StatusPageHtml(), "script") + "; style-src " + HashOf(StatusPageHtml(), "style") +
      "; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'\r\n";
  PageAnswer answer;
  answer.type = "text/html; charset=utf-8";
  answer.body = StatusPageHtml();
  answer.headers = policy;
  return answer;
}

}  // namespace gemel

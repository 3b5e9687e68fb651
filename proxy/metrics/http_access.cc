#include "proxy/metrics/http_access.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>

#include "backend/command/ascii.h"
#include "proxy/session/state/access_guard.h"

namespace gemel {

namespace {

// Takes the word, whatever its letters' case, and the blanks behind it.
bool TakeWord(std::string_view* text, std::string_view lower) {
  if (text->size() <= lower.size() || (*text)[lower.size()] != ' ') return false;
  if (!EqualsLower(text->substr(0, lower.size()), lower)) return false;
  text->remove_prefix(lower.size());
  text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
  return true;
}

std::optional<std::string> Decoded(std::string_view base64) {
  if (base64.empty() || base64.size() % 4 != 0 || base64.size() > 8192) return std::nullopt;
  std::string text(base64.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(base64.data()),
                                   static_cast<int>(base64.size()));
  if (size < 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && base64[base64.size() - 1 - padding] == '=') ++padding;
  text.resize(static_cast<size_t>(size) - padding);
  return text;
}

std::array<unsigned char, EVP_MAX_MD_SIZE> Hash(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash = {};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr);
  return hash;
}

// How long it takes does not tell how much of it is right.
bool IsSame(std::string_view given, std::string_view right) {
  const auto a = Hash(given);
  const auto b = Hash(right);
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// Without its port.
std::string_view HostOf(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.rfind(':'));
}

bool IsNumberOrLocal(std::string_view host) {
  return host.empty() || host.starts_with('[') || EqualsLower(host, "localhost") ||
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

std::optional<std::string> GivenPassword(std::string_view authorization) {
  if (TakeWord(&authorization, "bearer")) return std::string(authorization);
  if (!TakeWord(&authorization, "basic")) return std::nullopt;
  std::optional<std::string> pair = Decoded(authorization);
  if (!pair) return std::nullopt;
  const size_t colon = pair->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return pair->substr(colon + 1);
}

HttpVerdict JudgeHttp(const Config& config, const PageRequest& request) {
  const std::string& password = config.metrics.password;
  if (password.empty()) {
    if (config.pool().protected_mode && !IsLocalPeer(request.peer)) return HttpVerdict::kTurnedAway;
    return IsNumberOrLocal(HostOf(request.host)) ? HttpVerdict::kServed : HttpVerdict::kStrangeHost;
  }
  if (request.authorization.empty()) return HttpVerdict::kNoPassword;
  const std::optional<std::string> given = GivenPassword(request.authorization);
  return given && IsSame(*given, password) ? HttpVerdict::kServed : HttpVerdict::kWrongPassword;
}

std::optional<PageAnswer> Refusal(HttpVerdict verdict) {
  switch (verdict) {
    case HttpVerdict::kServed:
      return std::nullopt;
    case HttpVerdict::kTurnedAway:
      return HttpError(403,
                       "gemel is running in protected mode because no password is set for its "
                       "metrics: only this machine may look at them. Set [metrics] password in "
                       "the config file, or [proxy] protected_mode = false if nobody you do not "
                       "trust can reach this listener.");
    case HttpVerdict::kStrangeHost:
      return HttpError(403,
                       "without a password the metrics are found under an IP address or "
                       "\"localhost\" alone, so that no page of another site can read them: use "
                       "one of these, or set [metrics] password.");
    case HttpVerdict::kNoPassword:
    case HttpVerdict::kWrongPassword: {
      PageAnswer answer =
          HttpError(401, verdict == HttpVerdict::kNoPassword
                             ? "the password of [metrics] is required, as \"Authorization: Bearer "
                               "...\" or with any user name"
                             : "that is not the password of [metrics]");
      answer.headers = "WWW-Authenticate: Basic realm=\"gemel\", charset=\"UTF-8\"\r\n";
      return answer;
    }
  }
  return std::nullopt;
}

bool IsFromElsewhere(const PageRequest& request) {
  if (request.origin.empty()) return false;
  const size_t scheme = request.origin.find("://");
  return scheme == std::string::npos || request.origin.substr(scheme + 3) != request.host;
}

}  // namespace gemel

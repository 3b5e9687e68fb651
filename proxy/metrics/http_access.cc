#include "proxy/metrics/http_access.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <utility>

#include "backend/acl/password_hash.h"
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

bool IsHttpUser(const AclUser& user) {
  return user.on() && !user.nopass() && !user.passwords().empty();
}

// What an Authorization header gives.
struct Credentials {
  bool any = false;    // one that could be right
  bool basic = false;  // it is "Basic", whatever it has
  std::string user;
  std::string password;
};

Credentials Given(std::string_view authorization) {
  Credentials given;
  if (TakeWord(&authorization, "bearer")) {
    given.any = true;
    given.password = authorization;
    return given;
  }
  given.basic = EqualsLower(authorization.substr(0, authorization.find(' ')), "basic");
  if (!TakeWord(&authorization, "basic")) return given;
  std::optional<std::string> pair = Decoded(authorization);
  if (!pair) return given;
  const size_t colon = pair->find(':');
  if (colon != std::string::npos) {
    given.any = true;
    given.user = pair->substr(0, colon);
    given.password = pair->substr(colon + 1);
  }
  WipePassword(*pair);
  return given;
}

}  // namespace

bool HasHttpUsers(const AclUsers& users) {
  for (const auto& [name, user] : users.all()) {
    if (IsHttpUser(*user)) return true;
  }
  return false;
}

HttpLooker JudgeHttp(const Config& config, const AclUsers& users, const PageRequest& request) {
  const std::string& password = config.metrics.password;
  const bool has_users = HasHttpUsers(users);
  Credentials given = Given(request.authorization);
  HttpLooker looker;
  if (given.any) {
    // Both are looked at, whichever is right.
    const bool of_metrics = IsSame(given.password, password) && !password.empty();
    const bool of_user = users.Authenticates(given.user, given.password) && given.basic;
    WipePassword(given.password);
    AclUserPtr user = users.Find(given.user);
    const bool known = of_user && IsHttpUser(*user);
    if (of_metrics || known) {
      looker.password = true;
      if (!of_metrics) looker.user = std::move(user);
      return looker;
    }
    looker.name = std::move(given.user);
  }
  if (!password.empty() || (has_users && given.basic)) {
    looker.verdict =
        request.authorization.empty() ? HttpVerdict::kNoPassword : HttpVerdict::kWrongPassword;
  } else if (config.pool().protected_mode && !IsLocalPeer(request.peer)) {
    looker.verdict = has_users ? HttpVerdict::kNoPassword : HttpVerdict::kTurnedAway;
  } else if (!IsNumberOrLocal(HostOf(request.host))) {
    looker.verdict = has_users ? HttpVerdict::kNoPassword : HttpVerdict::kStrangeHost;
  }
  return looker;
}

std::optional<PageAnswer> HttpRefusal(HttpVerdict verdict) {
  switch (verdict) {
    case HttpVerdict::kServed:
      return std::nullopt;
    case HttpVerdict::kTurnedAway:
      return HttpError(403,
                       "gemel is running in protected mode because no password is set for its "
                       "metrics: only this machine may look at them. Set [metrics] password in "
                       "the config file or give a user one, or [proxy] protected_mode = false if "
                       "nobody you do not "
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
                             ? "a password is required: that of [metrics], as \"Authorization: "
                               "Bearer ...\" or with any user name, or that of a user with the "
                               "user's name"
                             : "that is neither the password of [metrics] nor that of a user of "
                               "the name");
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

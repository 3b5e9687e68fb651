#include "backend/engines/etcd_messages.h"

#include <openssl/evp.h>

#include <charconv>
#include <nlohmann/json.hpp>

namespace gemel {

namespace {

using Json = nlohmann::json;

// What etcd's errors are called, of those of gRPC's codes that tell what was done.
enum GrpcCode : int64_t {
  kInvalidArgument = 3,
  kNotFound = 5,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kUnimplemented = 12,
  kUnauthenticated = 16,
};

std::string Write(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Json> ParseObject(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

const Json* Find(const Json& json, const char* name) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(name);
  return found == json.end() ? nullptr : &*found;
}

std::string TextOf(const Json& json, const char* name) {
  const Json* found = Find(json, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : "";
}

// What is false, 0 or empty is left out.
bool Flag(const Json& json, const char* name) {
  const Json* found = Find(json, name);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

// 64-bit numbers are texts.
uint64_t Number(const Json& json, const char* name) {
  const Json* found = Find(json, name);
  if (found == nullptr) return 0;
  if (found->is_number_unsigned()) return found->get<uint64_t>();
  if (!found->is_string()) return 0;
  const auto& text = found->get_ref<const std::string&>();
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// False: that is no key and value.
bool ReadKeyValues(const Json& range, std::vector<NamedRegister>* found) {
  const Json* all = Find(range, "kvs");
  if (all == nullptr) return true;
  if (!all->is_array()) return false;
  for (const Json& one : *all) {
    std::optional<std::string> key = FromBase64(TextOf(one, "key"));
    std::optional<std::string> value = FromBase64(TextOf(one, "value"));
    const uint64_t version = Number(one, "mod_revision");
    if (!key || !value || version == 0) return false;
    found->push_back({*std::move(key), {*std::move(value), version}});
  }
  return true;
}

}  // namespace

std::string Base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // it writes a zero byte behind it
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.empty()) return "";
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  // It counts the padding as bytes.
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

std::string EndOfPrefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (end.empty()) return std::string(1, '\0');
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string EtcdReadRequest(std::string_view key) { return Write({{"key", Base64(key)}}); }

std::string EtcdListRequest(std::string_view from, std::string_view end, uint32_t limit) {
  return Write(
      {{"key", Base64(from)}, {"limit", std::to_string(limit)}, {"range_end", Base64(end)}});
}

std::string EtcdWriteRequest(std::string_view key, uint64_t expected, std::string_view text) {
  const std::string name = Base64(key);
  const Json compare = {{"key", name},
                        {"mod_revision", std::to_string(expected)},
                        {"result", "EQUAL"},
                        {"target", "MOD"}};
  const Json put = {{"request_put", {{"key", name}, {"value", Base64(text)}}}};
  const Json get = {{"request_range", {{"key", name}, {"keys_only", true}}}};
  return Write({{"compare", Json::array({compare})},
                {"failure", Json::array({get})},
                {"success", Json::array({put})}});
}

std::string EtcdWatchRequest(std::string_view from, std::string_view end) {
  return Write({{"create_request", {{"key", Base64(from)}, {"range_end", Base64(end)}}}});
}

std::string EtcdLoginRequest(std::string_view user, std::string_view password) {
  return Write({{"name", std::string(user)}, {"password", std::string(password)}});
}

std::optional<EtcdRange> ReadEtcdRange(std::string_view body) {
  const std::optional<Json> json = ParseObject(body);
  if (!json || Find(*json, "header") == nullptr) return std::nullopt;
  EtcdRange range;
  if (!ReadKeyValues(*json, &range.found)) return std::nullopt;
  range.more = Flag(*json, "more");
  return range;
}

std::optional<EtcdWritten> ReadEtcdWritten(std::string_view body) {
  const std::optional<Json> json = ParseObject(body);
  const Json* header = json ? Find(*json, "header") : nullptr;
  const Json* responses = json ? Find(*json, "responses") : nullptr;
  if (header == nullptr || responses == nullptr || !responses->is_array() ||
      responses->size() != 1) {
    return std::nullopt;
  }
  EtcdWritten written;
  written.done = Flag(*json, "succeeded");
  if (written.done) {
    written.version = Number(*header, "revision");
    if (Find(responses->front(), "response_put") == nullptr || written.version == 0) {
      return std::nullopt;
    }
    return written;
  }
  const Json* range = Find(responses->front(), "response_range");
  std::vector<NamedRegister> found;
  if (range == nullptr || !ReadKeyValues(*range, &found)) return std::nullopt;
  if (!found.empty()) written.version = found.front().value.version;
  return written;
}

std::optional<std::string> ReadEtcdToken(std::string_view body) {
  const std::optional<Json> json = ParseObject(body);
  std::string token = json ? TextOf(*json, "token") : "";
  // It becomes a line of a request.
  if (token.empty() || token.find_first_of("\r\n") != std::string::npos) return std::nullopt;
  return token;
}

std::optional<EtcdStanding> ReadEtcdStanding(std::string_view body) {
  const std::optional<Json> json = ParseObject(body);
  const Json* header = json ? Find(*json, "header") : nullptr;
  if (header == nullptr) return std::nullopt;
  EtcdStanding standing;
  standing.member = Number(*header, "member_id");
  standing.leader = Number(*json, "leader");
  standing.term = Number(*json, "raftTerm");
  standing.index = Number(*json, "raftIndex");
  standing.applied = Number(*json, "raftAppliedIndex");
  if (standing.member == 0) return std::nullopt;
  return standing;
}

std::optional<EtcdWatched> ReadEtcdWatched(std::string_view line) {
  const std::optional<Json> json = ParseObject(line);
  if (!json) return std::nullopt;
  EtcdWatched watched;
  if (const Json* error = Find(*json, "error")) {
    watched.ended = true;
    watched.why = TextOf(*error, "message");
    return watched;
  }
  const Json* result = Find(*json, "result");
  if (result == nullptr) return std::nullopt;
  watched.created = Flag(*result, "created");
  watched.ended = Flag(*result, "canceled");
  watched.why = TextOf(*result, "cancel_reason");
  const Json* events = Find(*result, "events");
  watched.changed = events != nullptr && !events->empty();
  return watched;
}

EtcdError ReadEtcdError(uint32_t status, std::string_view body) {
  EtcdError error;
  error.why = "HTTP status " + std::to_string(status);
  const std::optional<Json> json = ParseObject(body);
  if (!json) return error;
  for (const char* name : {"error", "message"}) {
    if (const std::string why = TextOf(*json, name); !why.empty()) error.why = why;
  }
  const bool old_login = error.why.find("revision of auth store is old") != std::string::npos;
  const uint64_t code = Number(*json, "code");
  if (code == kUnauthenticated || old_login) {
    error.kind = EtcdError::Kind::kLogin;
  } else if (code == kInvalidArgument || code == kNotFound || code == kPermissionDenied ||
             code == kResourceExhausted || code == kFailedPrecondition || code == kUnimplemented) {
    error.kind = EtcdError::Kind::kRefused;
  }
  return error;
}

}  // namespace gemel

#include "backend/engines/uv_etcd_look.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "backend/engines/uv_etcd_request.h"

namespace gemel {

namespace {

// As etcd's own tools write them.
std::string NumberOfMember(uint64_t member) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), member, 16).ptr;
  return "etcd member " + std::string(digits.data(), end);
}

}  // namespace

UvEtcdLook::UvEtcdLook(uv_loop_t* loop, UvHttp* http, const std::vector<std::string>& servers)
    : http_(http), timer_(loop, [this] { Ask(); }) {
  for (const std::string& server : servers) servers_.push_back({server});
  timer_.Set(0);
}

void UvEtcdLook::Ask() {
  timer_.Set(kPaceMs);
  for (Server& server : servers_) {
    HttpRequest request = EtcdRequest(server.address, kEtcdStatus);
    request.body = "{}";
    request.connect_ms = kAnswerMs;
    request.total_ms = kAnswerMs;
    http_->Post(std::move(request), [&server](const HttpAnswer& answer) {
      // A server that refuses to say it is there all the same.
      server.contact =
          answer.status != 0 ? EngineStatus::Contact::kReached : EngineStatus::Contact::kNot;
      server.standing = answer.status == 200 ? ReadEtcdStanding(answer.body) : std::nullopt;
    });
  }
}

EngineStatus UvEtcdLook::Status() const {
  EngineStatus status;
  uint64_t index = 0;
  uint64_t term = 0;
  uint64_t leader = 0;
  for (const Server& server : servers_) {
    if (!server.standing) continue;
    index = std::max(index, server.standing->index);
    if (server.standing->leader == 0 || server.standing->term < term) continue;
    term = server.standing->term;
    leader = server.standing->leader;
  }
  if (leader != 0) status.leader = NumberOfMember(leader);
  for (const Server& server : servers_) {
    EngineStatus::Server& one = status.servers.emplace_back();
    one.name = server.address;
    one.contact = server.contact;
    if (!server.standing) continue;
    one.lag = index - std::min(index, server.standing->applied);
    if (server.standing->member == leader) status.leader = server.address;
  }
  return status;
}

}  // namespace gemel

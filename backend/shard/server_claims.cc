#include "backend/shard/server_claims.h"

namespace gemel {

std::optional<ServerUser> ServerClaims::Claim(const ServerUser& user, std::string_view process,
                                              uint32_t database) {
  const std::lock_guard lock(mutex_);
  const Server server(process, database);
  for (const auto& [other, claimed] : claims_) {
    if (claimed == server && other.shard != user.shard) return other;
  }
  claims_[user] = server;
  return std::nullopt;
}

void ServerClaims::Release(const ServerUser& user) {
  const std::lock_guard lock(mutex_);
  claims_.erase(user);
}

void ServerClaims::ReleaseShard(std::string_view shard) {
  const std::lock_guard lock(mutex_);
  std::erase_if(claims_, [&](const auto& claim) { return claim.first.shard == shard; });
}

std::optional<ServerUser> ServerClaims::HolderOf(std::string_view process, uint32_t database,
                                                 std::string_view but_shard) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [user, claimed] : claims_) {
    if (claimed.first == process && claimed.second == database && user.shard != but_shard) {
      return user;
    }
  }
  return std::nullopt;
}

}  // namespace gemel

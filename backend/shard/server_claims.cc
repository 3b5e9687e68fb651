#include "backend/shard/server_claims.h"

namespace gemel {

std::optional<ServerUser> ServerClaims::Claim(const ServerUser& user, std::string_view process,
                                              uint32_t database) {
  const std::lock_guard lock(mutex_);
  const Server server(process, database);
  for (const auto& [other, claimed] : claims_) {
    if (claimed == server && other.shard != user.shard) return other;
  }
  Server& claimed = claims_[user];
  if (claimed == server) return std::nullopt;
  Forget(claimed.first);
  claimed = server;
  ++users_[server.first];
  return std::nullopt;
}

void ServerClaims::Release(const ServerUser& user) {
  const std::lock_guard lock(mutex_);
  const auto claim = claims_.find(user);
  if (claim == claims_.end()) return;
  Forget(claim->second.first);
  claims_.erase(claim);
}

// Of a process that nobody has been nothing is known.
void ServerClaims::Forget(std::string_view process) {
  const auto users = users_.find(process);
  if (users != users_.end() && --users->second == 0) users_.erase(users);
}

void ServerClaims::ReleaseShard(std::string_view shard) {
  const std::lock_guard lock(mutex_);
  std::erase_if(claims_, [&](const auto& claim) {
    if (claim.first.shard != shard) return false;
    Forget(claim.second.first);
    return true;
  });
}

bool ServerClaims::IsShared(std::string_view process) const {
  const std::lock_guard lock(mutex_);
  const auto users = users_.find(process);
  return users != users_.end() && users->second > 1;
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

// This life of gemel as other gemels see it on the nodes, and what becomes of those that are seen
// there.

#ifndef GEMEL_PROXY_SERVER_UV_PRESENCE_H_
#define GEMEL_PROXY_SERVER_UV_PRESENCE_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "backend/link/other_proxies.h"

namespace gemel {

class UvPresence : public OtherProxies {
 public:
  // `state_dir` is locked by this process: whoever else names it has ended.
  UvPresence(const std::string& state_dir, const std::string& listen);

  // It is that fleet's: the other members are in nobody's way. Before any link begins.
  void set_fleet(std::string fleet_id, std::string member = {}) {
    self_.fleet_id = std::move(fleet_id);
    self_.member = std::move(member);
  }
  const ProxyInstance& self() const override { return self_; }
  // True of one whose state folder this process holds; whose process on this machine has ended;
  // that said nothing for kSilentS, as its probes would have; or that was taken over.
  bool IsGone(const SeenProxy& other) override;
  void OnRival(const ProxyInstance& other, const std::string& node, bool newcomer) override;

  void OnLaterTurn(const std::string& shard, uint64_t owner_epoch) override {
    if (on_later_turn_) on_later_turn_(shard, owner_epoch);
  }

  // From now on it is to be ended wherever it is met.
  void TakeOver(const ProxyInstance& other);
  // Runs on any thread: `ends`: this process must not serve any more. Set before any link begins.
  void set_on_rival(std::function<void(const std::string& text, bool ends)> on_rival) {
    on_rival_ = std::move(on_rival);
  }

  // Runs on any thread, at each connection that finds one (see OtherProxies::OnLaterTurn). Set
  // before any link begins.
  void set_on_later_turn(std::function<void(const std::string& shard, uint64_t epoch)> told) {
    on_later_turn_ = std::move(told);
  }

  static constexpr uint64_t kSilentS = 30;

 private:
  ProxyInstance self_;
  std::function<void(const std::string&, bool)> on_rival_;
  std::function<void(const std::string&, uint64_t)> on_later_turn_;
  std::mutex mutex_;  // guards what follows
  std::set<std::string> taken_;
  std::set<std::string> told_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_PRESENCE_H_

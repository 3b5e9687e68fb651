// The links of a simulated process to other members of its fleet: real PeerLines, PeerLinks and
// PeerGuests over simulated connections, as UvPeers has them.

#ifndef GEMEL_TESTS_FLEET_SIM_MEMBER_PEERS_H_
#define GEMEL_TESTS_FLEET_SIM_MEMBER_PEERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/dispatch/elsewhere.h"
#include "proxy/peers/peer_guest.h"
#include "proxy/peers/peer_lines.h"
#include "tests/fleet_sim/machine.h"
#include "tests/sim/sim_process.h"

namespace gemel::fleet_sim {

class MemberPeers : public Elsewhere, private PeerRoads {
 public:
  struct World {
    sim::Process* worker;
    Machine* self;
    std::function<Machine*(const std::string& address)> find;
    std::function<std::shared_ptr<sim::Road>(const Machine* to)> road;
    Dispatcher* dispatcher;
    ChunkPool* chunks;
    GoneSessions* gone;
    std::function<uint32_t()> next_session;
    std::function<PeerOwner(std::string_view shard)> owner;
    uint64_t wait_ms;
  };

  explicit MemberPeers(World world);
  ~MemberPeers() override;

  void Submit(Request* request) override { lines_.Submit(request); }
  bool Has(uint32_t slot) const override { return lines_.Has(slot); }
  void OnOwners() { lines_.OnOwners(); }
  // Of another member's connection something has come.
  void OnBytes(const sim::ConnectionPtr& connection);
  bool dirty() const { return dirty_; }
  void Flush();
  void Tick(uint64_t now_ms);

 private:
  struct Dialed {
    Machine* to = nullptr;
    sim::ConnectionPtr connection;  // null: there is none, and none is being made
    std::unique_ptr<PeerLink> link;
    uint64_t begun_ms = 0;
    uint64_t retry_ms = 0;
    uint64_t backoff_ms = 0;
  };
  struct Guest {
    sim::ConnectionPtr connection;
    std::unique_ptr<PeerGuest> guest;
    bool ended = false;
  };

  // --- PeerRoads ---
  PeerLink* LinkTo(const PeerOwner& owner) override;
  PeerLink* Find(const PeerOwner& owner) const override;
  std::string TroubleWith(const PeerOwner&) const override { return {}; }
  void GiveUp(PeerLink* link) override;
  const std::vector<PeerLink*>& links() const override { return up_; }

  PeerLines::World LinesWorld();
  void Dial(Dialed* dialed, const std::string& member);
  void Close(Dialed* dialed);
  void CloseGuest(Guest* guest);
  void FlushLink(Dialed* dialed);
  void FlushGuest(Guest* guest);
  void OnChange();
  uint64_t NowMs() const { return world_.worker->NowMs(); }

  const World world_;
  PeerLines lines_;
  std::map<std::string, Dialed> dialed_;  // by member
  std::vector<PeerLink*> up_;
  std::vector<std::unique_ptr<Guest>> guests_;
  bool dirty_ = false;
  Alive alive_;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_MEMBER_PEERS_H_

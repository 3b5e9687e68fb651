// A worker of a process that is a member of a fleet: its shards come and go by their leases, and
// nothing is sent or answered when these hold no more.

#ifndef GEMEL_PROXY_WORKER_UV_WORKER_FLEET_H_
#define GEMEL_PROXY_WORKER_UV_WORKER_FLEET_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/topology/coordinator.h"
#include "backend/uv/uv_boot_clock.h"
#include "proxy/dispatch/pool.h"
#include "proxy/peers/uv_peers.h"
#include "proxy/session/paused_clients.h"
#include "proxy/worker/uv_listener.h"
#include "proxy/worker/uv_worker_shards.h"

namespace gemel {

// The fleet that a process is a member of.
struct FleetFacts {
  std::string id;
  std::string member;  // the name of this one
  std::string secret;  // by which members know each other
  uint32_t lease_ms = 500;
};

// The worker's thread, but for Join.
class UvWorkerFleet {
 public:
  // What is in effect: asked each time, for a reload changes it.
  struct Serving {
    const Pool* pool;
    std::shared_ptr<const RingHistory> rings;
  };
  struct World {
    Coordinator* coordinator = nullptr;
    UvWorkerShards* shards = nullptr;
    std::function<Serving()> serving;
    std::function<uint64_t()> now_ms;            // the worker's clock
    std::function<uint64_t()> boot_ms = BootMs;  // that of the leases
    std::function<void(const std::string&)> note;
  };

  // What the links to other members need of the worker; see UvPeers.
  struct PeersWorld {
    Dispatcher* dispatcher = nullptr;
    uv_loop_t* loop = nullptr;
    UvStreamGroup* streams = nullptr;
    ChunkPool* chunks = nullptr;
    GoneSessions* gone = nullptr;
    std::function<uint32_t()> next_session;
    std::function<void(uint32_t worker, std::string_view messages)> on_messages = {};
    TrackingSink* tracking = nullptr;
    std::function<void(uint32_t slot)> on_anew = {};
    std::function<bool()> listens = {};
    FunctionStore* functions = nullptr;
  };

  // Before the worker runs; all of it outlives this.
  void Join(World world);
  // Then: requests for what the process does not own go to the members that do.
  void Connect(const FleetFacts& facts, PeersWorld world);
  // Other members come there. The socket listens, and is non-blocking.
  void Listen(const Address& address, UniqueFd socket);
  void StartListener();
  bool joined() const { return world_.coordinator != nullptr; }

  // To be called before anything is dispatched or answered, whenever the loop calls: cuts all
  // shards off if their leases have run out, as when the process was stopped for a while.
  void Check() {
    if (joined()) [[unlikely]]
      CheckLeases();
  }
  // What shards of the process say to a worker of another member; null: there are no members.
  PeerSeats* seats() { return joined() && peers_ != nullptr ? &peers_->seats() : nullptr; }
  // Leases may have changed.
  void OnLeases();
  // Holds this process's clients, before another plan of the fleet takes effect: `done` runs once
  // what they have asked has come to its end, or, with false, at `until_ms` of the worker's clock.
  // They are held until LetGo.
  void Hold(PausedClients* pause, uint64_t until_ms, std::function<void(bool all)> done);
  void LetGo();
  // Every 10 to 20 ms, behind the shards' ticks.
  void Tick();
  // Another pool is in effect.
  void OnPool();
  // At the end of a turn, before the streams send: what is to go to other members.
  bool dirty() const { return peers_ != nullptr && peers_->dirty(); }
  void Flush();
  // No member comes any more, and what waits for one is answered.
  void Stop();
  void Clear() { peers_.reset(); }

 private:
  void CheckLeases();
  void CheckHeld();

  static constexpr uint64_t kPeerTickMs = 40;

  World world_;
  PeersWorld peers_world_;
  std::unique_ptr<UvPeers> peers_;  // null before Connect
  std::unique_ptr<UvListener> listener_;
  uint64_t peers_ticked_ms_ = 0;
  PausedClients* held_ = nullptr;  // null: they are not held
  uint64_t held_until_ms_ = 0;
  std::function<void(bool all)> on_held_;
  bool lapsed_ = false;  // all was cut off, and is made anew once the leases hold again
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_WORKER_FLEET_H_

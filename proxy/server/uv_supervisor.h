// What a service manager is told of the process: sd_notify(3), and the watchdog.
//
// The protocol is a datagram of lines, which is why it is spoken here: libsystemd would load four
// libraries for compression and cryptography besides.

#ifndef GEMEL_PROXY_SERVER_UV_SUPERVISOR_H_
#define GEMEL_PROXY_SERVER_UV_SUPERVISOR_H_

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/files/unique_fd.h"
#include "backend/uv/uv_timer.h"
#include "proxy/server/worker_beats.h"

namespace gemel {

// On the loop of worker 0. Does nothing where the environment names nobody who listens
// (NOTIFY_SOCKET). Nothing waits for who listens: what it does not take now is told again soon.
class UvSupervisor {
 public:
  UvSupervisor();
  UvSupervisor(const UvSupervisor&) = delete;
  UvSupervisor& operator=(const UvSupervisor&) = delete;

  // Clients are served. `status`: a phrase. From now on it is told that the process lives, as long
  // as each of the workers beats, if WATCHDOG_USEC asks for that. `workers` outlive Close.
  void Ready(uv_loop_t* loop, std::vector<const WorkerStats*> workers, std::string status);
  // The config is read again; it has been, and `error` says why it was refused, or is empty.
  void Reloading();
  void Reloaded(std::string_view error);
  // The process does not go over to another binary. No reload is under way.
  void UpgradeRefused(std::string_view why);
  // What is in flight is answered, and then the process ends.
  void Stopping();
  // Nothing more is told. Before the loop's end.
  void Close();

 private:
  void TellReady(const std::string& refused, std::string_view why);
  void Tell(std::string message);
  bool Send(std::string_view message) const;
  void OnBeat();

  std::string address_;  // empty: nobody
  UniqueFd socket_;
  uint64_t beat_ms_ = 0;  // 0: no watchdog
  bool ready_ = false;
  bool stopping_ = false;
  std::string status_;
  std::string untold_;  // the last that was not taken
  std::unique_ptr<WorkerBeats> beats_;
  std::unique_ptr<UvTimer> beat_;
  std::unique_ptr<UvTimer> again_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_SUPERVISOR_H_

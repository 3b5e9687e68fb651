// Goes over to another binary in the same process: looks whether it is good, brings the clients to
// rest, closes the state, and has the binary carried out with the sockets left open. Until the
// state is closed all of it can be taken back, and the clients go on.

#ifndef GEMEL_PROXY_SERVER_UV_UPGRADE_H_
#define GEMEL_PROXY_SERVER_UV_UPGRADE_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/events/note.h"
#include "backend/topology/coordinator.h"
#include "backend/uv/uv_side_thread.h"
#include "config/config.h"
#include "proxy/reload/reload_order.h"
#include "proxy/server/uv_end.h"
#include "proxy/server/uv_kept_texts.h"
#include "proxy/server/uv_reloader.h"
#include "proxy/server/uv_supervisor.h"
#include "proxy/upgrade/hand_over.h"
#include "proxy/upgrade/posix_try_binary.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

// Why a client, on this machine or not, may not name a binary, a sentence; empty if it may. `leave`
// is that of the config in effect: who names one has it carried out.
std::string WhyNotBinary(ProtectedConfigs leave, bool local);

// On the loop of worker 0.
class UvUpgrade {
 public:
  // All of it outlives this.
  struct World {
    uv_loop_t* loop;
    UvWorker::Shared* shared;
    UvReloader* reloader;
    CoordinatorService* coordinator;
    UvKeptTexts* kept;
    UvSupervisor* supervisor;
    UvEnd* end;
    bool of_fleet;
    std::string binary;  // that is carried out where none is named
    std::function<void()> stop_watching;
    std::function<void(NoteLevel level, const std::string& text)> note;
  };

  explicit UvUpgrade(World world);
  UvUpgrade(const UvUpgrade&) = delete;
  UvUpgrade& operator=(const UvUpgrade&) = delete;

  // True while one is under way, whose binary reads the file by itself: a reload is to be asked for
  // later, and will be if it is refused.
  bool PutsOffReload() { return reload_later_ = active(); }
  void set_on_reload(std::function<void()> on_reload) { on_reload_ = std::move(on_reload); }

  // What a client asks.
  void Submit(const ReloadOrder& order, ReloadDone done);
  // `binary` empty: its own file, as it is now. `cause`: for the log. `done` runs once if it is
  // refused; else the next binary answers.
  void Begin(std::string binary, const std::string& cause, ReloadDone done);
  bool active() const { return job_ != nullptr; }
  // The state is being closed: what comes now is the next binary's.
  bool closing() const { return closing_; }
  // It is given up if it can be. Before the loop's end.
  void Stop(const std::string& why);

 private:
  struct Job;
  std::string WhyNot() const;
  void OnTried(const std::shared_ptr<Job>& job);
  void Meet(const std::shared_ptr<Job>& job, bool freeze);
  void OnPart(const std::shared_ptr<Job>& job, UvWorker::HandedPart part);
  void OnFrozen(const std::shared_ptr<Job>& job);
  void Close(const std::shared_ptr<Job>& job);
  bool Describe(Job* job, std::string* error) const;
  [[noreturn]] void Go(const std::shared_ptr<Job>& job);
  void Refuse(const std::string& why);

  const World world_;
  std::function<void()> on_reload_;
  std::unique_ptr<UvSideThread> side_;
  std::shared_ptr<Job> job_;  // null: none is under way
  bool closing_ = false;
  bool reload_later_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_UPGRADE_H_

// A session with ZooKeeper on a libuv loop, by its C client of one thread.

#ifndef GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_H_
#define GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/uv/uv_names.h"
#include "backend/uv/uv_timer.h"

typedef struct _zhandle zhandle_t;

namespace gemel {

// Always has a handle or is about to make one: after a session that ended, or a server that does
// not answer, the next server is tried. Nothing of a session is used but its connection, so a new
// one is as good. One loop, one thread; the loop must turn after this is destroyed.
class UvZookeeper {
 public:
  struct Options {
    std::vector<std::string> servers;
    std::string user;  // empty: nobody
    std::string password;
    uint32_t connect_ms = 1000;  // to one server
  };
  struct Calls {
    // Inside the client's callbacks: may ask of the handle, nothing else.
    std::function<void()> connected;
    // The handle is gone, and all that was asked of it was answered.
    std::function<void()> renewed;
    // Outside of them, after any of them may have run. May destroy this.
    std::function<void()> after;
  };

  UvZookeeper(uv_loop_t* loop, Options options, Calls calls);
  // What was asked of the handle is called back, with ZCLOSING.
  ~UvZookeeper();
  UvZookeeper(const UvZookeeper&) = delete;
  UvZookeeper& operator=(const UvZookeeper&) = delete;

  // Null: there is none yet. Never to be closed, or used when `connected` is false.
  zhandle_t* handle() const { return handle_.get(); }
  bool connected() const { return connected_ && !renew_; }
  // Something was asked of the handle, or of this for the first time: not inside its callbacks.
  void Flush();
  // Another session, with the next server, soon.
  void Renew();
  // The server that is spoken to, or was last.
  const std::string& server() const { return options_.servers[server_]; }
  const std::vector<std::string>& servers() const { return options_.servers; }
  // Why there is no connection, a phrase.
  const std::string& trouble() const { return trouble_; }

 private:
  struct CloseHandle {
    void operator()(zhandle_t* handle) const;
  };
  struct ClosePoll {
    void operator()(uv_poll_t* poll) const;
  };

  static void OnEvent(zhandle_t* handle, int type, int state, const char* path, void* self);
  static void OnPoll(uv_poll_t* poll, int status, int events);
  void OnSession(int state);
  void OnConnectTime();
  void Open();
  // To those addresses, in numbers, separated by ','.
  void Connect(const std::string& addresses);
  void Drop();
  void Step(int events);
  void Interest();
  void Watch(int fd, int interest);

  uv_loop_t* loop_;
  const Options options_;
  const Calls calls_;
  UvTimer timer_;
  UvTimer connect_timer_;
  std::unique_ptr<uv_poll_t, ClosePoll> poll_;
  int fd_ = -1;  // the handle's, not ours to close
  std::unique_ptr<zhandle_t, CloseHandle> handle_;
  std::unique_ptr<UvNames::Question> question_;  // for the server's addresses
  size_t server_ = 0;
  bool opened_ = false;
  bool connected_ = false;
  bool renew_ = false;
  std::string trouble_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_H_

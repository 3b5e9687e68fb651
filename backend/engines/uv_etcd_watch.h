// A watch of etcd: tells when anything under a prefix may have changed.

#ifndef GEMEL_BACKEND_ENGINES_UV_ETCD_WATCH_H_
#define GEMEL_BACKEND_ENGINES_UV_ETCD_WATCH_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "backend/engines/uv_http.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

// One loop, one thread. It watches from the time on when it begins, never from a revision, so that
// nothing that etcd has compacted is missing; what was changed before, who is told finds by a look.
class UvEtcdWatch {
 public:
  // Something may have changed: it did, or the watch has just begun. May destroy everything.
  using Told = std::function<void()>;
  // It ended, or did not begin within the time limit; Begin is to be called again, later. May
  // destroy everything.
  using Lost = std::function<void()>;

  // Of all keys that begin with `prefix`. `http` outlives it.
  UvEtcdWatch(uv_loop_t* loop, UvHttp* http, const std::string& prefix, uint32_t time_limit_ms,
              Told told, Lost lost);
  ~UvEtcdWatch();
  UvEtcdWatch(const UvEtcdWatch&) = delete;
  UvEtcdWatch& operator=(const UvEtcdWatch&) = delete;

  // At that server; what it watched before is given up.
  void Begin(const std::string& server, const std::string& token);
  void End();
  // It has begun, or is about to.
  bool watching() const { return call_ != 0; }

 private:
  void OnBytes(std::string_view bytes);
  void OnLine(std::string_view line, bool* told);
  void Lose();

  UvHttp* http_;
  const std::string request_;
  const uint32_t time_limit_ms_;
  const Told told_;
  const Lost lost_;
  UvTimer timer_;
  uint64_t call_ = 0;      // 0: there is none
  std::string line_;       // as much as is there of it
  bool skipping_ = false;  // the rest of a line that is too long to be kept
  bool ended_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ETCD_WATCH_H_

// How etcd's servers do, for people: each is asked now and then, beside what the registers ask.

#ifndef GEMEL_BACKEND_ENGINES_UV_ETCD_LOOK_H_
#define GEMEL_BACKEND_ENGINES_UV_ETCD_LOOK_H_

#include <uv.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/engines/etcd_messages.h"
#include "backend/engines/uv_http.h"
#include "backend/fleet/registers.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

// One loop, one thread. `http` outlives it, and is gone before the loop turns again.
class UvEtcdLook {
 public:
  static constexpr uint64_t kPaceMs = 2000;
  static constexpr uint64_t kAnswerMs = 1000;

  // Begins at once.
  UvEtcdLook(uv_loop_t* loop, UvHttp* http, const std::vector<std::string>& servers);

  // Without `answer_ms`. A leader that is none of the servers here is known by its number alone.
  EngineStatus Status() const;

 private:
  struct Server {
    std::string address;
    EngineStatus::Contact contact = EngineStatus::Contact::kNotAsked;
    std::optional<EtcdStanding> standing = std::nullopt;
  };

  void Ask();

  UvHttp* const http_;
  std::vector<Server> servers_;
  UvTimer timer_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ETCD_LOOK_H_

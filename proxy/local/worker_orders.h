// What one worker asks of another, or of the process: made where the client's command is handled,
// carried out where it belongs, and answered in the same place. Nothing of it is read twice.

#ifndef GEMEL_PROXY_LOCAL_WORKER_ORDERS_H_
#define GEMEL_PROXY_LOCAL_WORKER_ORDERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "backend/shard/request.h"
#include "proxy/reload/reload_order.h"

namespace gemel {

class AclUsers;
class Session;

// The words behind CLIENT LIST or CLIENT KILL that choose clients. What it holds is counted
// (Budget).
class ClientFilter {
 public:
  ClientFilter() = default;
  ~ClientFilter();
  ClientFilter(const ClientFilter&) = delete;
  ClientFilter& operator=(const ClientFilter&) = delete;

  // Reads the whole command, `args`, that a session of this id has sent; these are the users. Once.
  // Empty, or what is wrong: the text of an error. Source: networking.c of Redis 7.0.
  std::string ReadList(std::span<const std::string_view> args);
  std::string ReadKill(std::span<const std::string_view> args, uint64_t own_id,
                       const AclUsers& users);

  bool Matches(const Session& session) const;
  bool old_form() const { return old_form_; }  // CLIENT KILL addr:port

 private:
  enum class Type : uint8_t { kAny, kNormal, kSubscriber, kNone };

  bool MatchesType(const Session& session) const;
  std::string ReadType(std::string_view type);
  std::string ReadFilter(std::string_view word, std::string_view value, const AclUsers& users);
  void Count();

  bool old_form_ = false;
  std::optional<std::string> addr_;
  std::optional<std::string> laddr_;
  std::optional<std::string> user_;
  std::vector<uint64_t> ids_;
  Type type_ = Type::kAny;
  uint64_t skip_id_ = 0;
  uint64_t counted_ = 0;
};

// CLIENT LIST of one worker's sessions. The reply's bytes are its lines.
struct ListClientsOrder {
  std::shared_ptr<const ClientFilter> filter;
  uint64_t own_id = 0;  // of who asks
  size_t own_size = 0;  // of what it asked with
};

// CLIENT KILL of one worker's sessions.
struct KillClientsOrder {
  std::shared_ptr<const ClientFilter> filter;
  uint64_t own_id;  // of who asks, whose replies come before its end
  uint64_t killed = 0;
};

// CLIENT UNBLOCK, of whichever worker has that session.
struct UnblockClientOrder {
  uint64_t id;
  bool error;  // it is told so
  bool done = false;
};

// CLIENT TRACKING REDIRECT: whichever worker has that session is to tell it what others track.
struct RedirectOrder {
  uint64_t id;
  bool found = false;
};

// CLIENT PAUSE and UNPAUSE of one worker's sessions.
struct PauseClientsOrder {
  bool pause;
  uint64_t for_ms = 0;
  bool all = false;
};

// CONFIG RESETSTAT of what one worker counts.
struct ResetStatsOrder {};

// PROXY RELOAD, CONFIG SET, CONFIG REWRITE: for worker 0, which keeps the config.
struct ProcessOrder {
  ReloadOrder order;
  ReloadOutcome outcome = {};
};

// The cargo of a kWorker request.
struct WorkerOrder : RequestCargo {
  using What = std::variant<ListClientsOrder, KillClientsOrder, UnblockClientOrder,
                            PauseClientsOrder, RedirectOrder, ResetStatsOrder, ProcessOrder>;
  explicit WorkerOrder(What order) : what(std::move(order)) {}
  What what;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_WORKER_ORDERS_H_

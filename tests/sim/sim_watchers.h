// Counters that clients raise by WATCH, GET, MULTI, SET, EXEC.

#ifndef GEMEL_TESTS_SIM_SIM_WATCHERS_H_
#define GEMEL_TESTS_SIM_SIM_WATCHERS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/shard/watches.h"
#include "tests/sim/sim_loop.h"

namespace gemel::sim {

// Clients that raise counters by WATCH. Nothing else writes those keys.
class Watchers : private RequestSink {
 public:
  // False: there is no proxy that takes it now.
  using Submit = std::function<bool(Request* request, const std::string& key)>;

  // `databases_of`: the database of a key.
  Watchers(Loop* loop, const CommandTable* table, std::function<uint8_t(std::string_view)> database,
           Submit submit)
      : loop_(loop), table_(table), database_(std::move(database)), submit_(std::move(submit)) {}

  // Clients of the counter `key`, until they are stopped.
  void Begin(const std::string& key, size_t clients);
  void Stop() { stopped_ = true; }
  // The proxy is gone, with all that was asked of it; or there is one again.
  void OnCrash();
  void OnStart();
  bool Idle() const;
  // What cannot be true of what the copies hold at the end.
  void Check(const std::map<std::string, std::string>& content,
             const std::function<void(std::string)>& report) const;
  uint64_t raised() const;
  uint64_t touched() const { return touched_; }

 private:
  enum class Step : uint8_t { kIdle, kWatch, kGet, kExec };
  struct Client : Request {
    Step step = Step::kIdle;
    std::string key;
    std::shared_ptr<WatchTicket> ticket;
    bool existed = false;
    std::string text;  // of the frame
  };
  struct Counter {
    uint64_t raised = 0;
    uint64_t unknown = 0;
  };

  void OnReply(Request* request, const Reply& reply) override;
  void Turn(Client* client);
  void Ask(Client* client, Step step, RequestKind kind, std::string frame, bool block);

  Loop* loop_;
  const CommandTable* table_;
  std::function<uint8_t(std::string_view)> database_;
  Submit submit_;
  std::deque<Client> clients_;
  std::map<std::string, Counter> counters_;
  uint64_t touched_ = 0;
  bool stopped_ = false;
  bool away_ = false;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_WATCHERS_H_

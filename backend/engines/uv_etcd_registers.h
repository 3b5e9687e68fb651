// The registers of a fleet in etcd (3.4 and later), over its JSON gateway.

#ifndef GEMEL_BACKEND_ENGINES_UV_ETCD_REGISTERS_H_
#define GEMEL_BACKEND_ENGINES_UV_ETCD_REGISTERS_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/engines/engine_options.h"
#include "backend/engines/etcd_messages.h"
#include "backend/engines/uv_etcd_look.h"
#include "backend/engines/uv_etcd_watch.h"
#include "backend/engines/uv_http.h"
#include "backend/fleet/registers.h"
#include "backend/life/alive.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

// A register is a key, its version the revision of its last change. One loop, one thread; it must
// turn after this is destroyed until the handles are closed. A callback may destroy it.
//
// A question goes to one server, and is brought to the next as long as it surely was not done: a
// read always, a write if it was not sent. Each server is tried once.
class UvEtcdRegisters : public Registers {
 public:
  // `options` are checked: at least one server, a prefix.
  UvEtcdRegisters(uv_loop_t* loop, EngineOptions options);
  ~UvEtcdRegisters() override;
  UvEtcdRegisters(const UvEtcdRegisters&) = delete;
  UvEtcdRegisters& operator=(const UvEtcdRegisters&) = delete;

  void Read(const std::string& name, ReadDone done) override;
  void List(const std::string& prefix, ListDone done) override;
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override;
  void set_on_change(std::function<void()> on_change) override;
  std::string place() const override;
  std::string trouble() const override { return trouble_; }
  EngineStatus Status() const override;

 private:
  using Found = std::vector<NamedRegister>;
  // `body` is empty unless it is kDone.
  using Answered = std::function<void(RegisterOutcome outcome, const std::string& body)>;
  struct Question {
    std::string_view path;
    std::string body;
    bool write = false;
    uint64_t deadline_ms = 0;
    size_t first = 0;        // the server that was asked first
    size_t tried = 0;        // servers
    bool logged_in = false;  // anew, because of this question
    uint64_t call = 0;       // 0: it waits for the token, or for its turn
    Answered done = nullptr;
  };

  uint64_t NowMs() const;
  void ListFrom(const std::string& from, const std::string& end, uint64_t deadline_ms, Found found,
                ListDone done);
  void Ask(std::string_view path, std::string body, bool write, uint64_t deadline_ms,
           Answered done);
  // Takes up all that waits for its turn.
  void Turn();
  void Send(uint64_t id);
  void OnAnswer(uint64_t id, size_t server, const HttpAnswer& answer);
  void OnRefusal(uint64_t id, size_t server, const EtcdError& error);
  // It went wrong at that server; `sent`: it may have been done.
  void TryNext(uint64_t id, size_t server, bool sent, const std::string& why);
  void Finish(uint64_t id, RegisterOutcome outcome, const std::string& body);
  bool needs_login() const { return !options_.user.empty() && token_.empty(); }
  void LogIn(uint64_t deadline_ms);
  void FailWaiting();
  // Nobody is to ask that server first.
  void Leave(size_t server);
  void BeginWatch();
  void OnWatchLost();
  // `body` made no sense.
  void NoteNonsense();
  const std::string& current() const { return options_.servers[server_]; }

  uv_loop_t* loop_;
  const EngineOptions options_;
  UvHttp http_;
  UvEtcdLook look_;
  UvTimer turn_;
  UvTimer watch_again_;
  std::map<uint64_t, Question> questions_;
  uint64_t last_id_ = 0;
  size_t server_ = 0;  // the one that is asked first
  std::string token_;
  bool logging_in_ = false;
  std::string trouble_;
  std::optional<uint64_t> answer_ms_;
  std::function<void()> on_change_;
  std::unique_ptr<UvEtcdWatch> watch_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ETCD_REGISTERS_H_

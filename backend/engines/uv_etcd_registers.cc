#include "backend/engines/uv_etcd_registers.h"

#include <algorithm>
#include <utility>

#include "backend/engines/uv_etcd_request.h"
#include "backend/uv/uv_clock.h"

namespace gemel {

namespace {

// How many registers are asked for at once: of the longest, what UvHttp takes.
constexpr uint32_t kPage = 64;
constexpr uint64_t kWatchAgainMs = 200;

}  // namespace

UvEtcdRegisters::UvEtcdRegisters(uv_loop_t* loop, EngineOptions options)
    : loop_(loop),
      options_(std::move(options)),
      http_(loop),
      look_(loop, &http_, options_.servers),
      turn_(loop, [this] { Turn(); }),
      watch_again_(loop, [this] { BeginWatch(); }) {}

UvEtcdRegisters::~UvEtcdRegisters() { alive_.End(); }

uint64_t UvEtcdRegisters::NowMs() const { return UvClock::NowMs(loop_); }

std::string UvEtcdRegisters::place() const { return "etcd at " + current(); }

EngineStatus UvEtcdRegisters::Status() const {
  EngineStatus status = look_.Status();
  status.answer_ms = answer_ms_;
  return status;
}

// --- what is asked ---

void UvEtcdRegisters::Read(const std::string& name, ReadDone done) {
  Ask(kEtcdRange, EtcdReadRequest(options_.prefix + name), false, NowMs() + options_.time_limit_ms,
      [this, done = std::move(done)](RegisterOutcome outcome, const std::string& body) {
        std::optional<EtcdRange> range;
        if (outcome == RegisterOutcome::kDone && !(range = ReadEtcdRange(body))) NoteNonsense();
        if (!range) {
          done(RegisterOutcome::kUnreachable, {});
        } else {
          done(RegisterOutcome::kDone,
               range->found.empty() ? RegisterValue() : range->found.front().value);
        }
      });
}

void UvEtcdRegisters::List(const std::string& prefix, ListDone done) {
  const std::string from = options_.prefix + prefix;
  ListFrom(from, EndOfPrefix(from), NowMs() + options_.time_limit_ms, {}, std::move(done));
}

void UvEtcdRegisters::ListFrom(const std::string& from, const std::string& end,
                               uint64_t deadline_ms, Found found, ListDone done) {
  Ask(kEtcdRange, EtcdListRequest(from, end, kPage), false, deadline_ms,
      [this, end, deadline_ms, found = std::move(found), done = std::move(done)](
          RegisterOutcome outcome, const std::string& body) mutable {
        std::optional<EtcdRange> range;
        if (outcome == RegisterOutcome::kDone && !(range = ReadEtcdRange(body))) NoteNonsense();
        if (!range) {
          done(RegisterOutcome::kUnreachable, {});
          return;
        }
        const std::string next = range->found.empty() ? "" : range->found.back().name + '\0';
        for (NamedRegister& one : range->found) {
          found.push_back({one.name.substr(options_.prefix.size()), std::move(one.value)});
        }
        if (range->more && !next.empty()) {
          ListFrom(next, end, deadline_ms, std::move(found), std::move(done));
        } else {
          done(RegisterOutcome::kDone, found);
        }
      });
}

void UvEtcdRegisters::Write(const std::string& name, uint64_t expected, const std::string& text,
                            WriteDone done) {
  Ask(kEtcdTxn, EtcdWriteRequest(options_.prefix + name, expected, text), true,
      NowMs() + options_.time_limit_ms,
      [this, done = std::move(done)](RegisterOutcome outcome, const std::string& body) {
        if (outcome != RegisterOutcome::kDone) {
          done(outcome, 0);
          return;
        }
        const std::optional<EtcdWritten> written = ReadEtcdWritten(body);
        if (!written) {
          NoteNonsense();
          done(RegisterOutcome::kUnknown, 0);
        } else {
          done(written->done ? RegisterOutcome::kDone : RegisterOutcome::kConflict,
               written->version);
        }
      });
}

void UvEtcdRegisters::NoteNonsense() { trouble_ = place() + " answered what etcd does not"; }

void UvEtcdRegisters::Ask(std::string_view path, std::string body, bool write, uint64_t deadline_ms,
                          Answered done) {
  Question question;
  question.path = path;
  question.body = std::move(body);
  question.write = write;
  question.deadline_ms = deadline_ms;
  question.done = std::move(done);
  questions_.emplace(++last_id_, std::move(question));
  turn_.Set(0);
}

// --- how it gets there ---

void UvEtcdRegisters::Turn() {
  std::vector<uint64_t> waiting;
  for (const auto& [id, question] : questions_) {
    if (question.call == 0) waiting.push_back(id);
  }
  const Alive::Watch watch = alive_.watch();
  for (const uint64_t id : waiting) {
    Send(id);
    if (watch.gone()) return;
  }
}

void UvEtcdRegisters::Send(uint64_t id) {
  const auto found = questions_.find(id);
  if (found == questions_.end() || found->second.call != 0) return;
  Question& question = found->second;
  const uint64_t now_ms = NowMs();
  if (now_ms >= question.deadline_ms || question.tried == options_.servers.size()) {
    if (trouble_.empty()) trouble_ = place() + " did not answer in time";
    Finish(id, RegisterOutcome::kUnreachable, "");
    return;
  }
  if (needs_login() && question.path != kEtcdLogin) {
    LogIn(question.deadline_ms);
    return;
  }
  const uint64_t left_ms = question.deadline_ms - now_ms;
  // What may have to be asked of others too leaves time for them.
  const uint64_t share_ms =
      std::max<uint64_t>(1, left_ms / (options_.servers.size() - question.tried));
  if (question.tried == 0) question.first = server_;
  const size_t server = (question.first + question.tried) % options_.servers.size();
  HttpRequest request = EtcdRequest(options_.servers[server], question.path);
  request.body = question.body;
  request.connect_ms = share_ms;
  request.total_ms = question.write ? left_ms : share_ms;
  if (question.path != kEtcdLogin) request.authorization = token_;
  ++question.tried;
  question.call = http_.Post(std::move(request), [this, id, server](const HttpAnswer& answer) {
    OnAnswer(id, server, answer);
  });
}

void UvEtcdRegisters::OnAnswer(uint64_t id, size_t server, const HttpAnswer& answer) {
  if (answer.status == 200) {
    trouble_.clear();
    const auto found = questions_.find(id);
    if (found != questions_.end()) {
      answer_ms_ = NowMs() - (found->second.deadline_ms - options_.time_limit_ms);
    }
    Finish(id, RegisterOutcome::kDone, answer.body);
  } else if (answer.status != 0) {
    OnRefusal(id, server, ReadEtcdError(answer.status, answer.body));
  } else {
    TryNext(id, server, answer.sent, answer.error);
  }
}

void UvEtcdRegisters::OnRefusal(uint64_t id, size_t server, const EtcdError& error) {
  if (error.kind == EtcdError::Kind::kTrouble) {
    TryNext(id, server, true, error.why);
    return;
  }
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  Question& question = found->second;
  if (error.kind == EtcdError::Kind::kLogin && !options_.user.empty() && !question.logged_in &&
      question.path != kEtcdLogin) {
    // Nothing was done. It is asked of the same server again, with a new token.
    question.logged_in = true;
    question.call = 0;
    --question.tried;
    if (!logging_in_) token_.clear();
    Send(id);
    return;
  }
  trouble_ = "etcd at " + options_.servers[server] + " refused: " + error.why;
  Finish(id, RegisterOutcome::kUnreachable, "");
}

void UvEtcdRegisters::TryNext(uint64_t id, size_t server, bool sent, const std::string& why) {
  trouble_ = "etcd at " + options_.servers[server] + " did not answer: " + why;
  Leave(server);
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  found->second.call = 0;
  if (found->second.write && sent) {
    Finish(id, RegisterOutcome::kUnknown, "");
  } else {
    Send(id);
  }
}

void UvEtcdRegisters::Finish(uint64_t id, RegisterOutcome outcome, const std::string& body) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  const Answered done = std::move(found->second.done);
  questions_.erase(found);
  done(outcome, body);
}

void UvEtcdRegisters::LogIn(uint64_t deadline_ms) {
  if (std::exchange(logging_in_, true)) return;
  Ask(kEtcdLogin, EtcdLoginRequest(options_.user, options_.password), false, deadline_ms,
      [this](RegisterOutcome outcome, const std::string& body) {
        logging_in_ = false;
        const std::optional<std::string> token = ReadEtcdToken(body);
        if (token) {
          token_ = *token;
          Turn();
          return;
        }
        if (outcome == RegisterOutcome::kDone) NoteNonsense();
        FailWaiting();
      });
}

void UvEtcdRegisters::FailWaiting() {
  std::vector<uint64_t> waiting;
  for (const auto& [id, question] : questions_) {
    if (question.call == 0) waiting.push_back(id);
  }
  const Alive::Watch watch = alive_.watch();
  for (const uint64_t id : waiting) {
    Finish(id, RegisterOutcome::kUnreachable, "");
    if (watch.gone()) return;
  }
}

void UvEtcdRegisters::Leave(size_t server) {
  if (server != server_) return;
  server_ = (server_ + 1) % options_.servers.size();
  // A watch would not notice that its server is cut off, from the others or from here; and who
  // watches is to look when there is contact again.
  watch_again_.Set(0);
}

// --- what has changed ---

void UvEtcdRegisters::set_on_change(std::function<void()> on_change) {
  on_change_ = std::move(on_change);
  if (!on_change_) {
    if (watch_ != nullptr) watch_->End();
    watch_again_.Stop();
    return;
  }
  if (watch_ != nullptr && watch_->watching()) return;
  watch_again_.Set(0);
}

void UvEtcdRegisters::BeginWatch() {
  if (!on_change_) return;
  if (watch_ == nullptr) {
    const auto told = [this] {
      const std::function<void()> on_change = on_change_;
      if (on_change) on_change();
    };
    watch_ = std::make_unique<UvEtcdWatch>(loop_, &http_, options_.prefix, options_.time_limit_ms,
                                           told, [this] { OnWatchLost(); });
  }
  if (needs_login()) {
    LogIn(NowMs() + options_.time_limit_ms);
    watch_again_.Set(kWatchAgainMs);
    return;
  }
  watch_->Begin(current(), token_);
}

void UvEtcdRegisters::OnWatchLost() {
  Leave(server_);
  watch_again_.Set(kWatchAgainMs);
}

}  // namespace gemel

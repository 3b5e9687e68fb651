#include "backend/uv/hiredis_connection.h"

#include <hiredis/async.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/tls/openssl_tls.h"
#include "backend/uv/hiredis_loop.h"
#include "backend/uv/uv_clock.h"

namespace gemel {

namespace {

using Kind = HiredisReply::Kind;

void AppendText(const redisReply& reply, std::string* text) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      *text += std::to_string(reply.integer);
      return;
    case REDIS_REPLY_NIL:
      return;
    default:
      break;
  }
  if (reply.element != nullptr) {
    for (size_t i = 0; i < reply.elements; ++i) {
      if (i > 0) *text += '\n';
      AppendText(*reply.element[i], text);
    }
  } else if (reply.str != nullptr) {
    text->append(reply.str, static_cast<size_t>(reply.len));
  }
}

// As it was, of its arrays, strings, numbers and nulls.
void AppendFrame(const redisReply& reply, std::string* frame) {
  if (reply.type == REDIS_REPLY_INTEGER) {
    AppendInteger(frame, reply.integer);
  } else if (reply.element != nullptr || reply.type == REDIS_REPLY_ARRAY) {
    AppendArrayHeader(frame, static_cast<int64_t>(reply.elements));
    for (size_t i = 0; i < reply.elements; ++i) AppendFrame(*reply.element[i], frame);
  } else if (reply.str != nullptr) {
    AppendBulk(frame, std::string_view(reply.str, static_cast<size_t>(reply.len)));
  } else {
    *frame += "$-1\r\n";
  }
}

// Why there is no connection. `code`: errno, where hiredis says that it is an I/O error.
HiredisReply ConnectFailure(const redisAsyncContext& context, int code) {
  // Of the inner context: the outer one's are not set yet when OnConnect is called.
  HiredisReply failure{Kind::kUnable, context.c.errstr};
  if (context.c.err != REDIS_ERR_IO) return failure;
  switch (code) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOENT:  // of a Unix socket
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case EAFNOSUPPORT:
      failure.kind = Kind::kRefused;
      break;
    case ETIMEDOUT:
    case EAGAIN:  // a Unix socket whose server does not accept
      failure.kind = Kind::kTimeout;
      break;
    default:
      break;
  }
  return failure;
}

HiredisConnection* Owner(const redisAsyncContext* context) {
  return static_cast<HiredisConnection*>(context->data);
}

}  // namespace

// hiredis's callbacks. A context whose `data` is null has been given up.
struct HiredisConnection::Callbacks {
  static void OnReply(redisAsyncContext* context, void* reply, void*) {
    if (HiredisConnection* owner = Owner(context)) {
      owner->OnReply(static_cast<const redisReply*>(reply));
    }
  }
  static void OnConnect(const redisAsyncContext* context, int status) {
    const int code = errno;
    HiredisConnection* owner = Owner(context);
    if (owner == nullptr) return;
    if (status == REDIS_OK) {
      owner->OnConnected();
      return;
    }
    // hiredis frees the context after this.
    HiredisReply failure = ConnectFailure(*context, code);
    owner->Forget();
    owner->OnConnectFailure(std::move(failure));
  }
  static void OnDisconnect(const redisAsyncContext* context, int) {
    if (HiredisConnection* owner = Owner(context)) owner->OnDisconnect();
  }
};

HiredisConnection::HiredisConnection(uv_loop_t* loop, HiredisNode node)
    : loop_(loop),
      node_(std::move(node)),
      dial_(
          loop, node_.address, node_.addresses, [this](const Address& number) { Connect(number); },
          [this](const std::string& why) {
            FailAll({Kind::kUnresolved, "its host name cannot be resolved: " + why});
          }),
      timer_(loop, [this] { OnTimer(); }) {}

HiredisConnection::~HiredisConnection() { Drop(); }

void HiredisConnection::Command(const std::vector<std::string>& args, uint32_t timeout_ms,
                                HiredisDone done) {
  const bool stored = !connected_ || fencing_;
  pending_.push_back({UvClock::NowMs(loop_) + timeout_ms, timeout_ms,
                      stored ? args : std::vector<std::string>(), std::move(done)});
  if (context_ != nullptr) {
    if (!fencing_) Send(args);
  } else if (!dialing_ && !failing_) {
    dialing_ = true;
    dial_.Begin();
  }
  Arm();
}

// One of the node's addresses. What waits is sent there; an attempt at another one is given up,
// where nothing of it was sent.
void HiredisConnection::Connect(const Address& number) {
  Release();
  errno = 0;
  redisAsyncContext* context = number.IsUnix()
                                   ? redisAsyncConnectUnix(number.path.c_str())
                                   : redisAsyncConnect(number.host.c_str(), number.port);
  const int code = errno;
  HiredisReply failure{Kind::kUnable, "out of memory"};
  bool good = context != nullptr;
  if (good && context->err != 0) {
    failure = ConnectFailure(*context, code);
    good = false;
  } else if (good && !AttachToLoop(context, loop_)) {
    failure.text = "the event loop cannot watch its socket";
    good = false;
  }
  if (!good) {
    if (context != nullptr) redisAsyncFree(context);
    if (dial_.Failed(failure.kind == Kind::kRefused)) return;
    if (failure.kind == Kind::kRefused && !dial_.all_refused()) failure.kind = Kind::kTimeout;
    FailLater(std::move(failure));
    Arm();
    return;
  }
  context_ = context;
  context_->data = this;
  redisAsyncSetConnectCallback(context_, &Callbacks::OnConnect);
  redisAsyncSetDisconnectCallback(context_, &Callbacks::OnDisconnect);
  AddHandshake();
  for (const Pending& pending : pending_) {
    if (!fencing_ || pending.step != Step::kCommand) Send(pending.args);
  }
}

void HiredisConnection::AddStep(Step step, std::vector<std::string> args) {
  const auto behind = std::find_if(pending_.begin(), pending_.end(), [](const Pending& pending) {
    return pending.step == Step::kCommand;
  });
  const bool waited_for = behind != pending_.end();
  Pending added{waited_for ? behind->deadline_ms : UINT64_MAX, waited_for ? behind->timeout_ms : 0,
                std::move(args), nullptr, step};
  pending_.insert(behind, std::move(added));
}

// That of another attempt is replaced.
void HiredisConnection::AddHandshake() {
  std::erase_if(pending_, [](const Pending& pending) { return pending.step != Step::kCommand; });
  if (!node_.password.empty()) {
    std::vector<std::string> auth = {"AUTH"};
    if (!node_.user.empty()) auth.push_back(node_.user);
    auth.push_back(node_.password);
    AddStep(Step::kMustBeOk, std::move(auth));
  }
  if (node_.database != 0) AddStep(Step::kMustBeOk, {"SELECT", std::to_string(node_.database)});
  if (!node_.client_name.empty()) AddStep(Step::kName, {"CLIENT", "SETNAME", node_.client_name});
  fence_.Begin(node_.others != nullptr ? node_.client_name : std::string_view());
  fencing_ = fence_.active();
  if (!fencing_) return;
  const std::vector<std::string_view> permission = TurnFence::AsksPermission();
  AddStep(Step::kMayEndOthers, {permission.begin(), permission.end()});
  AddStep(Step::kList, {"CLIENT", "LIST"});
}

std::string HiredisConnection::OnFence(Step step, const HiredisReply& answer) {
  const std::string_view command = step == Step::kName   ? "CLIENT SETNAME"
                                   : step == Step::kList ? "CLIENT LIST"
                                                         : "CLIENT KILL";
  const bool is_error = answer.kind == HiredisReply::Kind::kError;
  std::string why = TurnFence::OnAnswer(command, is_error, answer.text);
  if (!why.empty() || step != Step::kList) return why;
  TurnFence::Verdict verdict = fence_.OnList(answer.text, node_.database, node_.others);
  if (!verdict.why.empty()) return std::move(verdict.why);
  const size_t sent = pending_.size();
  for (const std::string& id : verdict.kills) {
    AddStep(Step::kEndEarlier, {"CLIENT", "KILL", "ID", id});
  }
  if (!verdict.kills.empty()) AddStep(Step::kList, {"CLIENT", "LIST"});
  fencing_ = pending_.size() > sent;
  for (Pending& pending : pending_) {
    if (fencing_ && pending.step == Step::kCommand) break;
    Send(std::exchange(pending.args, {}));
  }
  return {};
}

// False: the connection was given up.
bool HiredisConnection::OnHandshake(Step step, HiredisReply answer) {
  if (step != Step::kMustBeOk) {
    if (!fence_.active()) return true;
    const std::string why = OnFence(step, answer);
    if (why.empty()) return true;
    answer = {Kind::kUnable, why};
  } else if (answer.kind != Kind::kError) {
    return true;
  }
  Release();
  FailAll(std::move(answer));
  return false;
}

bool HiredisConnection::BeginTls() {
  std::unique_ptr<OpensslChannel> channel =
      node_.of_coordinator ? TlsToCoordinator(node_.address) : TlsToNode(node_.address);
  int ends[2];
  if (channel == nullptr ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return false;
  }
  UniqueFd ours(ends[0]);
  UniqueFd wire = ExchangeSocket(context_, UniqueFd(ends[1]));
  if (!wire.valid()) return false;
  tunnel_ = UvTlsTunnel::Open(loop_, std::move(wire), std::move(ours), std::move(channel));
  return tunnel_ != nullptr;
}

void HiredisConnection::OnConnected() {
  if (node_.address.tls && !BeginTls()) {
    FailLater({Kind::kUnable, "TLS cannot begin: no descriptors or no memory"});
    Arm();
    return;
  }
  connected_ = true;
  dialing_ = false;
  dial_.Connected();
  for (Pending& pending : pending_) {
    if (!fencing_ || pending.step != Step::kCommand) pending.args.clear();
  }
}

void HiredisConnection::OnConnectFailure(HiredisReply failure) {
  if (dial_.Failed(failure.kind == Kind::kRefused)) return;
  if (failure.kind == Kind::kRefused && !dial_.all_refused()) failure.kind = Kind::kTimeout;
  FailAll(std::move(failure));
}

void HiredisConnection::Send(const std::vector<std::string>& args) {
  if (failing_) return;
  std::vector<const char*> data;
  std::vector<size_t> sizes;
  for (const std::string& arg : args) {
    data.push_back(arg.data());
    sizes.push_back(arg.size());
  }
  if (redisAsyncCommandArgv(context_, &Callbacks::OnReply, nullptr, static_cast<int>(args.size()),
                            data.data(), sizes.data()) != REDIS_OK) {
    FailLater({Kind::kUnable, "hiredis does not take the command"});
  }
}

void HiredisConnection::OnReply(const redisReply* reply) {
  if (reply == nullptr) {
    HiredisReply failure{Kind::kLost, "the connection was lost"};
    if (context_->errstr != nullptr && context_->errstr[0] != '\0') {
      failure.text += std::string(": ") + context_->errstr;
    }
    if (tunnel_ != nullptr && !tunnel_->error().empty()) {
      failure.text = "the connection was lost: " + tunnel_->error();
    }
    Forget();  // hiredis frees it after this
    FailAll(std::move(failure));
    return;
  }
  HiredisReply answer;
  if (reply->type == REDIS_REPLY_ERROR) answer.kind = Kind::kError;
  AppendText(*reply, &answer.text);
  if (reply->type == REDIS_REPLY_ARRAY) AppendFrame(*reply, &answer.frame);
  const Step step = pending_.front().step;
  HiredisDone done = std::move(pending_.front().done);
  pending_.pop_front();
  if (step != Step::kCommand && !OnHandshake(step, std::move(answer))) return;
  const redisReader* reader = context_->c.reader;
  if (pending_.empty() && reader->pos < reader->len) {
    // More than was asked for, at which hiredis 0.14 would assert.
    Release();
  }
  Arm();
  if (done) done(answer);
}

void HiredisConnection::OnDisconnect() {
  Forget();
  // What was pending has failed already, since hiredis calls it first.
  const std::function<void()> on_idle_close = on_idle_close_;
  if (on_idle_close) on_idle_close();
}

void HiredisConnection::Arm() {
  if (pending_.empty()) {
    timer_.Stop();
    return;
  }
  uint64_t deadline_ms = UINT64_MAX;
  for (const Pending& pending : pending_) deadline_ms = std::min(deadline_ms, pending.deadline_ms);
  const uint64_t now_ms = UvClock::NowMs(loop_);
  timer_.Set(failing_ || deadline_ms <= now_ms ? 0 : deadline_ms - now_ms);
}

void HiredisConnection::OnTimer() {
  if (failing_) {
    Release();
    FailAll(std::move(failure_));
    return;
  }
  const uint64_t now_ms = UvClock::NowMs(loop_);
  const auto late =
      std::find_if(pending_.begin(), pending_.end(),
                   [now_ms](const Pending& pending) { return pending.deadline_ms <= now_ms; });
  if (late == pending_.end()) {
    Arm();
    return;
  }
  HiredisReply failure{Kind::kTimeout, connected_ ? "no answer within " : "no connection within "};
  failure.text += std::to_string(late->timeout_ms) + " ms";
  if (dialing_ && dial_.resolving()) {
    failure.kind = Kind::kUnresolved;
    failure.text += ": its host name is not resolved yet";
  }
  Release();
  FailAll(std::move(failure));
}

void HiredisConnection::Forget() {
  context_->data = nullptr;
  context_ = nullptr;
  tunnel_.reset();
  connected_ = false;
}

void HiredisConnection::Release() {
  if (context_ == nullptr) return;
  redisAsyncContext* context = context_;
  Forget();
  redisAsyncFree(context);  // inside a reply's callback: after it
}

void HiredisConnection::Drop() {
  Release();
  dialing_ = false;
  dial_.Stop();
  pending_.clear();
  failing_ = false;
  timer_.Stop();
}

void HiredisConnection::FailAll(HiredisReply reply) {
  failing_ = dialing_ = false;
  dial_.Stop();
  timer_.Stop();
  std::deque<Pending> pending;
  pending.swap(pending_);
  const Alive::Watch alive = alive_.watch();
  for (const Pending& failed : pending) {
    if (failed.done) failed.done(reply);
    if (alive.gone()) return;
  }
}

void HiredisConnection::FailLater(HiredisReply reply) {
  failing_ = true;
  failure_ = std::move(reply);
}

}  // namespace gemel

#include "backend/uv/hiredis_connection.h"

#include <hiredis/async.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backend/uv/hiredis_loop.h"

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

// Why there is no connection. `code`: errno, where hiredis says that it is an I/O error.
HiredisReply ConnectFailure(const redisAsyncContext& context, int code) {
  // Of the inner context: the outer one's are not set yet when OnConnect is called.
  HiredisReply failure{Kind::kUnable, context.c.errstr};
  if (context.c.err != REDIS_ERR_IO) {
    failure.kind = Kind::kTimeout;  // its name cannot be resolved
    return failure;
  }
  switch (code) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOENT:  // of a Unix socket
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
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
      owner->connected_ = true;
      return;
    }
    // hiredis frees the context after this.
    HiredisReply failure = ConnectFailure(*context, code);
    owner->Forget();
    owner->FailAll(std::move(failure));
  }
  static void OnDisconnect(const redisAsyncContext* context, int) {
    if (HiredisConnection* owner = Owner(context)) owner->OnDisconnect();
  }
};

HiredisConnection::HiredisConnection(uv_loop_t* loop, HiredisNode node)
    : loop_(loop), node_(std::move(node)), timer_(loop, [this] { OnTimer(); }) {}

HiredisConnection::~HiredisConnection() { Drop(); }

void HiredisConnection::Command(const std::vector<std::string>& args, uint32_t timeout_ms,
                                HiredisDone done) {
  Pending pending{uv_now(loop_) + timeout_ms, timeout_ms, std::move(done)};
  if (context_ == nullptr && !failing_ && Connect()) {
    const Pending handshake{pending.deadline_ms, timeout_ms, nullptr};
    if (!node_.password.empty()) {
      std::vector<std::string> auth = {"AUTH"};
      if (!node_.user.empty()) auth.push_back(node_.user);
      auth.push_back(node_.password);
      Send(auth, handshake);
    }
    if (node_.database != 0) Send({"SELECT", std::to_string(node_.database)}, handshake);
    if (!node_.client_name.empty()) {
      Send({"CLIENT", "SETNAME", node_.client_name},
           {pending.deadline_ms, timeout_ms, [](const HiredisReply&) {}});
    }
  }
  Send(args, std::move(pending));
  Arm();
}

bool HiredisConnection::Connect() {
  const Address& address = node_.address;
  errno = 0;
  redisAsyncContext* context = address.IsUnix()
                                   ? redisAsyncConnectUnix(address.path.c_str())
                                   : redisAsyncConnect(address.host.c_str(), address.port);
  const int code = errno;
  if (context == nullptr) {
    FailLater({Kind::kUnable, "out of memory"});
    return false;
  }
  if (context->err != 0) {
    FailLater(ConnectFailure(*context, code));
    redisAsyncFree(context);
    return false;
  }
  if (!AttachToLoop(context, loop_)) {
    FailLater({Kind::kUnable, "the event loop cannot watch its socket"});
    redisAsyncFree(context);
    return false;
  }
  context_ = context;
  context_->data = this;
  connected_ = false;
  redisAsyncSetConnectCallback(context_, &Callbacks::OnConnect);
  redisAsyncSetDisconnectCallback(context_, &Callbacks::OnDisconnect);
  return true;
}

void HiredisConnection::Send(const std::vector<std::string>& args, Pending pending) {
  pending_.push_back(std::move(pending));
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
    Forget();  // hiredis frees it after this
    FailAll(std::move(failure));
    return;
  }
  HiredisReply answer;
  if (reply->type == REDIS_REPLY_ERROR) answer.kind = Kind::kError;
  AppendText(*reply, &answer.text);
  const bool handshake = pending_.front().done == nullptr;
  if (handshake && answer.kind == Kind::kError) {
    Release();
    FailAll(std::move(answer));
    return;
  }
  HiredisDone done = std::move(pending_.front().done);
  pending_.pop_front();
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
  const uint64_t now_ms = uv_now(loop_);
  timer_.Set(failing_ || deadline_ms <= now_ms ? 0 : deadline_ms - now_ms);
}

void HiredisConnection::OnTimer() {
  if (failing_) {
    Release();
    FailAll(std::move(failure_));
    return;
  }
  const uint64_t now_ms = uv_now(loop_);
  const auto late =
      std::find_if(pending_.begin(), pending_.end(),
                   [now_ms](const Pending& pending) { return pending.deadline_ms <= now_ms; });
  if (late == pending_.end()) {
    Arm();
    return;
  }
  HiredisReply failure{Kind::kTimeout, connected_ ? "no answer within " : "no connection within "};
  failure.text += std::to_string(late->timeout_ms) + " ms";
  Release();
  FailAll(std::move(failure));
}

void HiredisConnection::Forget() {
  context_->data = nullptr;
  context_ = nullptr;
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
  pending_.clear();
  failing_ = false;
  timer_.Stop();
}

void HiredisConnection::FailAll(HiredisReply reply) {
  failing_ = false;
  timer_.Stop();
  std::deque<Pending> pending;
  pending.swap(pending_);
  const std::weak_ptr<char> alive = alive_;
  for (const Pending& failed : pending) {
    if (failed.done) failed.done(reply);
    if (alive.expired()) return;
  }
}

void HiredisConnection::FailLater(HiredisReply reply) {
  failing_ = true;
  failure_ = std::move(reply);
}

}  // namespace gemel

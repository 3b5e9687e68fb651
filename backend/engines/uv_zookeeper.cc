#include "backend/engines/uv_zookeeper.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "backend/names/node_addresses.h"
#include "config/address.h"

namespace gemel {

namespace {

// The client pings in a third of it. How long the session outlives its connection is of no matter.
constexpr int kSessionMs = 6000;
constexpr uint64_t kRetryMs = 100;

}  // namespace

void UvZookeeper::CloseHandle::operator()(zhandle_t* handle) const { zookeeper_close(handle); }

void UvZookeeper::ClosePoll::operator()(uv_poll_t* poll) const {
  uv_poll_stop(poll);  // at once: the client closes the socket, or has
  uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* closed) {
    std::unique_ptr<uv_poll_t>(reinterpret_cast<uv_poll_t*>(closed)).reset();
  });
}

UvZookeeper::UvZookeeper(uv_loop_t* loop, Options options, Calls calls)
    : loop_(loop),
      options_(std::move(options)),
      calls_(std::move(calls)),
      timer_(loop, [this] { Step(0); }),
      connect_timer_(loop, [this] { OnConnectTime(); }) {
  static std::once_flag once;  // it is the process's: it would write to standard error
  std::call_once(once, [] { zoo_set_debug_level(static_cast<ZooLogLevel>(0)); });
  timer_.Set(0);
}

UvZookeeper::~UvZookeeper() {
  alive_.End();
  Drop();
}

void UvZookeeper::OnEvent(zhandle_t*, int type, int state, const char*, void* self) {
  if (type == ZOO_SESSION_EVENT) static_cast<UvZookeeper*>(self)->OnSession(state);
}

void UvZookeeper::OnSession(int state) {
  connected_ = state == ZOO_CONNECTED_STATE;
  if (connected_) {
    trouble_.clear();
    connect_timer_.Stop();
    calls_.connected();
    return;
  }
  if (state == ZOO_EXPIRED_SESSION_STATE) {
    renew_ = true;
  } else if (state == ZOO_AUTH_FAILED_STATE) {
    trouble_ = "it refused the user or the password";
    renew_ = true;
  } else {
    connect_timer_.Set(options_.connect_ms);
  }
}

void UvZookeeper::OnConnectTime() {
  if (trouble_.empty()) trouble_ = "it did not take the connection in time";
  renew_ = true;
  Step(0);
}

void UvZookeeper::Renew() {
  renew_ = true;
  timer_.Set(0);
}

void UvZookeeper::Open() {
  opened_ = true;
  connect_timer_.Set(options_.connect_ms);
  std::string ignored;
  const std::optional<Address> address = ParseAddress(server(), &ignored);
  if (!address || IsNumber(address->host)) {
    Connect(server());
    return;
  }
  // The client would look it up itself, and block the loop.
  question_ = UvNames::Process().Ask(
      loop_, address->host, 0, [this, port = address->port](const NameAnswer& answer) {
        std::string addresses;
        for (const std::string& number : answer.addresses) {
          Address one;
          one.host = number;
          one.port = port;
          addresses += (addresses.empty() ? "" : ",") + one.ToString();
        }
        if (addresses.empty()) {
          trouble_ = answer.error;
          return;
        }
        Connect(addresses);
        Interest();
      });
}

void UvZookeeper::Connect(const std::string& addresses) {
  // One server, so that it is this that chooses which.
  handle_.reset(zookeeper_init2(addresses.c_str(), OnEvent, kSessionMs, nullptr, this,
                                ZOO_NO_LOG_CLIENTENV, nullptr));
  if (handle_ == nullptr) {
    trouble_ = std::string("it cannot be found: ") + strerror(errno);
    return;
  }
  if (!options_.user.empty()) {
    const std::string digest = options_.user + ":" + options_.password;
    zoo_add_auth(handle_.get(), "digest", digest.data(), static_cast<int>(digest.size()), nullptr,
                 nullptr);
  }
}

void UvZookeeper::Drop() {
  connected_ = false;
  connect_timer_.Stop();
  question_.reset();
  // What the client still wants to say in the end it would wait for, up to three seconds.
  if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
  poll_.reset();
  fd_ = -1;
  handle_.reset();
  connected_ = false;
}

void UvZookeeper::Flush() {
  if (handle_ != nullptr) Interest();
}

void UvZookeeper::Step(int events) {
  if (handle_ != nullptr) {
    const int result = zookeeper_process(handle_.get(), events);
    if (result == ZCONNECTIONLOSS && trouble_.empty()) trouble_ = "it ended the connection";
  }
  if (!opened_) Open();
  if (handle_ != nullptr && is_unrecoverable(handle_.get()) != 0) renew_ = true;
  if (std::exchange(renew_, false)) {
    Drop();
    server_ = (server_ + 1) % options_.servers.size();
    opened_ = false;
    calls_.renewed();
    timer_.Set(kRetryMs);
  } else {
    Interest();
  }
  calls_.after();
}

void UvZookeeper::Interest() {
  if (handle_ == nullptr) return;
  if (renew_) {
    timer_.Set(0);
    return;
  }
  int fd = -1;
  int interest = 0;
  timeval wait = {};
  errno = 0;
  const int result = zookeeper_interest(handle_.get(), &fd, &interest, &wait);
  if (result != ZOK) {
    if (trouble_.empty()) trouble_ = errno != 0 ? strerror(errno) : zerror(result);
    fd = -1;
  }
  Watch(fd, interest);
  const uint64_t wait_ms =
      static_cast<uint64_t>(wait.tv_sec) * 1000 + static_cast<uint64_t>(wait.tv_usec) / 1000 + 1;
  timer_.Set(result == ZOK ? wait_ms : kRetryMs);
}

void UvZookeeper::Watch(int fd, int interest) {
  if (fd != fd_) poll_.reset();
  fd_ = fd;
  if (fd < 0) return;
  if (poll_ == nullptr) {
    auto made = std::make_unique<uv_poll_t>();
    if (uv_poll_init(loop_, made.get(), fd) != 0) return;  // it is tried again at the timer
    made->data = this;
    poll_.reset(made.release());
  }
  const int events = ((interest & ZOOKEEPER_READ) != 0 ? UV_READABLE : 0) |
                     ((interest & ZOOKEEPER_WRITE) != 0 ? UV_WRITABLE : 0);
  // Also if nothing has changed: it may be another socket of the same number.
  uv_poll_start(poll_.get(), events, OnPoll);
}

void UvZookeeper::OnPoll(uv_poll_t* poll, int status, int events) {
  int what = 0;
  if (status < 0 || (events & UV_READABLE) != 0) what |= ZOOKEEPER_READ;
  if (status < 0 || (events & UV_WRITABLE) != 0) what |= ZOOKEEPER_WRITE;
  static_cast<UvZookeeper*>(poll->data)->Step(what);
}

}  // namespace gemel

#include "proxy/worker/uv_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "backend/names/node_addresses.h"
#include "backend/uv/uv_names.h"
#include "proxy/log/log.h"
#include "proxy/worker/posix_socket_file.h"

namespace gemel {

namespace {

constexpr int kBacklog = 1024;
// Between them others have their turn.
constexpr int kAcceptsAtOnce = 64;
// After one that failed for want of descriptors or memory.
constexpr uint64_t kPauseMs = 100;

// For a listener's name to be looked up.
constexpr uint64_t kNameMs = 10000;

struct Place {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Where one of the host's addresses, in numbers, is.
std::optional<Place> PlaceOf(const std::string& number, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(number.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return std::nullopt;
  }
  Place place;
  place.size = found->ai_addrlen;
  std::memcpy(&place.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return place;
}

// All that the host has; none and *error if it is not known.
std::vector<Place> PlacesOf(const Address& address, std::string* error) {
  NameAnswer found;
  if (IsNumber(address.host)) {
    found.addresses = {address.host};
  } else {
    found = UvNames::Process().Resolve({address.host}, kNameMs)[0];
  }
  std::vector<Place> places;
  for (const std::string& number : found.addresses) {
    if (auto place = PlaceOf(number, address.port)) places.push_back(*place);
  }
  *error = found.error.empty() ? "it has no address of a known kind" : found.error;
  return places;
}

bool Overlap(const Place& one, const Place& other) {
  if (one.storage.ss_family != other.storage.ss_family) return false;
  if (one.storage.ss_family == AF_INET) {
    const auto of = [](const Place& place) {
      return reinterpret_cast<const sockaddr_in*>(&place.storage)->sin_addr.s_addr;
    };
    return of(one) == of(other) || of(one) == INADDR_ANY || of(other) == INADDR_ANY;
  }
  const in6_addr& a = reinterpret_cast<const sockaddr_in6*>(&one.storage)->sin6_addr;
  const in6_addr& b = reinterpret_cast<const sockaddr_in6*>(&other.storage)->sin6_addr;
  return std::memcmp(&a, &b, sizeof(a)) == 0 || IN6_IS_ADDR_UNSPECIFIED(&a) ||
         IN6_IS_ADDR_UNSPECIFIED(&b);
}

// Whether the system takes both for one place to listen on: equal, or one of them is all addresses.
bool Overlap(const Address& one, const Address& other) {
  if (one.IsUnix() || other.IsUnix() || one.port != other.port) return false;
  std::string ignored;
  const std::vector<Place> others = PlacesOf(other, &ignored);
  for (const Place& place : PlacesOf(one, &ignored)) {
    for (const Place& listened : others) {
      if (Overlap(place, listened)) return true;
    }
  }
  return false;
}

std::string Sentence(const Address& address, const std::vector<Address>& own, int code) {
  std::string text = "cannot listen on " + address.ToString() + ": " + std::strerror(code);
  const auto mine = std::find_if(own.begin(), own.end(), [&](const Address& listened) {
    return code == EADDRINUSE && Overlap(address, listened);
  });
  if (mine != own.end()) {
    text += "; gemel itself listens on " + mine->ToString() +
            " there, also while it changes from the one to the other: go over in two steps, with "
            "another port or a unix: path in between";
  } else if (code == EADDRINUSE) {
    text += "; another process listens there: stop it or choose another address in [proxy] listen";
  } else if (code == EADDRNOTAVAIL) {
    text += "; it is no address of this machine";
  } else if (code == EACCES) {
    text += "; ports below 1024 and other users' folders need permission";
  }
  return text;
}

// How an address is asked for.
enum class Use {
  kProbe,  // whether it is free; not listened on, for who connects then would be cut off
  kShare,  // with other sockets of this process; listened on later
  kAlone,
};

UniqueFd MakeSocket(const sockaddr* address, socklen_t size, Use use, int* code) {
  UniqueFd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (socket.get() < 0) {
    *code = errno;
    return {};
  }
  if (address->sa_family != AF_UNIX) {
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (use == Use::kShare) setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (address->sa_family == AF_INET6) {
      setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
  }
  if (::bind(socket.get(), address, size) != 0 ||
      (use == Use::kAlone && ::listen(socket.get(), kBacklog) != 0)) {
    *code = errno;
    return {};
  }
  return socket;
}

// `count` sockets for one address. False and *code if that cannot be; some may be added then.
bool BindPlace(const Place& place, uint32_t count, std::vector<UniqueFd>* sockets, int* code) {
  // SO_REUSEPORT would let us share the port with another gemel without a word: so first ask for it
  // alone.
  if (count > 1 && MakeSocket(place.address(), place.size, Use::kProbe, code).get() < 0) {
    return false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    UniqueFd socket =
        MakeSocket(place.address(), place.size, count > 1 ? Use::kShare : Use::kAlone, code);
    if (socket.get() < 0) return false;
    sockets->push_back(std::move(socket));
  }
  return true;
}

// A socket's file that is left from a process that died is in the way of bind. Only if nobody is
// behind it for certain it is removed: one whose backlog is full does not answer either, nor does
// one of another kind (a log daemon's).
bool ClearOldSocket(const sockaddr_un& address, int* code) {
  struct stat status {};
  if (::lstat(address.sun_path, &status) != 0) return true;
  if (!S_ISSOCK(status.st_mode)) {
    *code = EEXIST;
    return false;
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool answers =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  if (!answers && errno == ENOENT) return true;
  if (answers || errno != ECONNREFUSED) {
    *code = answers || errno == EAGAIN || errno == EPROTOTYPE ? EADDRINUSE : errno;
    return false;
  }
  struct stat now {};
  const bool same = ::lstat(address.sun_path, &now) == 0 && now.st_dev == status.st_dev &&
                    now.st_ino == status.st_ino;
  if (same) ::unlink(address.sun_path);
  return true;
}

}  // namespace

std::vector<UniqueFd> BindListeners(const Address& address, uint32_t count,
                                    const std::vector<Address>& own, std::string* error) {
  std::vector<UniqueFd> sockets;
  int code = 0;
  if (address.IsUnix()) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (address.path.size() >= sizeof(name.sun_path)) {
      *error = "cannot listen on " + address.ToString() + ": the path is longer than " +
               std::to_string(sizeof(name.sun_path) - 1) + " bytes";
      return {};
    }
    std::memcpy(name.sun_path, address.path.c_str(), address.path.size() + 1);
    UniqueFd first;
    if (ClearOldSocket(name, &code)) {
      first =
          MakeSocket(reinterpret_cast<const sockaddr*>(&name), sizeof(name), Use::kAlone, &code);
    }
    if (first.get() < 0) {
      *error = Sentence(address, own, code);
      return {};
    }
    KeepSocketFile(address.path);
    for (uint32_t i = 1; i < count; ++i) {
      sockets.emplace_back(::fcntl(first.get(), F_DUPFD_CLOEXEC, 0));
      if (!sockets.back().valid()) {
        *error = Sentence(address, own, errno);
        RemoveSocketFile(address.path);
        return {};
      }
    }
    sockets.push_back(std::move(first));
    return sockets;
  }
  std::string why;
  const std::vector<Place> places = PlacesOf(address, &why);
  if (places.empty()) {
    *error = "cannot listen on " + address.ToString() + ": the host is not known (" + why + ")";
    return {};
  }
  // Names have addresses that this machine has no more, or not yet: ::1 where there is no v6.
  int absent = 0;
  for (const Place& place : places) {
    if (BindPlace(place, count, &sockets, &code)) continue;
    if (places.size() > 1 && (code == EADDRNOTAVAIL || code == EAFNOSUPPORT)) {
      absent = code;
      continue;
    }
    *error = Sentence(address, own, code);
    return {};
  }
  if (sockets.empty()) *error = Sentence(address, own, absent);
  return sockets;
}

struct UvListener::Handle {
  UvListener* owner;
  UniqueFd socket;
  bool is_unix;
  uv_poll_t poll;
  uv_timer_t pause;
  int open_handles = 1;
  int status = 0;  // libuv's: whether it can be watched

  static void OnClosed(uv_handle_t* handle) {
    Handle* self = static_cast<Handle*>(handle->data);
    if (--self->open_handles == 0) delete self;
  }
};

UvListener::UvListener(uv_loop_t* loop, UniqueFd socket, bool unix_socket,
                       OnConnection on_connection)
    : handle_(new Handle{}), on_connection_(std::move(on_connection)) {
  handle_->owner = this;
  handle_->socket = std::move(socket);
  handle_->is_unix = unix_socket;
  handle_->status = uv_poll_init(loop, &handle_->poll, handle_->socket.get());
  if (handle_->status == 0) ++handle_->open_handles;
  uv_timer_init(loop, &handle_->pause);
  handle_->poll.data = handle_->pause.data = handle_;
}

UvListener::~UvListener() {
  handle_->owner = nullptr;
  if (handle_->status == 0) {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll), Handle::OnClosed);
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->pause), Handle::OnClosed);
  handle_->socket = UniqueFd();  // the loop has let go of it
}

bool UvListener::Start(std::string* error) {
  int status = handle_->status;
  if (status == 0 && ::listen(handle_->socket.get(), kBacklog) != 0) status = -errno;
  if (status == 0) {
    status = uv_poll_start(&handle_->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
      UvListener* self = static_cast<Handle*>(poll->data)->owner;
      if (self != nullptr) self->Accept();
    });
  }
  if (status != 0) *error = uv_strerror(status);
  return status == 0;
}

int UvListener::Pause() {
  if (handle_->status == 0) uv_poll_stop(&handle_->poll);
  uv_timer_stop(&handle_->pause);
  return handle_->socket.get();
}

// kFailed: for *code. Who hung up meanwhile is passed over.
UvListener::Step UvListener::AcceptOne(int* code) {
  for (;;) {
    UniqueFd socket(
        ::accept4(handle_->socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      on_connection_(std::move(socket), handle_->is_unix);
      return Step::kAccepted;
    }
    *code = errno;
    if (*code == EAGAIN) return Step::kNobody;
    if (*code != EINTR && *code != ECONNABORTED && *code != EPROTO) return Step::kFailed;
  }
}

void UvListener::AcceptRest() {
  int code = 0;
  // More than the backlog cannot have waited: who comes faster than that goes on coming.
  for (int i = 0; i <= kBacklog; ++i) {
    if (AcceptOne(&code) != Step::kAccepted) return;
  }
}

void UvListener::Accept() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    int code = 0;
    const Step step = AcceptOne(&code);
    if (step == Step::kAccepted) continue;
    if (step == Step::kNobody) return;
    // Out of descriptors or memory: who comes waits in the backlog.
    Log(NoteLevel::kError, "cannot accept a connection: " + std::string(std::strerror(code)) +
                               "; who comes waits (see ulimit -n and [limits] max_clients)");
    uv_poll_stop(&handle_->poll);
    uv_timer_start(
        &handle_->pause,
        [](uv_timer_t* timer) {
          UvListener* self = static_cast<Handle*>(timer->data)->owner;
          std::string error;
          if (self != nullptr && !self->Start(&error)) {
            Log(NoteLevel::kError, "cannot accept connections: " + error);
          }
        },
        kPauseMs, 0);
    return;
  }
}

}  // namespace gemel

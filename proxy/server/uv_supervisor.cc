#include "proxy/server/uv_supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "backend/bytes/printable.h"

namespace gemel {

namespace {

constexpr uint64_t kStartAgainMs = 100;
constexpr size_t kMaxStatus = 500;

std::string_view Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<uint64_t> NumberIn(const char* name) {
  const std::string_view text = Environment(name);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// How often it is to be told that the process lives, twice in the time that is given; 0: never.
uint64_t BeatMs() {
  const std::optional<uint64_t> usec = NumberIn("WATCHDOG_USEC");
  if (!usec || *usec == 0) return 0;
  // Of whoever started this process, if the environment was handed on.
  const std::optional<uint64_t> pid = NumberIn("WATCHDOG_PID");
  if (pid && *pid != static_cast<uint64_t>(::getpid())) return 0;
  return std::max<uint64_t>(1, *usec / 2000);
}

}  // namespace

UvSupervisor::UvSupervisor() {
  const std::string_view address = Environment("NOTIFY_SOCKET");
  // A path, or a name in the abstract.
  if (address.size() < 2 || address.size() >= sizeof(sockaddr_un::sun_path)) return;
  if (address[0] != '/' && address[0] != '@') return;
  socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_.valid()) return;
  address_ = address;
  beat_ms_ = BeatMs();
}

void UvSupervisor::Ready(uv_loop_t* loop, std::vector<const WorkerStats*> workers,
                         std::string status) {
  if (address_.empty()) return;
  ready_ = true;
  status_ = std::move(status);
  again_ = std::make_unique<UvTimer>(loop, [this] { Tell(std::exchange(untold_, {})); });
  Tell("READY=1\nSTATUS=" + status_);
  if (beat_ms_ == 0) return;
  beats_ = std::make_unique<WorkerBeats>(std::move(workers));
  beat_ = std::make_unique<UvTimer>(loop, [this] { OnBeat(); });
  beat_->Set(beat_ms_);
}

void UvSupervisor::OnBeat() {
  if (beats_->AllMoved()) Send("WATCHDOG=1");
  beat_->Set(beat_ms_);
}

void UvSupervisor::Reloading() {
  if (!ready_ || stopping_) return;
  Tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(uv_hrtime() / 1000) +
       "\nSTATUS=reads its config again");
}

void UvSupervisor::Reloaded(std::string_view error) {
  TellReady(error.empty() ? std::string() : "the last reload was refused: ", error);
}

void UvSupervisor::UpgradeRefused(std::string_view why) {
  TellReady("the last upgrade was refused: ", why);
}

void UvSupervisor::TellReady(const std::string& refused, std::string_view why) {
  if (!ready_ || stopping_) return;
  std::string status = status_;
  // One line: what follows it would be another statement.
  if (!refused.empty()) status += "; " + refused + Printable(why.substr(0, kMaxStatus));
  Tell("READY=1\nSTATUS=" + status);
}

void UvSupervisor::Stopping() {
  if (!ready_ || std::exchange(stopping_, true)) return;
  Tell("STOPPING=1\nSTATUS=answers what is in flight, and stops");
}

void UvSupervisor::Close() {
  beat_.reset();
  again_.reset();
  ready_ = false;
}

// Each says all that counts, so the last one is enough.
void UvSupervisor::Tell(std::string message) {
  untold_.clear();
  if (message.empty() || Send(message)) return;
  untold_ = std::move(message);
  if (again_) again_->Set(kStartAgainMs);
}

// False: it is to be tried again.
bool UvSupervisor::Send(std::string_view message) const {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const ssize_t sent =
      ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&to), size);
  return sent >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

}  // namespace gemel

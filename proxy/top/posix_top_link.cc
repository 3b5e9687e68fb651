#include "proxy/top/posix_top_link.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "config/errno_text.h"

namespace gemel {

namespace {

constexpr timeval kPatience{5, 0};
constexpr size_t kAtOnce = 64 << 10;

std::string WhyFailed() {
  return errno == EAGAIN || errno == EINPROGRESS ? "it does not answer" : ErrnoText(errno);
}

}  // namespace

bool TopLink::Connect(const std::string& host, const std::string& port, std::string* error) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found); code != 0) {
    *error = ::gai_strerror(code);
    return false;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, ::freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    socket_ = UniqueFd(::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol));
    if (socket_.valid()) {
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
      if (::connect(socket_.get(), at->ai_addr, at->ai_addrlen) == 0) return true;
    }
    *error = WhyFailed();
  }
  socket_ = UniqueFd();
  return false;
}

bool TopLink::Ask(std::initializer_list<std::string_view> words, std::string* reply,
                  std::string* error) {
  std::string command;
  AppendCommand(&command, std::vector<std::string_view>(words));
  return Send(command, error) && Receive(reply, error);
}

bool TopLink::Send(std::string_view bytes, std::string* error) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      *error = WhyFailed();
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool TopLink::Receive(std::string* reply, std::string* error) {
  ReplyReader reader;
  while (true) {
    const ReplyReader::Status status = reader.Read(input_.data(), input_.size(), {});
    if (status == ReplyReader::Status::kReply) {
      *reply = input_.substr(0, reader.size());
      input_.erase(0, reader.size());
      return true;
    }
    if (status == ReplyReader::Status::kError) {
      *error = "what answers there is no gemel";
      return false;
    }
    const size_t before = input_.size();
    input_.resize(before + kAtOnce);
    const ssize_t came = ::recv(socket_.get(), input_.data() + before, kAtOnce, 0);
    input_.resize(before + (came > 0 ? static_cast<size_t>(came) : 0));
    if (came > 0 || (came < 0 && errno == EINTR)) continue;
    *error = came == 0 ? "it has closed the connection" : WhyFailed();
    return false;
  }
}

}  // namespace gemel

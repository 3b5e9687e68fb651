#include "backend/uv/uv_host_watch.h"

#include <arpa/inet.h>

#include <memory>
#include <utility>

namespace gemel {

namespace {

bool IsNumber(const std::string& host) {
  in6_addr bytes;
  return inet_pton(AF_INET, host.c_str(), &bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &bytes) == 1;
}

// In numbers, without the port.
std::string HostText(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    uv_ip4_name(reinterpret_cast<const sockaddr_in*>(address), text, sizeof(text));
  } else if (address->sa_family == AF_INET6) {
    uv_ip6_name(reinterpret_cast<const sockaddr_in6*>(address), text, sizeof(text));
  }
  return text;
}

}  // namespace

struct UvHostWatch::Question {
  uv_getaddrinfo_t request;
  UvHostWatch* owner;
};

UvHostWatch::UvHostWatch(uv_loop_t* loop, Address address, std::function<std::string()> peer,
                         std::function<void(const std::string&)> moved)
    : loop_(loop),
      address_(std::move(address)),
      is_name_(!address_.IsUnix() && !IsNumber(address_.host)),
      peer_(std::move(peer)),
      moved_(std::move(moved)) {}

UvHostWatch::~UvHostWatch() {
  if (question_ == nullptr) return;
  question_->owner = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&question_->request));
}

void UvHostWatch::Look() {
  if (!is_name_ || question_ != nullptr || peer_().empty()) return;
  auto question = std::make_unique<Question>();
  question->owner = this;
  question->request.data = question.get();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const int status = uv_getaddrinfo(
      loop_, &question->request,
      [](uv_getaddrinfo_t* request, int result, addrinfo* found) {
        const std::unique_ptr<Question> asked(static_cast<Question*>(request->data));
        if (asked->owner != nullptr) {
          asked->owner->question_ = nullptr;
          asked->owner->OnAnswer(result, found);
        }
        uv_freeaddrinfo(found);
      },
      address_.host.c_str(), nullptr, &hints);
  if (status == 0) question_ = question.release();
}

void UvHostWatch::OnAnswer(int status, const addrinfo* found) {
  const std::string peer = peer_();
  if (status != 0 || found == nullptr || peer.empty()) return;
  const std::string host = peer.substr(0, peer.rfind(':'));
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    const std::string text = HostText(entry->ai_addr);
    if (text == host || "[" + text + "]" == host) return;
  }
  moved_(HostText(found->ai_addr));
}

}  // namespace gemel

#include "proxy/metrics/civet_listener.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <future>
#include <string_view>
#include <system_error>
#include <thread>

namespace gemel {

namespace {

constexpr size_t kMaxError = 256;

// Once a process; what it holds stays until the end.
void InitLibrary() {
  static const unsigned features = mg_init_library(MG_FEATURES_DEFAULT);
  (void)features;
}

std::string PeerOf(const mg_request_info& info) {
  const std::string host = info.remote_addr;
  const std::string port = ":" + std::to_string(info.remote_port);
  return host.find(':') == std::string::npos ? host + port : "[" + host + "]" + port;
}

// Connects to it and is gone.
void Knock(const Address& address) {
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(address.port);
  if (inet_pton(AF_INET, address.host == "0.0.0.0" ? "127.0.0.1" : address.host.c_str(),
                &to.sin_addr) != 1) {
    return;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  (void)::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  ::close(fd);
}

std::string TextOf(const char* text) { return text == nullptr ? std::string() : text; }

PageRequest RequestOf(mg_connection* connection) {
  const mg_request_info& info = *mg_get_request_info(connection);
  PageRequest request;
  request.method = TextOf(info.request_method);
  request.path = TextOf(info.local_uri);
  request.query = TextOf(info.query_string);
  request.authorization = TextOf(mg_get_header(connection, "Authorization"));
  request.host = TextOf(mg_get_header(connection, "Host"));
  request.origin = TextOf(mg_get_header(connection, "Origin"));
  request.peer = PeerOf(info);
  return request;
}

bool ReadBody(mg_connection* connection, std::string* body) {
  std::array<char, CivetListener::kMaxBody + 1> bytes;
  size_t size = 0;
  while (size < bytes.size()) {
    const int more = mg_read(connection, bytes.data() + size, bytes.size() - size);
    if (more <= 0) break;
    size += static_cast<size_t>(more);
  }
  body->assign(bytes.data(), size);
  return size <= CivetListener::kMaxBody;
}

bool WriteAll(mg_connection* connection, std::string_view bytes) {
  constexpr size_t kAtOnce = 1 << 20;
  while (!bytes.empty()) {
    const size_t size = std::min(bytes.size(), kAtOnce);
    if (mg_write(connection, bytes.data(), size) <= 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

// Where the protocol has no chunks (HTTP/1.0) it ends with the connection. If it cannot be made to
// its end, the last chunk does not come, by which who reads it knows.
void SendPieces(mg_connection* connection, const PageAnswer& answer, bool chunked) try {
  bool good = true;
  answer.pieces([&](std::string_view piece) {
    good = chunked
               ? mg_send_chunk(connection, piece.data(), static_cast<unsigned>(piece.size())) > 0
               : WriteAll(connection, piece);
    return good;
  });
  if (good && chunked) mg_send_chunk(connection, "", 0);
} catch (const std::exception&) {
}

void Send(mg_connection* connection, const PageAnswer& answer, bool head_only) {
  const bool chunked =
      answer.pieces && TextOf(mg_get_request_info(connection)->http_version) != "1.0";
  std::string length;
  if (chunked) {
    length = "\r\nTransfer-Encoding: chunked";
  } else if (!answer.pieces) {
    length = "\r\nContent-Length: " + std::to_string(answer.body.size());
  }
  // Nothing of a page comes from elsewhere, and no other site may show it or act by it.
  const std::string head =
      "HTTP/1.1 " + std::to_string(answer.status) + " " +
      mg_get_response_code_text(connection, answer.status) + "\r\nContent-Type: " + answer.type +
      length +
      "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Referrer-Policy: no-referrer\r\n" +
      answer.headers + "\r\n";
  if (!WriteAll(connection, head) || head_only) return;
  if (answer.pieces) {
    SendPieces(connection, answer, chunked);
  } else {
    WriteAll(connection, answer.body);
  }
}

}  // namespace

std::unique_ptr<CivetListener> CivetListener::Open(const Address& address, Handler handler,
                                                   std::string* error) {
  InitLibrary();
  Address numbers = address;
  if (numbers.host == "localhost") numbers.host = "127.0.0.1";
  if (numbers.host.find(':') != std::string::npos && mg_check_feature(MG_FEATURES_IPV6) == 0) {
    *error = "the library civetweb of this system is built without IPv6: use an IPv4 address";
    return nullptr;
  }
  const std::string port = numbers.ToString();
  std::unique_ptr<CivetListener> listener(new CivetListener(numbers, std::move(handler)));
  const std::string threads = std::to_string(kThreads);
  const std::string head = std::to_string(kMaxHead);
  const char* options[] = {"listening_ports",
                           port.c_str(),
                           "num_threads",
                           threads.c_str(),
                           "max_request_size",
                           head.c_str(),
                           "request_timeout_ms",
                           "5000",
                           "enable_keep_alive",
                           "no",
                           "enable_auth_domain_check",
                           "no",
                           "enable_directory_listing",
                           "no",
                           nullptr};
  mg_callbacks callbacks = {};
  callbacks.begin_request = OnRequest;
  callbacks.log_message = OnLog;
  mg_init_data init = {&callbacks, listener.get(), options};
  std::array<char, kMaxError> why = {};
  unsigned code = 0;
  mg_error_data failed = {&code, why.data(), why.size()};
  listener->context_ = mg_start2(&init, &failed);
  listener->begun_ = true;
  if (listener->context_ != nullptr) return listener;
  *error = listener->begin_error_.empty() ? why.data() : listener->begin_error_;
  return nullptr;
}

// Its thread looks every two seconds whether it is to stop, or when somebody connects.
CivetListener::~CivetListener() {
  if (context_ == nullptr) return;
  std::atomic<bool> stopped{false};
  try {
    std::thread waker([this, &stopped] {
      for (int i = 0; i < 100 && !stopped; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        Knock(address_);
      }
    });
    mg_stop(context_);
    stopped = true;
    waker.join();
  } catch (const std::system_error&) {  // no thread: it takes longer
    mg_stop(context_);
  }
}

// No exception may pass through C.
int CivetListener::OnRequest(mg_connection* connection) try {
  const auto* listener =
      static_cast<const CivetListener*>(mg_get_user_data(mg_get_context(connection)));
  PageRequest request = RequestOf(connection);
  if (!ReadBody(connection, &request.body)) {
    Send(connection,
         HttpError(413, "a request brings " + std::to_string(kMaxBody) + " bytes at most"), false);
    return 413;
  }
  // The library's threads have 100 KB of stack, which a page may need more than. This one waits:
  // the connection is one thread's at a time.
  const auto serve = [listener, connection, &request] {
    const PageAnswer answer = listener->handler_(request);
    Send(connection, answer, request.method == "HEAD");
    return answer.status;
  };
  return std::async(std::launch::async, serve).get();
} catch (const std::exception&) {
  mg_send_http_error(connection, 503, "%s", "there is no memory for it");
  return 503;
}

// What clients do wrong is theirs to know.
int CivetListener::OnLog(const mg_connection* connection, const char* message) try {
  auto* listener = static_cast<CivetListener*>(mg_get_user_data(mg_get_context(connection)));
  if (listener != nullptr && !listener->begun_ && listener->begin_error_.empty()) {
    listener->begin_error_ = message;
  }
  return 1;
} catch (const std::exception&) {
  return 1;
}

}  // namespace gemel

#include "backend/engines/uv_http.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "backend/engines/posix_curl.h"
#include "backend/life/alive.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

namespace {

constexpr long kKeepAliveSeconds = 5;
constexpr long kMaxConnections = 16;  // to one server; what is asked further waits for one of them

// Of who has made sure that it is there.
const Curl& Library() { return *LoadCurl().curl; }

struct EasyClose {
  void operator()(CURL* easy) const { Library().easy_cleanup(easy); }
};
struct MultiClose {
  void operator()(CURLM* multi) const { Library().multi_cleanup(multi); }
};
struct LinesFree {
  void operator()(curl_slist* lines) const { Library().slist_free_all(lines); }
};
struct PollClose {
  void operator()(uv_poll_t* poll) const {
    uv_poll_stop(poll);  // at once: libcurl closes the socket next
    uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* closed) {
      std::unique_ptr<uv_poll_t>(reinterpret_cast<uv_poll_t*>(closed)).reset();
    });
  }
};

using Easy = std::unique_ptr<CURL, EasyClose>;
using Multi = std::unique_ptr<CURLM, MultiClose>;
using Lines = std::unique_ptr<curl_slist, LinesFree>;
using Poll = std::unique_ptr<uv_poll_t, PollClose>;

// One request and what is known of its answer.
struct Call {
  HttpRequest request;
  UvHttp::Done done;
  HttpAnswer answer;
  std::string bytes;  // for on_bytes
  char error[CURL_ERROR_SIZE] = {};
  Lines lines;
  Lines connect_to;
  Easy easy;  // goes first: it points to the others

  void AddLine(const std::string& line) {
    lines.reset(Library().slist_append(lines.release(), line.c_str()));
  }
  void Make(uint64_t id);
  void SetTls(CURL* to);

  static size_t OnBytes(char* data, size_t size, size_t count, void* self) {
    Call* call = static_cast<Call*>(self);
    // A stream's are kept until libcurl has returned: it must not be called from here.
    std::string* into = call->request.on_bytes ? &call->bytes : &call->answer.body;
    if (into->size() + size * count > UvHttp::kMaxBody) return 0;
    into->append(data, size * count);
    return size * count;
  }
  static CURLcode OnTls(CURL*, void* context, void* self) {
    const Call* call = static_cast<const Call*>(self);
    return call->request.tls->LendTo(static_cast<SSL_CTX*>(context)) ? CURLE_OK
                                                                     : CURLE_SSL_CERTPROBLEM;
  }
  // Before each sending. A second one would be of a request that may have been carried out, which
  // libcurl sends again when a kept connection ends.
  static int OnSend(void* self, char*, char*, int, int) {
    Call* call = static_cast<Call*>(self);
    return std::exchange(call->answer.sent, true) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
  }
};

void Call::Make(uint64_t id) {
  easy.reset(Library().easy_init());
  CURL* to = easy.get();
  AddLine("Content-Type: application/json");
  AddLine("Expect:");  // no "100 Continue" to wait for
  if (!request.authorization.empty()) AddLine("Authorization: " + request.authorization);
  Library().easy_setopt(to, CURLOPT_URL, request.url.c_str());
  Library().easy_setopt(to, CURLOPT_PROTOCOLS_STR, request.tls == nullptr ? "http" : "https");
  Library().easy_setopt(to, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Library().easy_setopt(to, CURLOPT_PROXY, "");
  Library().easy_setopt(to, CURLOPT_NOSIGNAL, 1L);
  Library().easy_setopt(to, CURLOPT_HTTPHEADER, lines.get());
  Library().easy_setopt(to, CURLOPT_POST, 1L);
  Library().easy_setopt(to, CURLOPT_POSTFIELDS, request.body.data());
  Library().easy_setopt(to, CURLOPT_POSTFIELDSIZE_LARGE,
                        static_cast<curl_off_t>(request.body.size()));
  Library().easy_setopt(to, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_ms));
  Library().easy_setopt(to, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_ms));
  // Who only listens would not notice the end.
  Library().easy_setopt(to, CURLOPT_TCP_KEEPALIVE, 1L);
  Library().easy_setopt(to, CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  Library().easy_setopt(to, CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds);
  Library().easy_setopt(to, CURLOPT_ERRORBUFFER, error);
  Library().easy_setopt(to, CURLOPT_WRITEFUNCTION, OnBytes);
  Library().easy_setopt(to, CURLOPT_WRITEDATA, this);
  Library().easy_setopt(to, CURLOPT_PREREQFUNCTION, OnSend);
  Library().easy_setopt(to, CURLOPT_PREREQDATA, this);
  Library().easy_setopt(to, CURLOPT_PRIVATE, reinterpret_cast<void*>(id));
  if (!request.connect_to.empty()) {
    connect_to.reset(Library().slist_append(nullptr, ("::" + request.connect_to).c_str()));
    Library().easy_setopt(to, CURLOPT_CONNECT_TO, connect_to.get());
  }
  if (request.tls != nullptr) SetTls(to);
}

// All of it is the context's, which was made of the files elsewhere: libcurl would read them here,
// on the loop, at each connection. It takes up no session: that would be of certificates of before.
void Call::SetTls(CURL* to) {
  const TlsVerify verify = request.tls->verify();
  Library().easy_setopt(to, CURLOPT_CAINFO, nullptr);
  Library().easy_setopt(to, CURLOPT_CAPATH, nullptr);
  Library().easy_setopt(to, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  Library().easy_setopt(to, CURLOPT_SSL_VERIFYPEER, verify == TlsVerify::kNone ? 0L : 1L);
  Library().easy_setopt(to, CURLOPT_SSL_VERIFYHOST, verify == TlsVerify::kFull ? 2L : 0L);
  Library().easy_setopt(to, CURLOPT_SSL_CTX_FUNCTION, OnTls);
  Library().easy_setopt(to, CURLOPT_SSL_CTX_DATA, this);
}

}  // namespace

class UvHttp::State {
 public:
  explicit State(uv_loop_t* loop) : loop_(loop), timer_(loop, [this] { OnTimer(); }) {
    if (LoadCurl().curl == nullptr) return;
    multi_.reset(Library().multi_init());
    Library().multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, kMaxConnections);
    Library().multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, OnSocket);
    Library().multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    Library().multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, OnTimeWanted);
    Library().multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  }
  ~State() {
    alive_.End();
    while (!calls_.empty()) Take(calls_.begin()->first);
    multi_.reset();  // its sockets are still told to OnSocket
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  uint64_t Post(HttpRequest request, Done done) {
    const uint64_t id = ++last_id_;
    auto call = std::make_unique<Call>();
    call->request = std::move(request);
    call->done = std::move(done);
    if (multi_ != nullptr) {
      call->Make(id);
      // Begins at the timer that it sets.
      Library().multi_add_handle(multi_.get(), call->easy.get());
    } else {
      timer_.Set(0);
    }
    calls_.emplace(id, std::move(call));
    return id;
  }

  std::unique_ptr<Call> Take(uint64_t id) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return nullptr;
    std::unique_ptr<Call> call = std::move(found->second);
    calls_.erase(found);
    if (multi_ != nullptr) Library().multi_remove_handle(multi_.get(), call->easy.get());
    return call;
  }

 private:
  static int OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<State*>(self)->Watch(fd, what);
    return 0;
  }

  static int OnTimeWanted(CURLM*, long ms, void* self) {
    UvTimer& timer = static_cast<State*>(self)->timer_;
    if (ms < 0) {
      timer.Stop();
    } else {
      timer.Set(static_cast<uint64_t>(ms));
    }
    return 0;
  }

  void Watch(curl_socket_t fd, int what) {
    if (what == CURL_POLL_REMOVE) {
      polls_.erase(fd);
      return;
    }
    Poll& poll = polls_[fd];
    if (poll == nullptr) {
      auto made = std::make_unique<uv_poll_t>();
      if (uv_poll_init_socket(loop_, made.get(), fd) != 0) return;  // then its time runs out
      made->data = this;
      poll.reset(made.release());
    }
    const int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                       ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    uv_poll_start(poll.get(), events, OnPoll);
  }

  static void OnPoll(uv_poll_t* poll, int status, int events) {
    uv_os_fd_t fd = -1;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(poll), &fd) != 0) return;
    int what = 0;
    if (status < 0) what = CURL_CSELECT_ERR;
    if ((events & UV_READABLE) != 0) what |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0) what |= CURL_CSELECT_OUT;
    static_cast<State*>(poll->data)->Act(fd, what);
  }

  void OnTimer() {
    if (multi_ != nullptr) {
      Act(CURL_SOCKET_TIMEOUT, 0);
    } else {
      FailAll();
    }
  }

  // Without the library.
  void FailAll() {
    std::vector<uint64_t> ids;
    for (const auto& [id, call] : calls_) ids.push_back(id);
    const Alive::Watch watch = alive_.watch();
    for (const uint64_t id : ids) {
      const std::unique_ptr<Call> call = Take(id);
      if (call == nullptr) continue;
      call->answer.error = LoadCurl().error;
      call->done(call->answer);
      if (watch.gone()) return;
    }
  }

  void Act(curl_socket_t fd, int what) {
    int running = 0;
    Library().multi_socket_action(multi_.get(), fd, what, &running);
    std::vector<std::pair<uint64_t, CURLcode>> ended;
    int left = 0;
    while (const CURLMsg* message = Library().multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      void* id = nullptr;
      Library().easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &id);
      ended.emplace_back(reinterpret_cast<uint64_t>(id), message->data.result);
    }
    const Alive::Watch watch = alive_.watch();
    if (!GiveBytes(watch)) return;
    for (const auto& [id, code] : ended) {
      const std::unique_ptr<Call> call = Take(id);
      if (call == nullptr) continue;  // cancelled by another's answer
      Finish(call.get(), code);
      if (watch.gone()) return;
    }
  }

  // False: this is gone.
  bool GiveBytes(const Alive::Watch& watch) {
    std::vector<uint64_t> streams;
    for (const auto& [id, call] : calls_) {
      if (!call->bytes.empty()) streams.push_back(id);
    }
    for (const uint64_t id : streams) {
      const auto found = calls_.find(id);
      if (found == calls_.end()) continue;
      const std::string bytes = std::exchange(found->second->bytes, {});
      const auto on_bytes = found->second->request.on_bytes;  // it may be cancelled in it
      on_bytes(bytes);
      if (watch.gone()) return false;
    }
    return true;
  }

  static void Finish(Call* call, CURLcode code) {
    HttpAnswer& answer = call->answer;
    if (code == CURLE_OK) {
      long status = 0;
      Library().easy_getinfo(call->easy.get(), CURLINFO_RESPONSE_CODE, &status);
      answer.status = static_cast<uint32_t>(status);
    } else {
      answer.error = call->error[0] != '\0' ? call->error : Library().easy_strerror(code);
    }
    call->done(answer);
  }

  uv_loop_t* loop_;
  UvTimer timer_;
  std::map<curl_socket_t, Poll> polls_;
  Multi multi_;
  std::map<uint64_t, std::unique_ptr<Call>> calls_;
  uint64_t last_id_ = 0;
  Alive alive_;
};

UvHttp::UvHttp(uv_loop_t* loop) : state_(std::make_unique<State>(loop)) {}

UvHttp::~UvHttp() = default;

uint64_t UvHttp::Post(HttpRequest request, Done done) {
  return state_->Post(std::move(request), std::move(done));
}

void UvHttp::Cancel(uint64_t id) { state_->Take(id); }

}  // namespace gemel

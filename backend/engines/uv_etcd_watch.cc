#include "backend/engines/uv_etcd_watch.h"

#include <utility>

#include "backend/engines/etcd_messages.h"
#include "backend/engines/uv_etcd_request.h"

namespace gemel {

namespace {

// A longer line is of changes anyway, for they are what bears texts.
constexpr size_t kMaxLine = 1024 * 1024;

}  // namespace

UvEtcdWatch::UvEtcdWatch(uv_loop_t* loop, UvHttp* http, const std::string& prefix,
                         uint32_t time_limit_ms, Told told, Lost lost)
    : http_(http),
      request_(EtcdWatchRequest(prefix, EndOfPrefix(prefix))),
      time_limit_ms_(time_limit_ms),
      told_(std::move(told)),
      lost_(std::move(lost)),
      timer_(loop, [this] { Lose(); }) {}

UvEtcdWatch::~UvEtcdWatch() { End(); }

void UvEtcdWatch::Begin(const std::string& server, const std::string& token) {
  End();
  line_.clear();
  skipping_ = false;
  ended_ = false;
  HttpRequest request = EtcdRequest(server, kEtcdWatch);
  request.body = request_;
  request.authorization = token;
  request.connect_ms = time_limit_ms_;
  request.on_bytes = [this](std::string_view bytes) { OnBytes(bytes); };
  call_ = http_->Post(std::move(request), [this](const HttpAnswer&) {
    call_ = 0;
    Lose();
  });
  timer_.Set(time_limit_ms_);
}

void UvEtcdWatch::End() {
  if (call_ != 0) http_->Cancel(std::exchange(call_, 0));
  timer_.Stop();
}

void UvEtcdWatch::OnBytes(std::string_view bytes) {
  bool told = false;
  while (!bytes.empty() && !ended_) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (!skipping_) line_ += part;
    if (line_.size() > kMaxLine) {
      told = true;
      skipping_ = true;
      line_.clear();
    }
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (!std::exchange(skipping_, false)) OnLine(line_, &told);
    line_.clear();
  }
  if (ended_) {
    Lose();
  } else if (told) {
    told_();
  }
}

void UvEtcdWatch::OnLine(std::string_view line, bool* told) {
  const std::optional<EtcdWatched> watched = ReadEtcdWatched(line);
  if (!watched || watched->ended) {
    ended_ = true;
    return;
  }
  if (watched->created) timer_.Stop();
  *told = *told || watched->created || watched->changed;
}

void UvEtcdWatch::Lose() {
  End();
  lost_();
}

}  // namespace gemel

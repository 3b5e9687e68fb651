// Where the time of slow requests went: PROXY SLOWLOG and PROXY TRACE.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/seen/slow_log.h"
#include "proxy/seen/trace_desk.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr int64_t kSlowestByDefault = 10;
constexpr double kMostSeconds = 60;
constexpr int64_t kMostTraced = 10000;
constexpr size_t kTracedByDefault = 100;
// How often it is looked whether all is seen.
constexpr uint64_t kLookMs = 20;

void ProxySlowlog(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  int64_t count = kSlowestByDefault;
  if (args.size() > 3) {
    session.ReplyError(ArityError(row));
    return;
  }
  if (args.size() == 3 && (!ParseInteger(args[2], &count) || count < -1)) {
    session.ReplyError("ERR the count of PROXY SLOWLOG is -1 (all), 0 or more");
    return;
  }
  std::string out;
  local.process().slow_log->AppendSplitReply(count < 0 ? SIZE_MAX : static_cast<size_t>(count),
                                             &out);
  session.ReplyNow(out);
}

void AppendField(std::string_view name, uint64_t value, std::string* out) {
  AppendBulk(out, name);
  AppendInteger(out, static_cast<int64_t>(value));
}

// The first one, as it is shown; empty: none.
std::string TracedKey(const TracedRequest& request) {
  std::vector<std::string_view> words;
  if (request.key_place == 0 || !SplitArray(request.args, &words)) return {};
  return request.key_place < words.size() ? std::string(ReplyText(words[request.key_place])) : "";
}

std::string TraceReply(const TraceDesk::Seen& seen) {
  std::string out;
  AppendMapHeader(&out, 3);
  AppendField("looked_at", seen.looked_at, &out);
  AppendField("passed_over", seen.passed_over, &out);
  AppendBulk(&out, "requests");
  AppendArrayHeader(&out, static_cast<int64_t>(seen.requests.size()));
  for (const TracedRequest& request : seen.requests) {
    AppendMapHeader(&out, 8);
    AppendField("time_us", static_cast<uint64_t>(request.unix_us), &out);
    AppendField("took_us", request.took_us, &out);
    AppendField("in_gemel_us", request.split.gemel_us, &out);
    AppendField("on_the_wire_us", request.split.wire_us, &out);
    AppendField("at_the_node_us", request.split.node_us, &out);
    AppendBulk(&out, "client");
    AppendBulk(&out, request.peer);
    AppendBulk(&out, "key");
    AppendBulk(&out, TracedKey(request));
    AppendBulk(&out, "command");
    out += request.args;
  }
  return out;
}

// Until the time is over, all is seen that was asked for, or nobody wants to know.
class TraceWait : public Deadline {
 public:
  // `place` is the client's, and answered once.
  TraceWait(TraceDesk* desk, uint64_t id, SessionContext* context, Request* place,
            uint64_t until_ms)
      : desk_(desk), id_(id), context_(context), place_(place), until_ms_(until_ms) {
    Look();
  }

  void OnDeadline() override {
    if (context_->now_ms < until_ms_ && !desk_->Full(id_) && place_->sink->Wanted()) return Look();
    const std::string reply = TraceReply(desk_->End(id_));
    Request* place = std::exchange(place_, nullptr);
    place->sink->OnReply(place, Reply{reply, nullptr});
  }

 private:
  void Look() { context_->deadlines.Add(std::min(until_ms_, context_->now_ms + kLookMs), this); }

  TraceDesk* desk_;
  const uint64_t id_;
  SessionContext* context_;
  Request* place_;
  const uint64_t until_ms_;
};

// Milliseconds, of a decimal number of seconds.
std::optional<uint64_t> TraceMs(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(seconds > 0 && seconds <= kMostSeconds)) return std::nullopt;
  return static_cast<uint64_t>(std::ceil(seconds * 1000));
}

void ProxyTrace(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  const std::optional<uint64_t> ms = TraceMs(args[3]);
  if (!ms) {
    session.ReplyError("ERR the seconds of PROXY TRACE are above 0, and 60 at most");
    return;
  }
  int64_t count = kTracedByDefault;
  if (args.size() > 4) {
    const bool named = args.size() == 6 && EqualsLower(args[4], "count");
    if (!named || !ParseInteger(args[5], &count) || count < 1 || count > kMostTraced) {
      session.ReplyError("ERR after the seconds of PROXY TRACE comes COUNT and 1 to 10000");
      return;
    }
  }
  if (session.replies().stops().awaits_order()) {  // within EXEC
    session.ReplyError("ERR PROXY TRACE isn't allowed in a transaction: nobody is to wait for it");
    return;
  }
  TraceDesk* desk = local.process().traces;
  const std::optional<uint64_t> id =
      desk->Begin({std::string(args[2]), static_cast<size_t>(count)});
  if (!id) {
    session.ReplyError("ERR another PROXY TRACE is under way: try again when it has ended");
    return;
  }
  Request* place = session.Reserve(&row);
  Account::NoteWaits(place);
  session.Await(place);
  SessionContext& context = session.context();
  local.KeepTrace(std::make_unique<TraceWait>(desk, *id, &context, place, context.now_ms + *ms));
}

}  // namespace

LocalHandler TraceHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kProxySlowlog:
      return ProxySlowlog;
    case LocalCommand::kProxyTrace:
      return ProxyTrace;
    default:
      return nullptr;
  }
}

}  // namespace gemel

// What is found under which path of the listener of metrics.

#include <chrono>
#include <thread>

#include "proxy/log/event_log.h"
#include "proxy/log/log.h"
#include "proxy/metrics/http_rights.h"
#include "proxy/metrics/metrics_page.h"
#include "proxy/metrics/page_order.h"
#include "proxy/metrics/status_json.h"
#include "proxy/metrics/status_page.h"
#include "proxy/server/uv_metrics.h"

namespace gemel {

namespace {

constexpr char kTooLate[] = "the workers did not answer in time: ask again";
constexpr char kJson[] = "application/json; charset=utf-8";

PageAnswer JsonAnswer(std::string json) {
  PageAnswer answer;
  answer.type = kJson;
  answer.body = std::move(json);
  return answer;
}

}  // namespace

PageAnswer UvMetrics::Answer(const PageRequest& request) {
  Visit visit{request, serving(), {}};
  if (visit.serving.config == nullptr) return HttpError(503, "gemel begins or ends: ask again");
  visit.looker = JudgeHttp(*visit.serving.config, visit.serving.pool->users(), request);
  if (!request.authorization.empty()) Guard(visit);
  if (std::optional<PageAnswer> refused = HttpRefusal(visit.looker.verdict))
    return *std::move(refused);
  if (visit.looker.user != nullptr) {
    HttpDenial denial = DenialOfPath(*visit.serving.pool, *visit.looker.user, request.path);
    if (!denial.command.empty()) {
      NoteDenied(visit, denial.command);
      return HttpError(403, std::move(denial.error));
    }
  }
  return Route(visit);
}

// Right or wrong, after wrong ones from there it waits: else the wait would tell.
void UvMetrics::Guard(const Visit& visit) {
  AccessGuard* guard = shared_->process->access;
  if (guard == nullptr) return;
  const std::string& peer = visit.request.peer;
  const uint64_t now_ms = shared_->process->clock_us() / 1000;
  std::this_thread::sleep_for(std::chrono::milliseconds(guard->WaitMs(peer, 0, now_ms)));
  if (visit.looker.verdict != HttpVerdict::kWrongPassword) return;
  guard->Note(Rejection::kPassword, peer, now_ms);
  NoteDenied(visit, "");
}

void UvMetrics::NoteDenied(const Visit& visit, const std::string& command) {
  const bool password = command.empty();
  UvWorker* first = shared_->workers[0].get();
  first->Post([first, password] {
    (password ? first->stats().denied_auth : first->stats().denied_cmd).Add(1);
  });
  AccessGuard* guard = shared_->process->access;
  if (guard == nullptr) return;
  const HttpLooker& looker = visit.looker;
  AclLog::Entry entry;
  entry.reason = password ? "auth" : "command";
  entry.context = "toplevel";
  entry.object = password ? "HTTP" : command;
  entry.user = (password ? looker.name : looker.user->name()).substr(0, AclLog::kMostText);
  entry.client = "addr=" + visit.request.peer +
                 " cmd=http user=" + (password ? std::string() : looker.user->name());
  entry.unix_ms = shared_->process->unix_time_us() / 1000;
  guard->acl_log().Add(std::move(entry));
}

PageAnswer UvMetrics::Route(const Visit& visit) {
  const PageRequest& request = visit.request;
  if (request.path == "/explain") {
    return request.method == "POST" ? Explain(request)
                                    : HttpError(405, "a command to explain is sent with POST");
  }
  if (request.path == "/act") {
    return request.method == "POST" ? Act(visit) : HttpError(405, "an order is sent with POST");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return HttpError(405, "only GET is served here");
  }
  if (request.path == "/") return StatusPage();
  if (request.path != "/metrics" && request.path != "/status.json") {
    return HttpError(404, "there are /metrics for Prometheus and / for people here");
  }
  const bool page = request.path == "/metrics";
  std::vector<WorkerReadings> readings = Collect(/*for_people=*/!page);
  if (readings.empty()) return HttpError(503, kTooLate);
  if (!page) {
    const AclUserPtr& user = visit.looker.user;
    const bool actions = visit.serving.config->metrics.actions &&
                         (user == nullptr || MayOrder(*visit.serving.pool, *user));
    return JsonAnswer(StatusJson(*shared_->process, readings, actions));
  }
  PageAnswer answer;
  answer.type = "text/plain; version=0.0.4; charset=utf-8";
  answer.pieces =
      [this, readings = std::make_shared<const std::vector<WorkerReadings>>(std::move(readings))](
          const PageSink& sink) { WriteMetricsPage(*shared_->process, *readings, sink); };
  return answer;
}

// The body is the command, as one types it.
PageAnswer UvMetrics::Explain(const PageRequest& request) {
  const std::optional<std::vector<std::string>> command = SplitCommand(request.body);
  if (!command) {
    CommandPlaces places;
    places.error = "ERR a quote does not end";
    return JsonAnswer(PlacesJson(places));
  }
  const std::shared_ptr<const Pool> pool = PoolInEffect();
  if (pool == nullptr) return HttpError(503, kTooLate);
  CommandPlaces places = PlacesOf(*pool, *command);
  for (KeyPlace& place : places.keys) {
    UvWorker* worker = shared_->workers[pool->OfSlot(place.slot).owner].get();
    const auto told = std::make_shared<std::optional<ShardExplanation>>();
    const bool asked = RunOn(worker, [worker, told, slot = place.slot, frame = places.frame,
                                      primary = places.primary_only](const Done& done) {
      Request explain;
      explain.kind = RequestKind::kExplain;
      explain.frame = frame;
      explain.primary_only = primary;
      *told = worker->Explain(slot, explain);
      done();
    });
    if (!asked) return HttpError(503, kTooLate);
    if (*told) {
      place.told = **told;
    } else {
      place.told.why = "another member of the fleet owns the shard: ask there";
    }
  }
  return JsonAnswer(PlacesJson(places));
}

// The body is "promote SHARD [NODE]", or "resync", "drain" or "undrain NODE". A page of another
// site cannot make a browser send it: it would have to name its origin.
PageAnswer UvMetrics::Act(const Visit& visit) {
  const PageRequest& request = visit.request;
  if (!visit.serving.config->metrics.actions) {
    return HttpError(403, "orders are not taken here: set [metrics] actions = true");
  }
  if (IsFromElsewhere(request)) return HttpError(403, "a page of another site may not give orders");
  if (!visit.looker.password) return *HttpRefusal(HttpVerdict::kNoPassword);
  const std::shared_ptr<const Pool> pool = PoolInEffect();
  if (pool == nullptr) return HttpError(503, kTooLate);
  const std::optional<PageOrder> order = ReadPageOrder(*pool, request.body);
  if (!order) {
    return HttpError(400,
                     "expected \"promote SHARD [NODE]\", or \"resync\", \"drain\" or \"undrain "
                     "NODE\", of a shard or a node that there is");
  }
  std::string who = request.peer;
  if (const AclUserPtr& user = visit.looker.user) {
    HttpDenial denial = DenialOfOrder(*visit.serving.pool, *user, *order);
    if (!denial.command.empty()) {
      NoteDenied(visit, denial.command);
      return HttpError(403, std::move(denial.error));
    }
    who = "user '" + user->name() + "' at " + who;
  }
  const std::string line = who + " orders over HTTP: " + order->text;
  Log(NoteLevel::kInfo, line);
  shared_->process->events->Add(shared_->process->unix_time_us(), NoteLevel::kInfo, line);
  for (const uint32_t slot : order->slots) {
    UvWorker* worker = shared_->workers[pool->OfSlot(slot).owner].get();
    const auto result = std::make_shared<OrderResult>();
    const bool ended =
        RunOn(worker, [worker, result, slot, asked = order->order](const Done& done) {
          const bool here = worker->Carry(slot, asked, [result, done](const OrderResult& told) {
            *result = told;
            done();
          });
          if (here) return;
          result->text = "another member of the fleet owns the shard: ask there";
          done();
        });
    if (!ended) return HttpError(202, "it is under way: PROXY EVENTS will say how it ended");
    if (!result->ok) return HttpError(409, result->text);
  }
  return HttpError(200, "done");
}

}  // namespace gemel

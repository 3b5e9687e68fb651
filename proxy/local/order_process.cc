#include "proxy/local/order_process.h"

#include <algorithm>

#include "backend/resp/resp_writer.h"
#include "proxy/local/worker_orders.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr size_t kMaxOrder = 64 * 1024;

}  // namespace

std::string OrderError(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::string reply;
  AppendError(&reply, "ERR " + text);
  return reply;
}

bool FitsAnOrder(Session& session, LocalArgs args) {
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += arg.size();
  if (bytes <= kMaxOrder) return true;
  session.ReplyError("ERR an order to the proxy takes " + std::to_string(kMaxOrder) +
                     " bytes at most");
  return false;
}

void OrderProcess(Session& session, Request* place, ReloadOrder order,
                  std::function<std::string(const ReloadOutcome&)> reply) {
  order.local = session.state().access.local_peer();
  order.gone = session.replies().Gone();
  GatherPtr gather = Gather::Make(
      session.context().dispatcher, place,
      [reply = std::move(reply)](const std::vector<PartReply>& parts, std::string* out) {
        const auto& sent = static_cast<const WorkerOrder&>(*parts[0].cargo);
        out->append(reply(std::get<ProcessOrder>(sent.what).outcome));
      });
  gather->AddWorker(0, std::make_unique<WorkerOrder>(ProcessOrder{std::move(order)}));
  Gather::Launch(std::move(gather));
}

}  // namespace gemel

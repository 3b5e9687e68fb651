#include "proxy/server/process_orders.h"

#include <algorithm>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

std::string Error(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::string reply;
  AppendError(&reply, "ERR " + text);
  return reply;
}

// One line of the reply for each line.
std::string Lines(const std::string& text) {
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  std::string reply;
  AppendArrayHeader(&reply, static_cast<int64_t>(lines.size()));
  for (const std::string_view line : lines) AppendBulk(&reply, line);
  return reply;
}

}  // namespace

void ProcessOrders::Run(const std::vector<std::string>& order,
                        std::function<void(std::string)> done) {
  if (order.size() >= 2 && EqualsLower(order[1], "reload")) {
    Reload(order, std::move(done));
  } else {
    done(Error("not an order to the process"));
  }
}

void ProcessOrders::Reload(const std::vector<std::string>& order,
                           std::function<void(std::string)> done) {
  ReloadOrder reload;
  reload.cause = "PROXY RELOAD";
  for (size_t i = 2; i < order.size(); ++i) {
    reload.dry_run |= EqualsLower(order[i], "dryrun");
    reload.force |= EqualsLower(order[i], "force");
  }
  reloader_->Submit(std::move(reload), [done = std::move(done)](const ReloadOutcome& outcome) {
    done(outcome.ok ? Lines(outcome.text) : Error(outcome.text));
  });
}

}  // namespace gemel

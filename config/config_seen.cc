#include "config/config_seen.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "config/config_text.h"
#include "config/percentiles.h"

namespace gemel {

namespace {

constexpr size_t kMaxMetricsListens = 16;
constexpr int64_t kLongestMs = 60 * 60 * 1000;
constexpr char kMetricsAddresses[] = "an array of addresses such as [\"127.0.0.1:9121\"]";

// Names are not looked up: it is said who can reach it.
bool IsNumber(const std::string& host) {
  return host == "localhost" || host.find(':') != std::string::npos ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

void ReadListen(TableReader& table, std::vector<Address>* listen) {
  std::vector<TableReader::Item> items;
  const std::optional<Place> place =
      table.Strings("listen", kMetricsAddresses, kMaxMetricsListens, &items);
  table.Protect("listen");
  std::string shown;
  for (const Address& address : *listen) shown += (shown.empty() ? "" : " ") + address.ToString();
  table.Show(std::move(shown));
  if (!place) return;
  listen->clear();
  for (const TableReader::Item& item : items) {
    std::string error;
    std::optional<Address> address = ParseAddress(item.text, &error);
    if (!address || address->IsUnix() || !IsNumber(address->host)) {
      table.Reject("listen", item.place,
                   "bad address " + Quote(item.text) +
                       ", expected an IP address and a port such as \"127.0.0.1:9121\"");
      continue;
    }
    if (std::find(listen->begin(), listen->end(), *address) != listen->end()) {
      table.Reject("listen", item.place,
                   Quote(item.text) + " is given twice, expected each address once");
    }
    address->line = item.place.line;
    address->column = item.place.column;
    listen->push_back(*std::move(address));
  }
}

}  // namespace

void ReadSlowlog(TableReader table, SlowlogConfig* slowlog) {
  table.Integer("log_slower_than", -1, INT64_MAX, &slowlog->log_slower_than);
  table.Integer("max_len", 0, 1000000, &slowlog->max_len);
  table.Finish();
}

void ReadLatency(TableReader table, LatencyConfig* latency) {
  table.Integer("monitor_threshold", 0, kLongestMs, &latency->monitor_threshold);
  table.Bool("tracking", &latency->tracking);
  constexpr char kPercentiles[] = "numbers from 0 to 100 with blanks between them, or \"\"";
  if (auto place = table.String("percentiles", kPercentiles, &latency->percentiles)) {
    std::vector<double> read;
    if (ReadPercentiles(latency->percentiles, &read)) {
      latency->percentiles = PercentilesText(read);
    } else {
      table.Reject(
          "percentiles", *place,
          std::string("expected ") + kPercentiles + ", found " + Quote(latency->percentiles));
    }
  }
  table.Finish();
}

void ReadMetrics(TableReader table, bool has_users, MetricsConfig* metrics) {
  ReadListen(table, &metrics->listen);
  table.Secret("password", &metrics->password);
  const std::optional<Place> place = table.Bool("actions", &metrics->actions);
  table.Protect("actions");
  const bool any = has_users || !metrics->password.empty() || table.IsWrong("password");
  if (place && metrics->actions && !any) {
    table.Reject("actions", *place,
                 "expected a password beside it, or [[user]] tables, or [proxy] password: whoever "
                 "acts must give one");
  }
  table.Finish();
}

}  // namespace gemel

// LATENCY. Source: latency.c of Redis 7.0.

#include "backend/resp/resp_writer.h"
#include "proxy/local/help_reply.h"
#include "proxy/local/local_commands.h"
#include "proxy/seen/clients_seen.h"
#include "proxy/seen/latency_report.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

int64_t NowSeconds(const LocalCommands& local) { return local.process().unix_time_us() / 1000000; }

void LatencyLatest(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  const std::vector<LatencySeries> all = local.process().latency->All();
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(all.size()));
  for (const LatencySeries& series : all) {
    AppendArrayHeader(&out, 4);
    AppendBulk(&out, series.event);
    AppendInteger(&out, series.samples.back().unix_s);
    AppendInteger(&out, static_cast<int64_t>(series.samples.back().ms));
    AppendInteger(&out, static_cast<int64_t>(series.max_ms));
  }
  session.ReplyNow(out);
}

void LatencyHistory(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  const std::optional<LatencySeries> series = local.process().latency->Find(args[2]);
  std::string out;
  AppendArrayHeader(&out, series ? static_cast<int64_t>(series->samples.size()) : 0);
  if (series) {
    for (const LatencySample& sample : series->samples) {
      AppendArrayHeader(&out, 2);
      AppendInteger(&out, sample.unix_s);
      AppendInteger(&out, static_cast<int64_t>(sample.ms));
    }
  }
  session.ReplyNow(out);
}

void LatencyReset(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  LatencyEvents* events = local.process().latency;
  size_t count = 0;
  if (args.size() == 2) count = events->ResetAll();
  for (const std::string_view event : args.subspan(2)) count += events->Reset(event);
  std::string out;
  AppendInteger(&out, static_cast<int64_t>(count));
  session.ReplyNow(out);
}

void LatencyDoctor(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendVerbatim(&out, LatencyReport(local.process().latency->All(),
                                     session.context().pool->config(), NowSeconds(local)));
  session.ReplyNow(out);
}

void LatencyGraphOf(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  const std::optional<LatencySeries> series = local.process().latency->Find(args[2]);
  if (!series) {
    session.ReplyError("ERR No samples available for event '" +
                       std::string(args[2].substr(0, 128)) + "'");
    return;
  }
  std::string out;
  AppendVerbatim(&out, LatencyGraph(*series, NowSeconds(local)));
  session.ReplyNow(out);
}

std::vector<const CommandStats*> StatsOf(const LocalCommands& local) {
  std::vector<const CommandStats*> stats;
  for (const ClientsSeen* worker : local.process().seen) stats.push_back(&worker->commands());
  return stats;
}

// The ends of its buckets are those of Redis's, which are powers of two of nanoseconds.
void AppendCdf(const CommandRow& row, const LatencySum& latency, std::string* out) {
  std::string buckets;
  int64_t count = 0;
  uint64_t below = 0;
  for (uint64_t ns = 1024; below < latency.total() && ns < uint64_t{1} << 37; ns *= 2) {
    const uint64_t us = (ns + ns / 128 - 1) / 1000;
    const uint64_t up_to = latency.UpTo(us);
    if (up_to == below) continue;
    below = up_to;
    AppendInteger(&buckets, static_cast<int64_t>(us));
    AppendInteger(&buckets, static_cast<int64_t>(up_to));
    ++count;
  }
  AppendBulk(out, row.name);
  AppendMapHeader(out, 2);
  AppendBulk(out, "calls");
  AppendInteger(out, static_cast<int64_t>(latency.total()));
  AppendBulk(out, "histogram_usec");
  AppendMapHeader(out, count);
  *out += buckets;
}

bool IsPartOf(const CommandRow& row, std::string_view container) {
  return row.name.size() > container.size() && row.name.starts_with(container) &&
         row.name[container.size()] == '|';
}

void LatencyHistogramOf(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  const std::vector<const CommandStats*> stats = StatsOf(local);
  const CommandTable& table = session.context().pool->table();
  std::string text;
  int64_t count = 0;
  const auto add = [&](const CommandRow& row) {
    const LatencySum latency = LatencyOf(stats, row);
    if (latency.total() == 0) return;
    AppendCdf(row, latency, &text);
    ++count;
  };
  if (args.size() == 2) {
    for (const CommandRow& row : table.rows()) add(row);
  }
  for (const std::string_view name : args.subspan(2)) {
    const CommandRow* row = table.FindByName(name);
    if (row == nullptr) continue;
    add(*row);
    if ((row->flags & kCmdContainer) == 0) continue;
    for (const CommandRow& part : table.rows()) {
      if (IsPartOf(part, row->name)) add(part);
    }
  }
  std::string out;
  AppendMapHeader(&out, count);
  session.ReplyNow(out + text);
}

void LatencyHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyNow(HelpReply(
      "LATENCY",
      {"DOCTOR", "    Return a human readable latency analysis report.", "GRAPH <event>",
       "    Return an ASCII latency graph for the <event> class.", "HISTORY <event>",
       "    Return time-latency samples for the <event> class.", "LATEST",
       "    Return the latest latency samples for all events.", "RESET [<event> ...]",
       "    Reset latency data of one or more <event> classes.",
       "    (default: reset all data for all event classes)", "HISTOGRAM [COMMAND ...]",
       "    Return a cumulative distribution of latencies in the format of a histogram for the "
       "specified command names.",
       "    If no commands are specified then all histograms are replied."}));
}

}  // namespace

LocalHandler LatencyHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kLatencyLatest:
      return LatencyLatest;
    case LocalCommand::kLatencyHistory:
      return LatencyHistory;
    case LocalCommand::kLatencyHistogram:
      return LatencyHistogramOf;
    case LocalCommand::kLatencyReset:
      return LatencyReset;
    case LocalCommand::kLatencyDoctor:
      return LatencyDoctor;
    case LocalCommand::kLatencyGraph:
      return LatencyGraphOf;
    case LocalCommand::kLatencyHelp:
      return LatencyHelp;
    default:
      return nullptr;
  }
}

}  // namespace gemel

// CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO. Source: networking.c and tracking.c of Redis
// 7.0.

#include <algorithm>
#include <memory>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/worker_orders.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"
#include "proxy/session/tracking_voice.h"
#include "proxy/tracking/tracker_registry.h"

namespace gemel {

namespace {

constexpr std::string_view kTrackingSyntax = "ERR syntax error";
constexpr std::string_view kNoSuchRedirect =
    "ERR The client ID you want redirect to does not exist";

// The words behind ON or OFF. Empty, or what is wrong.
std::string ReadTrackingOptions(LocalArgs args, TrackingOptions* options) {
  for (size_t i = 3; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (EqualsLower(args[i], "redirect") && more) {
      if (options->redirect != 0) return "ERR A client can only redirect to a single other client";
      int64_t id = 0;
      if (!ParseInteger(args[++i], &id)) return "ERR value is not an integer or out of range";
      if (id <= 0) return std::string(kNoSuchRedirect);
      options->redirect = static_cast<uint64_t>(id);
    } else if (EqualsLower(args[i], "bcast")) {
      options->bcast = true;
    } else if (EqualsLower(args[i], "optin")) {
      options->optin = true;
    } else if (EqualsLower(args[i], "optout")) {
      options->optout = true;
    } else if (EqualsLower(args[i], "noloop")) {
      options->noloop = true;
    } else if (EqualsLower(args[i], "prefix") && more) {
      options->prefixes.emplace_back(args[++i]);
    } else {
      return std::string(kTrackingSyntax);
    }
  }
  return {};
}

bool IsPrefixOfOther(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

// `space` is the prefix of all keys of the client's user: it sees names without it.
std::string Overlap(std::string_view prefix, std::string_view which, std::string_view other,
                    std::string_view space) {
  for (std::string_view* name : {&prefix, &other}) {
    if (name->starts_with(space)) name->remove_prefix(space.size());
  }
  return "ERR Prefix '" + std::string(prefix) + "' overlaps with " + std::string(which) +
         " prefix '" + std::string(other) + "'. Prefixes for a single client must not overlap.";
}

std::string WhyNotPrefixes(const Tracking& now, const std::vector<std::string>& prefixes,
                           std::string_view space) {
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (now.on()) {
      for (const std::string& old : now.options().prefixes) {
        if (IsPrefixOfOther(old, prefixes[i])) {
          return Overlap(prefixes[i], "an existing", old, space);
        }
      }
    }
    for (size_t j = i + 1; j < prefixes.size(); ++j) {
      if (IsPrefixOfOther(prefixes[i], prefixes[j])) {
        return Overlap(prefixes[i], "another provided", prefixes[j], space);
      }
    }
  }
  return {};
}

// Why what is asked cannot be turned on: by itself, or as things are. Empty: it can.
std::string WhyNotTrack(const Tracking& now, const TrackingOptions& options,
                        std::string_view space) {
  if (!options.bcast && !options.prefixes.empty()) {
    return "ERR PREFIX option requires BCAST mode to be enabled";
  }
  const bool on = now.on();
  if (on && now.options().bcast != options.bcast) {
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and "
           "then re-enabling it with a different mode.";
  }
  if (options.bcast && (options.optin || options.optout)) {
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  }
  if (options.optin && options.optout) {
    return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  }
  if (on && ((options.optin && now.options().optout) || (options.optout && now.options().optin))) {
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
           "then re-enabling it with a different mode.";
  }
  return options.bcast ? WhyNotPrefixes(now, options.prefixes, space) : std::string();
}

// What is tracked from then on: with those prefixes that were before. Who names none tracks all of
// its keys.
void AddPrefixes(const Tracking& now, const std::string& space, TrackingOptions* options) {
  if (!options->bcast) return;
  std::vector<std::string>& prefixes = options->prefixes;
  if (prefixes.empty()) prefixes.push_back(space);
  if (now.on()) {
    const std::vector<std::string>& old = now.options().prefixes;
    prefixes.insert(prefixes.end(), old.begin(), old.end());
  }
  std::sort(prefixes.begin(), prefixes.end());
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
}

// The worker that has the client which is to be told; false: none has.
bool FindRedirect(const std::vector<PartReply>& parts, uint32_t* worker) {
  for (uint32_t i = 0; i < parts.size(); ++i) {
    const auto* order = dynamic_cast<const WorkerOrder*>(parts[i].cargo);
    if (order == nullptr || !std::get<RedirectOrder>(order->what).found) continue;
    *worker = i;
    return true;
  }
  return false;
}

// All shards have been asked, and all workers for the client to which it redirects.
void FinishTracking(Session* session, TrackingOptions options, uint64_t changes,
                    const std::vector<PartReply>& parts, std::string* out) {
  Tracking& tracking = session->state().tracking;
  TrackerRegistry* registry = session->context().trackers;
  const auto id = static_cast<uint32_t>(session->facts().id);
  if (options.redirect != 0 && !FindRedirect(parts, &options.redirect_worker)) {
    AppendError(out, kNoSuchRedirect);
    if (tracking.on()) {
      registry->AskAgain(id);  // as it was
    } else {
      tracking.Reset();
    }
    return;
  }
  tracking.TurnOn(std::move(options));
  // A reload meanwhile may have brought shards that were not asked, or another owner of one.
  if (registry->changes() != changes) registry->AskAgain(id);
  AppendSimple(out, "OK");
}

// Adds the parts that look for the client to which it redirects.
void AskForRedirect(const SessionContext& context, uint64_t id, Gather* gather) {
  for (uint32_t i = 0; i < context.dispatcher->workers(); ++i) {
    gather->AddWorker(i, std::make_unique<WorkerOrder>(RedirectOrder{id}));
  }
}

void TurnTrackingOn(Session& session, const CommandRow& row, TrackingOptions options) {
  SessionContext& context = session.context();
  Tracking& tracking = session.state().tracking;
  AddPrefixes(tracking, session.state().access.prefix(), &options);
  Request* place = session.Reserve(&row);
  session.Await(place);
  EnterTracking(&session);
  tracking.Ask();
  const auto id = static_cast<uint32_t>(session.facts().id);
  GatherPtr gather = Gather::Make(context.dispatcher, place,
                                  [&session, options, changes = context.trackers->changes()](
                                      const std::vector<PartReply>& parts, std::string* out) {
                                    FinishTracking(&session, options, changes, parts, out);
                                  });
  if (options.redirect != 0) AskForRedirect(context, options.redirect, gather.get());
  for (const PoolShard& shard : context.pool->shards()) {
    gather->AddApart(shard.slot, RequestKind::kTracking,
                     context.trackers->Question(id, options.noloop, options.prefixes));
  }
  Gather::Launch(std::move(gather));
}

// What is not turned on: with that error, or turned off without one. As Redis has it, that there is
// nobody to redirect to is said first.
void DoNotTrack(Session& session, const CommandRow& row, uint64_t redirect,
                const std::string& wrong) {
  Request* place = session.Reserve(&row);
  session.Await(place);
  GatherPtr gather =
      Gather::Make(session.context().dispatcher, place,
                   [&session, wrong](const std::vector<PartReply>& parts, std::string* out) {
                     uint32_t worker = 0;
                     if (!FindRedirect(parts, &worker)) {
                       AppendError(out, kNoSuchRedirect);
                     } else if (!wrong.empty()) {
                       AppendError(out, wrong);
                     } else {
                       session.state().tracking.Reset();
                       AppendSimple(out, "OK");
                     }
                   });
  AskForRedirect(session.context(), redirect, gather.get());
  Gather::Launch(std::move(gather));
}

void ClientTracking(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  Tracking& tracking = session.state().tracking;
  TrackingOptions options;
  std::string wrong = ReadTrackingOptions(args, &options);
  const bool on = EqualsLower(args[2], "on");
  if (wrong.empty() && !on && !EqualsLower(args[2], "off")) wrong = kTrackingSyntax;
  if (wrong.empty() && on) {
    wrong = WhyNotTrack(tracking, options, session.state().access.prefix());
  }
  if (options.redirect != 0 && (!wrong.empty() || !on)) {
    DoNotTrack(session, row, options.redirect, wrong);
  } else if (!wrong.empty()) {
    session.ReplyError(wrong);
  } else if (on) {
    TurnTrackingOn(session, row, std::move(options));
  } else {
    tracking.Reset();
    session.ReplyNow("+OK\r\n");
  }
}

void ClientCaching(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  Tracking& tracking = session.state().tracking;
  const bool yes = EqualsLower(args[2], "yes");
  if (!tracking.on()) {
    session.ReplyError(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
  } else if (!yes && !EqualsLower(args[2], "no")) {
    session.ReplyError(kTrackingSyntax);
  } else if (yes && !tracking.options().optin) {
    session.ReplyError(
        "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  } else if (!yes && !tracking.options().optout) {
    session.ReplyError(
        "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  } else {
    // Within EXEC, which is behind it then, it is over with that.
    if (!session.replies().stops().awaits_order()) tracking.set_caching();
    session.ReplyNow("+OK\r\n");
  }
}

void ClientGetRedir(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendInteger(&out, session.state().tracking.redirect());
  session.ReplyNow(out);
}

void ClientTrackingInfo(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  const Tracking& tracking = session.state().tracking;
  const TrackingOptions options = tracking.on() ? tracking.options() : TrackingOptions();
  std::vector<std::string_view> flags = {tracking.on() ? "on" : "off"};
  if (options.bcast) flags.push_back("bcast");
  if (options.optin) flags.push_back("optin");
  if (options.optin && tracking.caching()) flags.push_back("caching-yes");
  if (options.optout) flags.push_back("optout");
  if (options.optout && tracking.caching()) flags.push_back("caching-no");
  if (options.noloop) flags.push_back("noloop");
  if (tracking.broken()) flags.push_back("broken_redirect");
  std::string out;
  AppendMapHeader(&out, 3);
  AppendBulk(&out, "flags");
  out += "~" + std::to_string(flags.size()) + "\r\n";
  for (const std::string_view flag : flags) AppendBulk(&out, flag);
  AppendBulk(&out, "redirect");
  AppendInteger(&out, tracking.redirect());
  AppendBulk(&out, "prefixes");
  AppendArrayHeader(&out, static_cast<int64_t>(options.prefixes.size()));
  for (const std::string& prefix : options.prefixes) AppendBulk(&out, prefix);
  session.ReplyNow(out);
}

}  // namespace

bool BecomeRedirect(LocalCommands& local, uint64_t id) {
  bool found = false;
  local.directory().ForEachSession([&](Session& session) {
    if (session.facts().id != id || session.WantsClose()) return;
    EnterTracking(&session);
    found = true;
  });
  return found;
}

LocalHandler TrackingHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kClientTracking:
      return ClientTracking;
    case LocalCommand::kClientCaching:
      return ClientCaching;
    case LocalCommand::kClientGetRedir:
      return ClientGetRedir;
    case LocalCommand::kClientTrackingInfo:
      return ClientTrackingInfo;
    default:
      return nullptr;
  }
}

}  // namespace gemel

// A session on its way from one process to the next. What a client has subscribed to, queued and
// tracks is brought back by the commands that do so, in front of what it has sent since: they are
// carried out as they were, and answered to nobody.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "backend/channels/channel_name.h"
#include "backend/keys/key_name.h"
#include "backend/resp/resp_writer.h"
#include "proxy/session/session.h"
#include "proxy/session/tracking_voice.h"
#include "proxy/upgrade/handed_session.h"

namespace gemel {

namespace {

// Of a command that brings back what was subscribed to.
constexpr size_t kNamesAtOnce = 128;

// Nobody has a command of that name: it makes EXEC fail.
constexpr std::string_view kNoCommand = "\1";

// Commands, and how many.
struct Replay {
  std::string frames;
  uint32_t count = 0;

  void Add(const std::vector<std::string_view>& args) {
    frames += CommandFrame(args);
    ++count;
  }
};

void AddTracking(const HandedTracking& tracking, Replay* replay) {
  if (!tracking.on) return;
  std::vector<std::string_view> args = {"CLIENT", "TRACKING", "ON"};
  const std::string redirect = std::to_string(tracking.redirect);
  if (tracking.redirect != 0) args.insert(args.end(), {"REDIRECT", redirect});
  if (tracking.bcast) args.emplace_back("BCAST");
  for (const std::string& prefix : tracking.prefixes) args.insert(args.end(), {"PREFIX", prefix});
  if (tracking.optin) args.emplace_back("OPTIN");
  if (tracking.optout) args.emplace_back("OPTOUT");
  if (tracking.noloop) args.emplace_back("NOLOOP");
  replay->Add(args);
  if (tracking.caching) replay->Add({"CLIENT", "CACHING", tracking.optin ? "YES" : "NO"});
}

void AddSubscriptions(const std::vector<std::string>& names, Replay* replay) {
  for (const ChannelKind kind :
       {ChannelKind::kChannel, ChannelKind::kPattern, ChannelKind::kShardChannel}) {
    std::vector<std::string_view> args = {VerbsOf(kind).subscribe};
    for (const std::string& name : names) {
      if (!IsChannelName(name) || KindOfChannel(name) != kind) continue;
      args.push_back(TextOfChannel(name));
      if (args.size() <= kNamesAtOnce) continue;
      replay->Add(args);
      args.resize(1);
    }
    if (args.size() > 1) replay->Add(args);
  }
}

void AddTransaction(const HandedTransaction& transaction, Replay* replay) {
  if (!transaction.open) return;
  replay->Add({"MULTI"});
  for (const std::string& frame : transaction.frames) {
    replay->frames += frame;
    ++replay->count;
  }
  if (transaction.aborted) replay->Add({kNoCommand});
}

// What has happened to the keys meanwhile is not known: EXEC is to find that they were touched.
void RestoreWatched(const Pool& pool, const std::vector<std::string>& names, WatchedKeys* watched) {
  for (const std::string& name : names) {
    if (!watched->any()) watched->Begin(pool.ShardOf(KeyOf(name)));
    watched->Add({name, /*existed=*/true, /*expires_ms=*/1});
  }
}

}  // namespace

bool Session::AsksForUpgrade() const {
  return replies_.pending() == 1 && replies_.stops().awaits_order() &&
         facts_.last_command != nullptr &&
         facts_.last_command->local == LocalCommand::kProxyUpgrade;
}

HandedSession Session::HandOver() const {
  HandedSession to;
  HandedClient& client = to.client;
  const SessionState& state = state_;
  client.id = facts_.id;
  client.peer = facts_.peer;
  client.local = facts_.local;
  client.age_ms = context_->now_ms - std::min(context_->now_ms, facts_.created_ms);
  client.idle_ms = context_->now_ms - std::min(context_->now_ms, facts_.active_ms);
  client.commands = facts_.commands;
  if (facts_.last_command != nullptr) client.last_command = facts_.last_command->name;
  client.protocol = static_cast<uint64_t>(state.protocol.version());
  client.database = state.database.index();
  client.name = state.client_name.view();
  client.library_name = state.library.name();
  client.library_version = state.library.version();
  client.let_in = state.access.let_in();
  client.user = state.access.user();
  client.reply_off = state.reply_mode.off();
  client.replies_skipped = state.reply_mode.skips();
  client.monitors = state.monitoring.on();
  client.closing = closing_;
  to.asked = AsksForUpgrade() && replies_.last()->form != Resp2Form::kNothing;
  for (const ChannelKind kind :
       {ChannelKind::kChannel, ChannelKind::kPattern, ChannelKind::kShardChannel}) {
    for (std::string& name : state.subscriptions.Names(kind)) {
      to.subscriptions.push_back(std::move(name));
    }
  }
  if (state.tracking.on()) {
    const TrackingOptions& options = state.tracking.options();
    // Whom it had told is gone, and it knows that.
    to.tracking.on = !state.tracking.broken();
    to.tracking.redirect = options.redirect;
    to.tracking.bcast = options.bcast;
    to.tracking.optin = options.optin;
    to.tracking.optout = options.optout;
    to.tracking.noloop = options.noloop;
    to.tracking.caching = state.tracking.caching();
    to.tracking.prefixes = options.prefixes;
  }
  if (state.watched.any()) {
    for (const WatchedKeys::Key& key : state.watched.keys()) to.watched.push_back(key.name);
  }
  if (state.transaction.open()) {
    const QueuedBlock& block = state.transaction.block();
    to.transaction.open = true;
    to.transaction.aborted = block.aborted;
    for (const QueuedBlock::Command& command : block.commands) {
      to.transaction.frames.emplace_back(command.asked.empty() ? block.FrameOf(command)
                                                               : std::string_view(command.asked));
    }
  }
  to.waits = !replies_.put_back().empty();
  if (to.waits) to.wait_left_ms = waits_.LeftMs();
  to.input = replies_.put_back();
  to.input += input_.view();
  replies_.out().ForEach([&to](const char* data, size_t size) {
    to.output.append(data, size);
    return true;
  });
  return to;
}

void Session::EndHandOver() {
  const std::string frame = replies_.TakePutBack();
  if (closing_ || frame.empty()) return;
  waits_.Continue(waits_.LeftMs());
  state_.in_space_until = facts_.commands + 1;
  input_.PutBack(frame);
  ParseInput();
}

bool Session::TakeOver(const HandedSession& from, std::string_view told) {
  const HandedClient& client = from.client;
  const AclUsers& users = context_->pool->users();
  AclUserPtr account = client.let_in ? users.Find(client.user) : users.first();
  if (account == nullptr) return false;
  state_.access.Restore(std::move(account), client.let_in);
  facts_.created_ms -= std::min(facts_.created_ms, client.age_ms);
  facts_.active_ms -= std::min(facts_.active_ms, client.idle_ms);
  facts_.commands = client.commands;
  facts_.last_command = context_->pool->table().FindByName(client.last_command);
  if (Protocol::IsSpoken(static_cast<int64_t>(client.protocol))) {
    state_.protocol.Choose(static_cast<int64_t>(client.protocol));
  }
  state_.database.Select(static_cast<int64_t>(client.database));
  state_.client_name.Set(client.name);
  if (!client.library_name.empty()) state_.library.SetName(client.library_name);
  if (!client.library_version.empty()) state_.library.SetVersion(client.library_version);
  if (client.monitors) state_.monitoring.Begin(context_->monitor, &replies_);
  std::string owed = from.output;
  if (from.tracking.on || from.tracking.for_others) {
    owed += PushOfAllChanged(state_.protocol, !from.subscriptions.empty());
  }
  if (from.asked) owed += told;
  if (!owed.empty()) {
    replies_.out().Append(owed);
    replies_.out().WantFlush();
  }
  if (client.closing) {
    Drain();
    return true;
  }
  state_.reply_mode.Restore(client.reply_off, static_cast<uint32_t>(client.replies_skipped));
  RestoreWatched(*context_->pool, from.watched, &state_.watched);
  Replay replay;
  AddTracking(from.tracking, &replay);
  AddSubscriptions(from.subscriptions, &replay);
  AddTransaction(from.transaction, &replay);
  if (replay.count > 0) state_.reply_mode.Mute(replay.count);
  if (from.waits) waits_.Continue(from.wait_left_ms);
  state_.in_space_until = facts_.commands + replay.count + (from.waits ? 1 : 0);
  const std::string input = replay.frames + from.input;
  input_.PutBack(input);
  ParseInput();
  return true;
}

}  // namespace gemel

#include "backend/shard/channels.h"

#include <algorithm>
#include <utility>

#include "backend/bytes/budget.h"
#include "backend/channels/channel_name.h"
#include "backend/channels/keyspace_name.h"
#include "backend/command/command_table.h"
#include "backend/link/node_identity.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/server_voices.h"
#include "backend/shard/silent_main.h"

namespace gemel {

namespace {

// So long a client waits for its subscription where a node does not answer.
constexpr uint64_t kSubscribeWaitMs = 1000;
// So long the nodes stay connected to when nobody wants anything.
constexpr uint64_t kKeepSubscribedMs = 10 * 1000;

// What is kept of a name here, counted (Budget).
size_t CostOfWanted(const std::string& name) { return name.size() + 128; }

}  // namespace

void Channels::AddCopy(uint32_t copy, const LinkOptions& node) {
  if (copy >= feeds_.size()) feeds_.resize(copy + 1);
  feeds_[copy] = std::make_unique<ChannelFeed>(static_cast<ChannelFeed::Host*>(this), copy,
                                               parts_->pool, node);
}

void Channels::StartFeeds(uint64_t now_ms) {
  for (uint32_t copy = 0; copy < feeds_.size(); ++copy) {
    if (parts_->copies->IsMember(copy)) feeds_[copy]->Start(now_ms);
  }
}

void Channels::Tick(uint64_t now_ms, uint32_t random) {
  LookWhoSpeaks();
  if (!wanted_.empty()) {
    used_ms_ = now_ms;
    StartFeeds(now_ms);
  } else if (now_ms > used_ms_ + kKeepSubscribedMs) {
    for (const auto& feed : feeds_) feed->Stop();
  }
  for (const auto& feed : feeds_) feed->Tick(now_ms, random += 0x9e3779b9u);
  if (!waiting_.empty()) Settle(now_ms);
  LookWhetherCaughtUp(now_ms);
}

// It may have been away for long, or be new: what waits to be published is to be heard.
void Channels::OnMainUp(uint32_t copy) {
  const uint64_t now_ms = parts_->env->NowMs();
  ChannelFeed& feed = *feeds_[copy];
  feed.OnMainUp(now_ms);
  if (copy == parts_->copies->primary()) BeginCatchingUp(now_ms);
}

void Channels::OnRoles() {
  const uint32_t primary = parts_->copies->primary();
  if (std::exchange(primary_, primary) == primary || primary >= feeds_.size()) return;
  if (parts_->copies->link(primary).up()) BeginCatchingUp(parts_->env->NowMs());
}

void Channels::BeginCatchingUp(uint64_t now_ms) {
  ChannelFeed& feed = *feeds_[parts_->copies->primary()];
  if (wanted_.empty() || !feed.link().has_transport()) return;
  StartFeeds(now_ms);
  if (feed.AllSettled() || feed.failed()) return;
  catching_up_ = true;
  catch_up_until_ms_ = std::max(catch_up_until_ms_, now_ms + kSubscribeWaitMs);
  parts_->shard->LeaveShortWay();
}

void Channels::AwaitListeners(uint64_t until_ms) {
  listeners_until_ms_ = until_ms;
  catching_up_ = true;
  catch_up_until_ms_ = until_ms + kSubscribeWaitMs;
  parts_->shard->LeaveShortWay();
}

void Channels::LookWhetherCaughtUp(uint64_t now_ms) {
  if (!catching_up_ || now_ms < listeners_until_ms_) return;
  const ChannelFeed& feed = *feeds_[parts_->copies->primary()];
  if (!feed.AllSettled() && !feed.failed() && now_ms < catch_up_until_ms_) return;
  catching_up_ = false;
  parts_->shard->Refresh();
}

bool Channels::IsHeard(Rest* rest) {
  if (wanted_.empty()) return true;
  const Copies& copies = *parts_->copies;
  const Link& main = copies.link(copies.primary());
  const uint64_t now_ms = parts_->env->NowMs();
  if (!rest->begun) {
    *rest = {true, false, now_ms + kSubscribeWaitMs, main.line().last_place(), {}};
  }
  if (now_ms >= rest->until_ms) return true;
  if (!rest->asked) {
    if (main.up() && main.line().answered_place() < rest->mark) return false;
    rest->asked = true;
    rest->pings.assign(feeds_.size(), 0);
    ForEachCopy(copies.in_sync(), [&](uint32_t copy) { rest->pings[copy] = feeds_[copy]->Ping(); });
  }
  for (uint32_t copy = 0; copy < rest->pings.size(); ++copy) {
    if (!feeds_[copy]->IsAnswered(rest->pings[copy])) return false;
  }
  return true;
}

void Channels::Stop() {
  for (const auto& feed : feeds_) feed->Stop();
  Settle(~uint64_t{0});
  for (const auto& [name, workers] : wanted_) Budget::Give(CostOfWanted(name));
  wanted_.clear();
  of_keys_ = 0;
  catching_up_ = false;
  LookWhoSpeaks();
}

void Channels::Submit(Request* request) {
  const auto& cargo = static_cast<const ChannelsCargo&>(*request->extra->cargo);
  const uint64_t now_ms = parts_->env->NowMs();
  if (cargo.barrier) {
    const uint32_t primary = parts_->copies->primary();
    const uint64_t until_ms = now_ms + kSubscribeWaitMs;
    waiting_.push_back({request, {}, until_ms, {}, primary, feeds_[primary]->Ping()});
    SettleLast(now_ms);
    return;
  }
  if (!cargo.wanted) {
    Drop(cargo);
    if (!waiting_.empty()) Settle(now_ms);  // what is not wanted nobody waits for
    request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
    return;
  }
  Want(cargo);
  LookWhoSpeaks();
  used_ms_ = now_ms;
  StartFeeds(now_ms);
  waiting_.push_back({request, cargo.names, now_ms + kSubscribeWaitMs, {}});
  SettleLast(now_ms);
}

void Channels::Want(const ChannelsCargo& cargo) {
  for (const std::string& name : cargo.names) {
    Workers& workers = wanted_[name];
    if (workers.empty()) {
      Budget::Take(CostOfWanted(name));
      if (MayBeAboutKeys(name)) ++of_keys_;
      const std::string there = OnNodes(name);
      for (const auto& feed : feeds_) {
        if (!there.empty()) feed->Add(there);
      }
    }
    if (std::find(workers.begin(), workers.end(), cargo.worker) == workers.end()) {
      workers.push_back(cargo.worker);
    }
  }
}

void Channels::Drop(const ChannelsCargo& cargo) {
  for (const std::string& name : cargo.names) Drop(cargo.worker, name);
  if (!cargo.all) return;
  std::vector<std::string> names;
  for (const auto& [name, workers] : wanted_) {
    if (std::find(workers.begin(), workers.end(), cargo.worker) != workers.end()) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) Drop(cargo.worker, name);
}

void Channels::Drop(uint32_t worker, const std::string& name) {
  const auto found = wanted_.find(name);
  if (found == wanted_.end()) return;
  std::erase(found->second, worker);
  if (!found->second.empty()) return;
  const std::string there = OnNodes(name);
  for (const auto& feed : feeds_) {
    if (!there.empty()) feed->Remove(there);
  }
  Budget::Give(CostOfWanted(found->first));
  if (MayBeAboutKeys(name)) --of_keys_;
  wanted_.erase(found);
}

bool Channels::NeedsNoWait(const std::string& name) const {
  if (!wanted_.contains(name)) return true;
  const std::string there = OnNodes(name);
  if (there.empty()) return true;
  bool all = true;
  ForEachCopy(parts_->copies->in_sync(), [&](uint32_t copy) {
    ChannelFeed& feed = *feeds_[copy];
    // Nor is one waited for that could not be connected to.
    all = all && (feed.IsSettled(there) || !MayBeThere(copy) || !feed.link().has_transport() ||
                  feed.failed());
  });
  return all;
}

bool Channels::MayBeThere(uint32_t copy) const {
  const Link& main = parts_->copies->link(copy);
  return main.up() || main.times().hopeful();
}

bool Channels::MayPublishToo(const Request& request) {
  return request.block || (request.row != nullptr && request.row->script != ScriptRule::kNone);
}

bool Channels::NeedsNoWait(Waiting* waiting, uint64_t now_ms) const {
  std::erase_if(waiting->names, [this](const std::string& name) { return NeedsNoWait(name); });
  return !waiting->error.empty() || now_ms >= waiting->until_ms ||
         (waiting->names.empty() && feeds_[waiting->copy]->IsAnswered(waiting->ping));
}

void Channels::Settle(uint64_t now_ms) {
  settle_ = false;
  LookWhoSpeaks();  // whoever is told that it listens may publish next
  std::list<Waiting> done;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto waiting = it++;
    if (NeedsNoWait(&*waiting, now_ms)) done.splice(done.end(), waiting_, waiting);
  }
  for (const Waiting& each : done) Answer(each);
}

void Channels::SettleLast(uint64_t now_ms) {
  if (!NeedsNoWait(&waiting_.back(), now_ms)) return;
  const Waiting done = std::move(waiting_.back());
  waiting_.pop_back();
  Answer(done);
}

void Channels::Answer(const Waiting& done) {
  done.request->sink->OnReply(done.request,
                              Reply{done.error.empty() ? "+OK\r\n" : done.error, nullptr});
}

void Channels::OnSubscribed(uint32_t copy, std::string_view name, std::string_view error) {
  const std::string wanted = OfNodes(name);
  if (!error.empty() && copy == parts_->copies->primary()) {
    for (Waiting& waiting : waiting_) {
      if (std::find(waiting.names.begin(), waiting.names.end(), wanted) == waiting.names.end()) {
        continue;
      }
      waiting.error = error;
      Drop(static_cast<const ChannelsCargo&>(*waiting.request->extra->cargo).worker, wanted);
    }
  }
  settle_ = true;  // once for all that came together
}

void Channels::OnFeedUp(uint32_t copy) {
  LookWhoSpeaks();
  for (const auto& [name, workers] : wanted_) {
    if (const std::string there = OnNodes(name); !there.empty()) feeds_[copy]->Add(there);
  }
}

void Channels::OnMessage(uint32_t copy, std::string_view message) {
  if (copy != parts_->copies->primary()) return;
  if (!std::exchange(looked_, true)) LookWhoSpeaks();  // once for what came together
  const std::string name = ChannelOfMessage(message);
  const uint32_t own = OwnDatabase();
  const auto found = wanted_.find(own == 0 ? name : OfNodes(name));
  if (found == wanted_.end() || !PassesOn(found->first, message)) return;
  ++messages_;
  std::string renamed;
  if (!args_.empty() && DatabaseOfNotification(args_[args_.size() - 2]) >= 0) {
    const std::string pattern(TextOfChannel(found->first));
    const std::string channel = RenameKeyspace(args_[args_.size() - 2], own, 0);
    if (args_.size() == 4) args_[1] = pattern;
    args_[args_.size() - 2] = channel;
    message = renamed = CommandFrame(args_);
  }
  for (const uint32_t worker : found->second) {
    if (out_.size() <= worker) out_.resize(worker + 1);
    out_[worker].append(message);
  }
}

void Channels::LookWhoSpeaks() {
  ServerVoices* voices = parts_->env->voices();
  if (voices == nullptr) return;
  // One that does not hear the server leaves it to others.
  const Link& feed = feeds_[parts_->copies->primary()]->link();
  const std::string_view process =
      wanted_.empty() || !feed.up() ? std::string_view() : ProcessOf(feed.identity().run_id);
  // Of one that hides who it is nothing can be told.
  speaks_ = voices->Speaks(parts_->options.name, process) || process.empty();
}

bool Channels::PassesOn(std::string_view name, std::string_view message) {
  args_.clear();
  if (KindOfChannel(name) == ChannelKind::kShardChannel) return true;
  const uint32_t own = OwnDatabase();
  if (own == 0) return speaks_ && !IsHidden(name, message);
  SplitFrame(message, &args_);
  const int64_t database = DatabaseOfNotification(args_[args_.size() - 2]);
  return database < 0 ? speaks_ : database == own;
}

// What a node tells of keys in a database that is not the clients'.
bool Channels::IsHidden(std::string_view name, std::string_view message) {
  const uint32_t hidden = feeds_[parts_->copies->primary()]->link().options().hidden_database;
  if (hidden == 0 || !MayBeAboutKeys(name)) return false;
  std::vector<std::string_view> args;
  SplitFrame(message, &args);
  return DatabaseOfNotification(args[args.size() - 2]) == int64_t{hidden};
}

uint32_t Channels::OwnDatabase() const {
  return feeds_[parts_->copies->primary()]->link().options().database;
}

std::string Channels::OnNodes(const std::string& name) const {
  const uint32_t own = OwnDatabase();
  if (own == 0) return name;
  const std::string_view text = TextOfChannel(name);
  // No client has a database of that number.
  if (FindKeyspace(text, own) != std::string_view::npos) return {};
  return MakeChannelName(KindOfChannel(name), RenameKeyspace(text, 0, own));
}

std::string Channels::OfNodes(std::string_view name) const {
  const uint32_t own = OwnDatabase();
  if (own == 0 || name.empty()) return std::string(name);
  return MakeChannelName(KindOfChannel(name), RenameKeyspace(TextOfChannel(name), own, 0));
}

void Channels::OnMessagesEnd(uint32_t) {
  looked_ = false;
  for (uint32_t worker = 0; worker < out_.size(); ++worker) {
    if (!out_[worker].empty()) parts_->env->OnMessages(worker, std::exchange(out_[worker], {}));
  }
  // Who waits for the rest of what was published has it.
  if (!settle_) return;
  const uint64_t now_ms = parts_->env->NowMs();
  Settle(now_ms);
  LookWhetherCaughtUp(now_ms);
}

bool Channels::IsSilent(uint32_t copy) {
  return IsMainSilent(*parts_->copies, copy, parts_->env->NowMs());
}

}  // namespace gemel

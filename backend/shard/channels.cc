#include "backend/shard/channels.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "backend/channels/channel_name.h"
#include "backend/link/node_identity.h"
#include "backend/resp/request_reader.h"
#include "backend/shard/copies.h"
#include "backend/shard/server_voices.h"
#include "backend/shard/silent_main.h"

namespace gemel {

namespace {

// So long a client waits for its subscription where a node does not answer.
constexpr uint64_t kSubscribeWaitMs = 1000;
// So long the nodes stay connected to when nobody wants anything.
constexpr uint64_t kKeepSubscribedMs = 10 * 1000;

// The database of "__keyspace@3__:key" and "__keyevent@3__:event"; -1: it is none of these.
int64_t DatabaseOfNotification(std::string_view channel) {
  for (const std::string_view head : {"__keyspace@", "__keyevent@"}) {
    if (!channel.starts_with(head)) continue;
    channel.remove_prefix(head.size());
    int64_t database = -1;
    const auto [end, error] =
        std::from_chars(channel.data(), channel.data() + channel.size(), database);
    const bool whole = error == std::errc() &&
                       channel.substr(static_cast<size_t>(end - channel.data())).starts_with("__:");
    return whole ? database : -1;
  }
  return -1;
}

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
}

void Channels::Stop() {
  for (const auto& feed : feeds_) feed->Stop();
  Settle(~uint64_t{0});
  wanted_.clear();
  LookWhoSpeaks();
}

void Channels::Submit(Request* request) {
  const auto& cargo = static_cast<const ChannelsCargo&>(*request->extra->cargo);
  const uint64_t now_ms = parts_->env->NowMs();
  if (!cargo.wanted) {
    Drop(cargo);
    request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
    return;
  }
  Want(cargo);
  LookWhoSpeaks();
  used_ms_ = now_ms;
  StartFeeds(now_ms);
  waiting_.push_back({request, cargo.names, now_ms + kSubscribeWaitMs, {}});
  SettleOne(std::prev(waiting_.end()), now_ms);
}

void Channels::Want(const ChannelsCargo& cargo) {
  for (const std::string& name : cargo.names) {
    Workers& workers = wanted_[name];
    if (workers.empty()) {
      for (const auto& feed : feeds_) feed->Add(name);
    }
    if (std::find(workers.begin(), workers.end(), cargo.worker) == workers.end()) {
      workers.push_back(cargo.worker);
    }
  }
}

void Channels::Drop(const ChannelsCargo& cargo) {
  for (const std::string& name : cargo.names) Drop(cargo.worker, name);
}

void Channels::Drop(uint32_t worker, const std::string& name) {
  const auto found = wanted_.find(name);
  if (found == wanted_.end()) return;
  std::erase(found->second, worker);
  if (!found->second.empty()) return;
  for (const auto& feed : feeds_) feed->Remove(name);
  wanted_.erase(found);
}

bool Channels::NeedsNoWait(const std::string& name) const {
  if (!wanted_.contains(name)) return true;
  bool all = true;
  ForEachCopy(parts_->copies->in_sync(), [&](uint32_t copy) {
    const Link& feed = feeds_[copy]->link();
    // Nor is one waited for that could not be connected to.
    all = all && (!parts_->copies->link(copy).up() || !feed.has_transport() ||
                  feeds_[copy]->failed() || feeds_[copy]->IsSettled(name));
  });
  return all;
}

void Channels::SettleOne(std::list<Waiting>::iterator waiting, uint64_t now_ms) {
  std::erase_if(waiting->names, [this](const std::string& name) { return NeedsNoWait(name); });
  if (waiting->error.empty() && !waiting->names.empty() && now_ms < waiting->until_ms) return;
  const Waiting done = std::move(*waiting);
  waiting_.erase(waiting);
  done.request->sink->OnReply(done.request,
                              Reply{done.error.empty() ? "+OK\r\n" : done.error, nullptr});
}

void Channels::Settle(uint64_t now_ms) {
  settle_ = false;
  for (auto it = waiting_.begin(); it != waiting_.end();) SettleOne(it++, now_ms);
}

void Channels::OnSubscribed(uint32_t copy, std::string_view name, std::string_view error) {
  const std::string wanted(name);
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
  for (const auto& [name, workers] : wanted_) feeds_[copy]->Add(name);
}

void Channels::OnMessage(uint32_t copy, std::string_view message) {
  if (copy != parts_->copies->primary()) return;
  if (!std::exchange(looked_, true)) LookWhoSpeaks();  // once for what came together
  const auto found = wanted_.find(ChannelOfMessage(message));
  if (found == wanted_.end() || !PassesOn(found->first, message)) return;
  ++messages_;
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

bool Channels::PassesOn(std::string_view name, std::string_view message) const {
  const uint32_t own = feeds_[parts_->copies->primary()]->link().options().database;
  if (KindOfChannel(name) == ChannelKind::kShardChannel) return true;
  if (own == 0) return speaks_;
  std::vector<std::string_view> args;
  SplitFrame(message, &args);
  const int64_t database = DatabaseOfNotification(args[args.size() - 2]);
  return database < 0 ? speaks_ : database == own;
}

void Channels::OnMessagesEnd(uint32_t) {
  looked_ = false;
  if (settle_) Settle(parts_->env->NowMs());
  for (uint32_t worker = 0; worker < out_.size(); ++worker) {
    if (!out_[worker].empty()) parts_->env->OnMessages(worker, std::exchange(out_[worker], {}));
  }
}

bool Channels::IsSilent(uint32_t copy) {
  return IsMainSilent(*parts_->copies, copy, parts_->env->NowMs());
}

}  // namespace gemel

#include "backend/shard/channels.h"

#include <algorithm>
#include <utility>

#include "backend/channels/channel_name.h"
#include "backend/shard/copies.h"

namespace gemel {

namespace {

// So long a client waits for its subscription where a node does not answer.
constexpr uint64_t kMostWaitMs = 1000;
// So long the nodes stay connected to when nobody wants anything.
constexpr uint64_t kKeepMs = 10 * 1000;
// A main link that waits so long is silent.
constexpr uint64_t kSilentMainMs = 1000;

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
  if (!wanted_.empty()) {
    used_ms_ = now_ms;
    StartFeeds(now_ms);
  } else if (now_ms > used_ms_ + kKeepMs) {
    for (const auto& feed : feeds_) feed->Stop();
  }
  for (const auto& feed : feeds_) feed->Tick(now_ms, random += 0x9e3779b9u);
  if (!waiting_.empty()) Settle(now_ms);
}

void Channels::Stop() {
  for (const auto& feed : feeds_) feed->Stop();
  Settle(~uint64_t{0});
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
  used_ms_ = now_ms;
  StartFeeds(now_ms);
  waiting_.push_back({request, cargo.names, now_ms + kMostWaitMs, {}});
  Settle(now_ms);
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
    all = all && (!parts_->copies->link(copy).up() || !feeds_[copy]->link().has_transport() ||
                  feeds_[copy]->IsSettled(name));
  });
  return all;
}

void Channels::Settle(uint64_t now_ms) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    std::erase_if(it->names, [this](const std::string& name) { return NeedsNoWait(name); });
    if (it->error.empty() && !it->names.empty() && now_ms < it->until_ms) {
      ++it;
      continue;
    }
    const Waiting done = std::move(*it);
    it = waiting_.erase(it);
    done.request->sink->OnReply(done.request,
                                Reply{done.error.empty() ? "+OK\r\n" : done.error, nullptr});
  }
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
  Settle(parts_->env->NowMs());
}

void Channels::OnFeedUp(uint32_t copy) {
  for (const auto& [name, workers] : wanted_) feeds_[copy]->Add(name);
}

void Channels::OnMessage(uint32_t copy, std::string_view message) {
  if (copy != parts_->copies->primary()) return;
  const auto found = wanted_.find(ChannelOfMessage(message));
  if (found == wanted_.end()) return;
  ++messages_;
  for (const uint32_t worker : found->second) {
    if (out_.size() <= worker) out_.resize(worker + 1);
    out_[worker].append(message);
  }
}

void Channels::OnMessagesEnd(uint32_t) {
  for (uint32_t worker = 0; worker < out_.size(); ++worker) {
    if (!out_[worker].empty()) parts_->env->OnMessages(worker, std::exchange(out_[worker], {}));
  }
}

// The node's main link waits for it.
bool Channels::IsSilent(uint32_t copy) {
  const Link& link = parts_->copies->link(copy);
  return link.up() && !link.line().empty() &&
         parts_->env->NowMs() >= link.times().waiting_since_ms() + kSilentMainMs;
}

}  // namespace gemel

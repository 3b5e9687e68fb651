#include "backend/channels/channel_feed.h"

#include "backend/channels/channel_name.h"
#include "backend/link/subscriber_options.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr std::string_view kChannelsNameEnd = ":channels";
// So long it may say nothing before it is asked whether it is alive.
constexpr uint64_t kChannelsQuietMs = 1000;
// What was refused is asked for again after so long.
constexpr uint64_t kRefusedMs = 2000;

}  // namespace

ChannelFeed::ChannelFeed(Host* host, uint32_t copy, ChunkPool* pool, const LinkOptions& node)
    : host_(host),
      copy_(copy),
      link_(this, copy, pool, SubscriberOptions(node, kChannelsNameEnd)) {}

void ChannelFeed::SetOptions(const LinkOptions& node) {
  link_.set_options(SubscriberOptions(node, kChannelsNameEnd));
}

void ChannelFeed::Start(uint64_t now_ms) {
  if (started_ || !link_.has_transport()) return;
  started_ = true;
  failed_ = false;
  if (link_.state() == Link::State::kDown) link_.Start(now_ms);
}

void ChannelFeed::Stop() {
  if (!started_) return;
  started_ = false;
  link_.Stop();
}

void ChannelFeed::OnMainUp(uint64_t now_ms) {
  if (!started_ || link_.up()) return;
  failed_ = false;  // of an attempt that has begun it is not known, whatever became of those before
  if (link_.state() != Link::State::kDown) return;
  Stop();
  Start(now_ms);
}

void ChannelFeed::Tick(uint64_t now_ms, uint32_t random) {
  if (!started_) return;
  // Or nobody would learn that a network has forgotten the connection.
  if (link_.up() && link_.line().empty() && now_ms >= link_.times().heard_ms() + kChannelsQuietMs) {
    Ping();
  }
  if (any_refused_ && link_.up() && now_ms >= retry_ms_) AskAgain(now_ms);
  link_.Tick(now_ms, random);
}

uint64_t ChannelFeed::Ping() {
  if (!link_.up()) return answered_;
  link_.Send(&item_, CommandFrame({"PING"}));
  return ++pings_;
}

// What was refused for a reason that passes (BUSY) is not refused for ever.
void ChannelFeed::AskAgain(uint64_t now_ms) {
  retry_ms_ = now_ms + kRefusedMs;
  any_refused_ = false;
  std::vector<std::string> refused;
  for (const auto& [name, subscription] : subscriptions_) {
    if (subscription.refused && subscription.wanted) refused.push_back(name);
  }
  for (const std::string& name : refused) Add(name);
}

// One channel a command: each is answered by itself, and may be refused by itself.
void ChannelFeed::Add(const std::string& name) {
  if (!link_.up()) return;
  Subscription& subscription = subscriptions_[name];
  subscription.wanted = true;
  if (subscription.asked++ == 0) ++unsettled_;
  link_.Send(&item_, CommandFrame({VerbsOf(KindOfChannel(name)).subscribe, TextOfChannel(name)}));
}

void ChannelFeed::Remove(const std::string& name) {
  const auto found = subscriptions_.find(name);
  if (found == subscriptions_.end() || !found->second.wanted) return;
  found->second.wanted = false;
  link_.Send(&item_, CommandFrame({VerbsOf(KindOfChannel(name)).unsubscribe, TextOfChannel(name)}));
  if (found->second.asked == 0) subscriptions_.erase(found);
}

bool ChannelFeed::IsSettled(const std::string& name) const {
  const auto found = subscriptions_.find(name);
  return found != subscriptions_.end() && found->second.wanted && found->second.asked == 0;
}

void ChannelFeed::OnLinkUp(Link*, const NodeIdentity&) {
  failed_ = false;
  host_->OnFeedUp(copy_);
}

void ChannelFeed::OnLinkReply(Link*, LinkItem*, const Reply& reply, std::string_view frame) {
  args_.clear();
  SplitFrame(frame, &args_);
  if (args_[0] == "PING") {
    ++answered_;
    host_->OnPong(copy_);
    return;
  }
  for (const ChannelKind kind :
       {ChannelKind::kChannel, ChannelKind::kPattern, ChannelKind::kShardChannel}) {
    if (args_[0] != VerbsOf(kind).subscribe) continue;
    OnAnswer(MakeChannelName(kind, args_[1]), reply.bytes);
    return;
  }
}

void ChannelFeed::OnAnswer(const std::string& name, std::string_view reply) {
  const auto found = subscriptions_.find(name);
  if (found == subscriptions_.end() || --found->second.asked > 0) return;
  --unsettled_;
  found->second.refused = reply[0] == '-';
  any_refused_ |= found->second.refused;
  if (!found->second.wanted) {
    subscriptions_.erase(found);
    return;
  }
  host_->OnSubscribed(copy_, name, found->second.refused ? reply : std::string_view());
}

void ChannelFeed::OnLinkDown(Link*, const std::string&, bool) {
  subscriptions_.clear();
  unsettled_ = 0;
  any_refused_ = false;
  answered_ = pings_;
  failed_ = started_ && !link_.times().hopeful();
  host_->OnMessagesEnd(copy_);
}

}  // namespace gemel

#include "backend/removals/removal_feed.h"

#include <algorithm>
#include <charconv>

#include "backend/keys/key_name.h"
#include "backend/link/subscriber_options.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr std::string_view kFeedNameEnd = ":feed";
constexpr std::string_view kExpiredPattern = "__keyevent@*__:expired";
constexpr std::string_view kEvictedPattern = "__keyevent@*__:evicted";
// So long a feed may say nothing before it is asked whether it is alive.
constexpr uint64_t kFeedQuietMs = 1000;
// A node that has no right to the subscription, or does not know it, is asked again after so long;
// one that cannot just now (BUSY, LOADING) soon.
constexpr uint64_t kFeedRetryMs = 60 * 1000;
constexpr uint64_t kFeedBusyMs = 1000;

}  // namespace

RemovalFeed::RemovalFeed(Host* host, uint32_t copy, ChunkPool* pool, const LinkOptions& node)
    : host_(host), copy_(copy), link_(this, copy, pool, SubscriberOptions(node, kFeedNameEnd)) {
  for (size_t i = 0; i < kSteps; ++i) items_[i].step = static_cast<Step>(i);
  SetOptions(node);
}

void RemovalFeed::SetOptions(const LinkOptions& node) {
  link_.set_options(SubscriberOptions(node, kFeedNameEnd));
  database_ = node.database;
}

void RemovalFeed::OnMainUp(const NodeIdentity& known) {
  const std::string_view process = ProcessOf(known.run_id);
  if (process == came_) return;
  came_ = process;
  // What it evicted before this process of gemel came is not known, if it ever did.
  came_evicted_ = process_.empty() ? 0 : known.evicted;
}

void RemovalFeed::Start(uint64_t now_ms, const NodeIdentity& known) {
  now_ms_ = now_ms;
  OnMainUp(known);
  if (started_ || !link_.has_transport() || now_ms < retry_ms_) return;
  started_ = true;
  if (link_.state() == Link::State::kDown) link_.Start(now_ms);
}

void RemovalFeed::Stop() {
  started_ = false;
  retry_ms_ = 0;
  if (link_.has_transport()) link_.Stop();
}

void RemovalFeed::Tick(uint64_t now_ms, uint32_t random) {
  now_ms_ = now_ms;
  if (!started_) return;
  // Or nobody would learn that a network has forgotten the connection.
  if (following_ && link_.line().empty() && now_ms >= link_.times().heard_ms() + kFeedQuietMs) {
    Ask(Step::kAlive, {"PING"});
  }
  link_.Tick(now_ms, random);
}

void RemovalFeed::Restart(uint64_t now_ms, const NodeIdentity& known) {
  if (!started_) return;
  Stop();
  Start(now_ms, known);
}

void RemovalFeed::Ask(Step step, const std::vector<std::string_view>& args) {
  link_.Send(&items_[static_cast<size_t>(step)], CommandFrame(args));
}

void RemovalFeed::OnLinkUp(Link*, const NodeIdentity&) {
  Ask(Step::kMulti, {"MULTI"});
  Ask(Step::kInfo, {"INFO", "stats"});
  Ask(Step::kExpired, {"PSUBSCRIBE", kExpiredPattern});
  Ask(Step::kEvicted, {"PSUBSCRIBE", kEvictedPattern});
  Ask(Step::kExec, {"EXEC"});
}

void RemovalFeed::Ping() {
  ++pings_;
  Ask(Step::kPing, {"PING"});
}

void RemovalFeed::OnLinkReply(Link*, LinkItem* item, const Reply& reply, std::string_view) {
  const Step step = static_cast<Item*>(item)->step;
  if (step == Step::kPing) {
    if (--pings_ == 0) host_->OnPong(copy_);
  } else if (reply.bytes[0] == '-') {
    Refuse(ReplyText(reply.bytes));
  } else if (step == Step::kExec) {
    OnSubscribed(reply.bytes);
  }
}

void RemovalFeed::OnSubscribed(std::string_view reply) {
  parts_.clear();
  if (!SplitArray(reply, &parts_) || parts_.size() != 3 || parts_[0][0] == '-' ||
      parts_[1][0] == '-' || parts_[2][0] == '-') {
    Refuse("ERR an odd reply to PSUBSCRIBE");
    return;
  }
  int64_t counter = 0;
  ParseInteger(InfoField(ReplyText(parts_[0]), "evicted_keys"), &counter);
  const auto evicted = static_cast<uint64_t>(counter);
  const std::string_view process = ProcessOf(link_.identity().run_id);
  // It may be another process than the feed's last, to which this link came by itself.
  const bool missed =
      process == process_ ? evicted != evicted_ : process == came_ && evicted != came_evicted_;
  process_ = process;
  evicted_ = evicted;
  following_ = true;
  refusal_.clear();
  host_->OnFollowing(copy_, missed);
}

void RemovalFeed::Refuse(std::string_view why) {
  refusal_ = "it refuses PSUBSCRIBE: " + std::string(why);
  started_ = false;
  const bool for_long = why.starts_with("NOPERM") || why.starts_with("ERR ");
  retry_ms_ = now_ms_ + (for_long ? kFeedRetryMs : kFeedBusyMs);
  link_.Stop();
}

void RemovalFeed::OnLinkDown(Link*, const std::string&, bool) {
  pings_ = 0;
  if (!following_) return;
  following_ = told_ = false;
  host_->OnFeedEnd(copy_);
}

// Of "__keyevent@3__:expired", as the shard counts them; -1: it is not the shard's.
int64_t RemovalFeed::DatabaseOfChannel(std::string_view channel) const {
  channel.remove_prefix(std::min(channel.find('@') + 1, channel.size()));
  uint32_t index = 0;
  const auto [end, error] = std::from_chars(channel.data(), channel.data() + channel.size(), index);
  if (error != std::errc()) return -1;
  const bool ours = database_ != 0 ? index == database_ : index < link_.options().databases;
  if (!ours) return -1;
  return database_ != 0 ? 0 : index;
}

// pmessage, the pattern, the channel, the key.
void RemovalFeed::OnLinkPush(Link*, std::string_view push) {
  parts_.clear();
  if (!following_ || !SplitArray(push, &parts_) || parts_.size() != 4) return;
  const std::string_view channel = ReplyText(parts_[2]);
  const bool evicted = channel.ends_with(":evicted");
  if (evicted) ++evicted_;
  const int64_t database = DatabaseOfChannel(channel);
  if (database < 0) return;
  told_ = true;
  const std::string_view key = ReplyText(parts_[3]);
  const auto index = static_cast<uint8_t>(database);
  if (IsItsOwnName(index, key)) {
    host_->OnRemoved(copy_, key, evicted);
  } else {
    host_->OnRemoved(copy_, MakeKeyName(index, key), evicted);
  }
}

void RemovalFeed::OnLinkHeard(Link*) {
  if (!told_) return;
  told_ = false;
  host_->OnRemovedEnd(copy_);
}

}  // namespace gemel

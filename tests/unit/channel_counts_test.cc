// Who has subscribed to what, over all workers: what is counted, and what is under way.

#include "proxy/channels/channel_counts.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "backend/channels/keyspace_name.h"
#include "backend/channels/channel_name.h"
#include "proxy/channels/subscriptions_under_way.h"

namespace gemel::channel_counts_test {
namespace {

TEST(SubscriptionsUnderWay, MayBeAboutKeys) {
  for (const char* channel : {"__keyspace@0__:k", "__keyevent@12__:set"}) {
    EXPECT_TRUE(MayBeAboutKeys(MakeChannelName(ChannelKind::kChannel, channel)));
    EXPECT_TRUE(MayBeAboutKeys(MakeChannelName(ChannelKind::kPattern, channel)));
    EXPECT_FALSE(MayBeAboutKeys(MakeChannelName(ChannelKind::kShardChannel, channel)));
  }
  for (const char* pattern : {"*", "?_key*", "__key*", "__k[ae]y*", "__keyspace@*", "\\__key*"}) {
    EXPECT_TRUE(MayBeAboutKeys(MakeChannelName(ChannelKind::kPattern, pattern))) << pattern;
    EXPECT_FALSE(pattern[0] != '_' &&
                 MayBeAboutKeys(MakeChannelName(ChannelKind::kChannel, pattern)));
  }
  for (const char* other : {"", "k", "__key", "keyspace@*", "__keys@*", "_*a"}) {
    EXPECT_FALSE(MayBeAboutKeys(MakeChannelName(ChannelKind::kChannel, other))) << other;
  }
  for (const char* other : {"", "__key", "keyspace@*", "__keys@*"}) {
    EXPECT_FALSE(MayBeAboutKeys(MakeChannelName(ChannelKind::kPattern, other))) << other;
  }
}

TEST(SubscriptionsUnderWay, AreFoundByWhatIsPublished) {
  SubscriptionsUnderWay all;
  const auto published = [](ChannelKind kind, const std::string& channel) {
    return Published{false, {{kind, channel}}};
  };
  const std::string b = MakeChannelName(ChannelKind::kChannel, "b");
  all.Begin(1, b);
  all.Begin(2, b);
  all.Begin(2, b);
  for (int i = 0; i < 1000; ++i) {
    all.Begin(3, MakeChannelName(ChannelKind::kPattern, "p" + std::to_string(i) + "*"));
  }
  all.Begin(4, MakeChannelName(ChannelKind::kShardChannel, "b"));
  using Workers = std::vector<uint32_t>;
  EXPECT_EQ(all.WorkersFor(published(ChannelKind::kChannel, "b")), (Workers{1, 2}));
  EXPECT_EQ(all.WorkersFor(published(ChannelKind::kChannel, "p999x")), Workers{3});
  EXPECT_EQ(all.WorkersFor(published(ChannelKind::kShardChannel, "b")), Workers{4});
  EXPECT_EQ(all.WorkersFor(published(ChannelKind::kShardChannel, "p999x")), Workers{});
  EXPECT_EQ(all.WorkersFor(Published{true, {}}), (Workers{1, 2, 3, 4}));
  all.End(1, b);
  all.End(2, b);
  EXPECT_EQ(all.WorkersFor(published(ChannelKind::kChannel, "b")), Workers{2});
  all.End(2, b);
  all.BeginChange(0, false);
  EXPECT_EQ(all.WorkersFor(published(ChannelKind::kChannel, "b")), Workers{0});
  all.EndChange(0);
  EXPECT_EQ(all.WorkersFor(published(ChannelKind::kChannel, "b")), Workers{});
  EXPECT_TRUE(all.any());
}

TEST(ChannelCountsTest, Receivers) {
  ChannelCounts counts;
  for (const char* channel : {"news", "news", "other"}) {
    counts.Add(MakeChannelName(ChannelKind::kChannel, channel));
  }
  for (const char* pattern : {"n*", "n[de]ws", "N*"}) {
    counts.Add(MakeChannelName(ChannelKind::kPattern, pattern));
  }
  counts.Add(MakeChannelName(ChannelKind::kShardChannel, "news"));
  EXPECT_EQ(counts.ReceiversOf(ChannelKind::kChannel, "news"), 4u);
  EXPECT_EQ(counts.ReceiversOf(ChannelKind::kShardChannel, "news"), 1u);
  EXPECT_EQ(counts.ReceiversOf(ChannelKind::kChannel, "NEWS"), 1u);
  EXPECT_EQ(counts.Different(ChannelKind::kPattern), 3u);
  EXPECT_EQ(counts.Matching(ChannelKind::kChannel, "*").size(), 2u);
  // More patterns than are looked at at a time.
  for (int i = 0; i < 1000; ++i) {
    counts.Add(MakeChannelName(ChannelKind::kPattern, "*" + std::to_string(i)));
  }
  EXPECT_EQ(counts.ReceiversOf(ChannelKind::kChannel, "x999"), 3u);
  EXPECT_EQ(counts.Matching(ChannelKind::kPattern, "*").size(), 1003u);
  counts.Remove(MakeChannelName(ChannelKind::kChannel, "news"));
  EXPECT_EQ(counts.CountOf(MakeChannelName(ChannelKind::kChannel, "news")), 1u);
}

}  // namespace
}  // namespace gemel::channel_counts_test

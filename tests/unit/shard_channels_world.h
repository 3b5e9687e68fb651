// A shard whose nodes are listened to, in the hands of a test.

#ifndef GEMEL_TESTS_UNIT_SHARD_CHANNELS_WORLD_H_
#define GEMEL_TESTS_UNIT_SHARD_CHANNELS_WORLD_H_

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/channels/channel_name.h"
#include "backend/resp/request_reader.h"
#include "backend/shard/channels.h"
#include "backend/shard/server_voices.h"
#include "tests/unit/shard_world.h"

namespace gemel {

class ShardChannelsWorld : public ShardWorld {
 protected:
  void Begin(uint32_t copies) {
    MakeUp(copies);
    feeds_.resize(copies);
    for (uint32_t i = 0; i < copies; ++i) shard_->channels_link(i)->set_transport(&feeds_[i]);
  }
  void FeedUp(uint32_t copy) {
    Link* link = shard_->channels_link(copy);
    if (link->state() == Link::State::kDown) shard_->Tick(now_ms_ += 100, 0);
    ASSERT_EQ(link->state(), Link::State::kConnecting);
    link->OnConnected(now_ms_);
    feeds_[copy].Sent(link);
    Answer(link, SubscriberHandshake("r" + std::to_string(copy)), now_ms_);
    if (!link->up()) Answer(link, ":1\r\n", now_ms_);  // it ended the connection before
    ASSERT_TRUE(link->up());
  }
  // The subscriptions that it was asked for since.
  std::string FeedSent(uint32_t copy) {
    const std::string sent = feeds_[copy].Sent(shard_->channels_link(copy));
    std::string asked;
    std::vector<std::string_view> args;
    for (std::string_view rest = sent; !rest.empty();) {
      args.clear();
      const size_t size = SplitNext(rest, &args);
      if (args[0].ends_with("subscribe")) asked += rest.substr(0, size);
      rest.remove_prefix(size);
    }
    return asked;
  }
  void FeedSays(uint32_t copy, const std::string& bytes) {
    Answer(shard_->channels_link(copy), bytes, now_ms_);
  }
  static std::string Confirmation(std::string_view channel) {
    std::string text = "*3\r\n";
    AppendBulk(&text, "subscribe");
    AppendBulk(&text, channel);
    return text + ":1\r\n";
  }
  // Two copies, whose feeds both tell of channel "a".
  void BeginWithTwoThatTellOfA() {
    Begin(2);
    Want(true, {"a"});
    FeedUp(0);
    FeedUp(1);
    FeedSays(0, Confirmation("a"));
    FeedSays(1, Confirmation("a"));
  }
  Asked* Want(bool wanted, const std::vector<std::string>& channels, uint32_t worker = 0) {
    Asked* request = &asked_.emplace_back();
    auto cargo = std::make_unique<ChannelsCargo>();
    cargo->worker = worker;
    cargo->wanted = wanted;
    for (const std::string& channel : channels)
      cargo->names.push_back(MakeChannelName(ChannelKind::kChannel, channel));
    request->sink = this;
    request->kind = RequestKind::kChannels;
    request->Extra().cargo = std::move(cargo);
    shard_->Submit(request);
    return request;
  }
  Asked* Publish(const std::string& text, uint32_t session) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = session;
    request->row = table_.FindByName("publish");
    request->primary_only = true;
    const std::string frame = Command({"PUBLISH", "a", text});
    request->frame = frame;
    shard_->Submit(request);
    return request;
  }
  // What came for that worker since it was asked last.
  std::string Heard(uint32_t worker) { return std::exchange(heard_[worker], {}); }
  ServerVoices* voices() override { return &voices_; }
  void OnMessages(uint32_t worker, std::string messages) override {
    heard_[worker] += messages;
    ++batches_;
  }

  std::deque<FakeTransport> feeds_;
  ServerVoices voices_;
  std::string heard_[4];
  int batches_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_SHARD_CHANNELS_WORLD_H_

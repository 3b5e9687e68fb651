// hiredis as C programs use it: threads with a connection each, pipelines, transactions,
// subscribers by its asynchronous interface, a connection that is cut and made again.

#include <gtest/gtest.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::hiredis_test {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using ReplyPtr = std::unique_ptr<redisReply, FreeReply>;

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
using ContextPtr = std::unique_ptr<redisContext, FreeContext>;

ContextPtr ConnectTo(uint16_t port) { return ContextPtr(redisConnect("127.0.0.1", port)); }

// A command in hiredis's own format; "(lost)" if the connection is.
template <typename... Args>
ReplyPtr Ask(const ContextPtr& context, const char* format, Args... args) {
  return ReplyPtr(static_cast<redisReply*>(redisCommand(context.get(), format, args...)));
}

std::string TextOf(const ReplyPtr& reply) {
  if (reply == nullptr) return "(lost)";
  if (reply->type == REDIS_REPLY_INTEGER) return std::to_string(reply->integer);
  if (reply->type == REDIS_REPLY_NIL) return "(nil)";
  return std::string(reply->str != nullptr ? reply->str : "", reply->len);
}

std::vector<std::string> ItemsOf(const redisReply& reply) {
  std::vector<std::string> items;
  for (size_t i = 0; i < reply.elements; ++i) {
    items.emplace_back(reply.element[i]->str, reply.element[i]->len);
  }
  return items;
}

// The asynchronous interface with poll as its loop.
class Asynchronous {
 public:
  explicit Asynchronous(uint16_t port) : context_(redisAsyncConnect("127.0.0.1", port)) {
    context_->ev.data = this;
    context_->ev.addRead = [](void* self) { Of(self)->events_ |= POLLIN; };
    context_->ev.delRead = [](void* self) { Of(self)->events_ &= ~POLLIN; };
    context_->ev.addWrite = [](void* self) { Of(self)->events_ |= POLLOUT; };
    context_->ev.delWrite = [](void* self) { Of(self)->events_ &= ~POLLOUT; };
    context_->data = this;
    redisAsyncSetDisconnectCallback(context_, [](const redisAsyncContext* context, int) {
      static_cast<Asynchronous*>(context->data)->context_ = nullptr;  // it frees itself
    });
    // With it the write of the connection is asked for.
    redisAsyncSetConnectCallback(context_, [](const redisAsyncContext*, int) {});
  }
  ~Asynchronous() {
    if (context_ != nullptr) redisAsyncFree(context_);
  }
  Asynchronous(const Asynchronous&) = delete;
  Asynchronous& operator=(const Asynchronous&) = delete;

  // What the replies say is added to heard, with spaces between.
  void Say(const char* command) {
    redisAsyncCommand(
        context_,
        [](redisAsyncContext* context, void* reply, void*) {
          if (reply == nullptr) return;
          static_cast<Asynchronous*>(context->data)->Hear(*static_cast<redisReply*>(reply));
        },
        nullptr, command);
  }
  // Lets it work until so much was heard.
  bool HearsUntil(size_t count) {
    return Eventually([&] {
      if (context_ == nullptr) return true;
      pollfd ready{context_->c.fd, static_cast<short>(events_), 0};
      if (poll(&ready, 1, 100) > 0) {
        if ((ready.revents & POLLOUT) != 0) redisAsyncHandleWrite(context_);
        if (context_ != nullptr && (ready.revents & (POLLIN | POLLHUP)) != 0) {
          redisAsyncHandleRead(context_);
        }
      }
      return heard.size() >= count;
    });
  }
  bool is_open() const { return context_ != nullptr; }

  std::vector<std::string> heard;

 private:
  static Asynchronous* Of(void* self) { return static_cast<Asynchronous*>(self); }
  void Hear(const redisReply& reply) {
    std::string text;
    if (reply.type == REDIS_REPLY_ARRAY) {
      for (size_t i = 0; i < reply.elements; ++i) {
        const redisReply& item = *reply.element[i];
        text += text.empty() ? "" : " ";
        text += item.type == REDIS_REPLY_INTEGER ? std::to_string(item.integer)
                                                 : std::string(item.str, item.len);
      }
    } else {
      text = reply.type == REDIS_REPLY_INTEGER ? std::to_string(reply.integer)
                                               : std::string(reply.str, reply.len);
    }
    heard.push_back(text);
  }

  redisAsyncContext* context_;
  int events_ = 0;
};

struct Setup {
  const char* name;
  int shards, workers;
};

class Hiredis : public testing::TestWithParam<Setup> {
 protected:
  ContextPtr Connect() { return ConnectTo(cluster_.proxy().port()); }

  Cluster cluster_{{.shards = GetParam().shards, .workers = GetParam().workers}};
};
INSTANTIATE_TEST_SUITE_P(Shards, Hiredis,
                         testing::Values(Setup{"One", 1, 1}, Setup{"TwoThreaded", 2, 2}),
                         [](const auto& info) { return info.param.name; });

TEST_P(Hiredis, ThreadsPipelinesAndTransactions) {
  std::vector<std::thread> threads;
  for (int number = 0; number < 6; ++number) {
    threads.emplace_back([this, number] {
      const ContextPtr own = Connect();
      for (int i = 0; i < 300; ++i) redisAppendCommand(own.get(), "SET t:%d:%d %d", number, i, i);
      for (int i = 0; i < 300; ++i) redisAppendCommand(own.get(), "GET t:%d:%d", number, i);
      for (int i = 0; i < 600; ++i) {
        void* reply = nullptr;
        ASSERT_EQ(redisGetReply(own.get(), &reply), REDIS_OK) << own->errstr;
        EXPECT_EQ(TextOf(ReplyPtr(static_cast<redisReply*>(reply))),
                  i < 300 ? "OK" : std::to_string(i - 300));
      }
      for (int done = 0; done < 15;) {
        ASSERT_EQ(TextOf(Ask(own, "WATCH {tx}n")), "OK");
        const ReplyPtr now = Ask(own, "GET {tx}n");
        const int next = now->type == REDIS_REPLY_NIL ? 1 : std::stoi(TextOf(now)) + 1;
        Ask(own, "MULTI");
        Ask(own, "SET {tx}n %d", next);
        Ask(own, "RPUSH {tx}log %d", next);
        const ReplyPtr replies = Ask(own, "EXEC");
        ASSERT_NE(replies, nullptr);
        if (replies->type == REDIS_REPLY_ARRAY) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const ContextPtr client = Connect();
  std::vector<std::string> expected;
  for (int i = 1; i <= 90; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(ItemsOf(*Ask(client, "LRANGE {tx}log 0 -1")), expected);
  cluster_.ExpectCopiesEqual();
}

TEST_P(Hiredis, TypesBinaryAndLargeValues) {
  const ContextPtr client = Connect();
  std::string key = "key";
  for (int i = 0; i < 256; ++i) key += static_cast<char>(i);
  const std::string value = "\r\n$-1\r\n" + key;
  EXPECT_EQ(TextOf(Ask(client, "SET %b %b", key.data(), key.size(), value.data(), value.size())),
            "OK");
  EXPECT_EQ(TextOf(Ask(client, "GET %b", key.data(), key.size())), value);
  std::string large(5'000'000, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7919 >> 5);
  EXPECT_EQ(TextOf(Ask(client, "SET large %b", large.data(), large.size())), "OK");
  EXPECT_TRUE(TextOf(Ask(client, "GET large")) == large);
  const std::string score = TextOf(Ask(client, "ZINCRBY z 1.5 m"));
  EXPECT_EQ(score, "1.5");
  EXPECT_EQ(TextOf(Ask(client, "GEOADD g 13.361389 38.115556 p")), "1");
  EXPECT_EQ(TextOf(Ask(client, "SETBIT b 1000 1")), "0");
  EXPECT_EQ(TextOf(Ask(client, "BITCOUNT b")), "1");
  const ReplyPtr made = Ask(client, "EVAL %s 2 {s}a {s}b 5",
                            "redis.call('set', KEYS[1], ARGV[1]) return {KEYS[2], ARGV[1]}");
  EXPECT_EQ(ItemsOf(*made), (std::vector<std::string>{"{s}b", "5"}));
  for (int i = 0; i < 10'500; ++i) redisAppendCommand(client.get(), "SET scan:%d v", i);
  for (int i = 0; i < 10'500; ++i) {
    void* reply = nullptr;
    ASSERT_EQ(redisGetReply(client.get(), &reply), REDIS_OK);
    freeReplyObject(reply);
  }
  std::set<std::string> found;
  std::string cursor = "0";
  do {
    const ReplyPtr reply = Ask(client, "SCAN %s MATCH scan:* COUNT 1000", cursor.c_str());
    cursor.assign(reply->element[0]->str, reply->element[0]->len);
    for (std::string& name : ItemsOf(*reply->element[1])) found.insert(std::move(name));
  } while (cursor != "0");
  EXPECT_EQ(found.size(), 10'500u);
  cluster_.ExpectCopiesEqual();
}

TEST_P(Hiredis, SubscribersQueuesAndStreams) {
  const ContextPtr client = Connect();
  Asynchronous subscriber(cluster_.proxy().port());
  subscriber.Say("SUBSCRIBE news");
  subscriber.Say("PSUBSCRIBE n*");
  ASSERT_TRUE(subscriber.HearsUntil(2));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(TextOf(Ask(client, "PUBLISH news %d", i)), "2");
  ASSERT_TRUE(subscriber.HearsUntil(42));
  EXPECT_EQ(subscriber.heard[0], "subscribe news 1");
  EXPECT_EQ(subscriber.heard[1], "psubscribe n* 2");
  for (int i = 0; i < 20; ++i) {
    const std::string number = std::to_string(i);
    for (const std::string& line : {"message news " + number, "pmessage n* news " + number}) {
      EXPECT_EQ(std::count(subscriber.heard.begin(), subscriber.heard.end(), line), 1) << line;
    }
  }
  Asynchronous waiter(cluster_.proxy().port());
  EXPECT_EQ(TextOf(Ask(client, "XGROUP CREATE st g 0 MKSTREAM")), "OK");
  waiter.Say("BLPOP {q}a {q}b 50");
  waiter.Say("INCR n");
  waiter.HearsUntil(0);
  EXPECT_TRUE(Eventually([&] {
    waiter.HearsUntil(0);
    return TextOf(Ask(client, "CLIENT LIST")).find("cmd=blpop") != std::string::npos;
  }));
  EXPECT_EQ(TextOf(Ask(client, "RPUSH {q}b x")), "1");
  ASSERT_TRUE(waiter.HearsUntil(2));
  EXPECT_EQ(waiter.heard, (std::vector<std::string>{"{q}b x", "1"}));
  const std::string id = TextOf(Ask(client, "XADD st * f v"));
  const ReplyPtr read = Ask(client, "XREADGROUP GROUP g me STREAMS st >");
  ASSERT_EQ(read->type, REDIS_REPLY_ARRAY);
  EXPECT_EQ(std::string(read->element[0]->element[1]->element[0]->element[0]->str), id);
  EXPECT_EQ(Ask(client, "XCLAIM st g other 0 %s", id.c_str())->elements, 1u);
  EXPECT_EQ(TextOf(Ask(client, "XACK st g %s", id.c_str())), "1");
  // What is cut off is told so, in either interface.
  EXPECT_EQ(TextOf(Ask(client, "CLIENT KILL TYPE pubsub")), "1");
  ASSERT_TRUE(subscriber.HearsUntil(subscriber.heard.size() + 1));
  EXPECT_FALSE(subscriber.is_open());
  const ContextPtr lone = Connect();
  const std::string number = TextOf(Ask(lone, "CLIENT ID"));
  EXPECT_EQ(TextOf(Ask(client, "CLIENT KILL ID %s", number.c_str())), "1");
  EXPECT_EQ(TextOf(Ask(lone, "GET n")), "(lost)");
  ASSERT_EQ(redisReconnect(lone.get()), REDIS_OK);
  EXPECT_EQ(TextOf(Ask(lone, "GET n")), "1");
  EXPECT_NE(TextOf(Ask(lone, "CLIENT ID")), number);
  cluster_.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::hiredis_test

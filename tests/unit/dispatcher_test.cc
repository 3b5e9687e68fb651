// Two workers that exchange their outboxes: what travels, who owns it, and what is counted.

#include "proxy/dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "proxy/local/worker_orders.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_test::dispatcher_test {
namespace {

class DispatcherTest : public ::testing::Test, public RequestSink {
 protected:
  Dispatcher& of(uint32_t worker) { return world_.workers[worker]->dispatcher; }
  Request* Submit(uint32_t worker, uint32_t shard, RequestKind kind, const Args& args) {
    Request* request = of(worker).New();
    request->sink = this;
    request->shard = static_cast<uint16_t>(shard);
    request->kind = kind;
    request->row = world_.pool->table().Find(args);
    std::string frame = Command(args);
    request->frame = frame;
    of(worker).Submit(request);
    std::fill(frame.begin(), frame.end(), '#');  // it is valid during the call only
    return request;
  }
  void OnReply(Request* request, const Reply& reply) override {
    if (request->submitted) of(asking_).Answered(*request);
    replies_.emplace_back(reply.bytes);
    answered_.push_back(request);
    last_data_ = reply.bytes.data();
    last_buffer_ = reply.buffer;
  }

  uint32_t asking_ = 0;
  std::vector<std::string> replies_;
  std::vector<Request*> answered_;
  const char* last_data_ = nullptr;
  ByteBuffer* last_buffer_ = nullptr;
  World world_{2, "[proxy]\nworkers = 2\n[limits]\nnode_pending = 2\nnode_pending_bytes = \"1kb\"",
               2};
};

TEST_F(DispatcherTest, ShardsHaveTheirOwners) {
  EXPECT_EQ(world_.pool->shards()[0].owner, 0u);
  EXPECT_EQ(world_.pool->shards()[1].owner, 1u);
}

TEST_F(DispatcherTest, OwnShardsAreACallAway) {
  Submit(0, 0, RequestKind::kWrite, {"SET", "k", "v"});
  EXPECT_TRUE(of(0).outbox(0).empty() && of(0).outbox(1).empty());
  EXPECT_TRUE(world_.nodes[0].Serve());
  EXPECT_EQ(replies_, std::vector<std::string>{"+OK\r\n"});
}

TEST_F(DispatcherTest, RequestsAndRepliesTravel) {
  Request* set = Submit(0, 1, RequestKind::kWrite, {"SET", "k", "v"});
  Request* get = Submit(0, 1, RequestKind::kRead, {"GET", "k"});
  EXPECT_FALSE(world_.nodes[1].Serve());
  ASSERT_EQ(of(0).outbox(1).size(), 2u);
  EXPECT_TRUE(set->owns_frame());
  EXPECT_TRUE(world_.Exchange());
  EXPECT_TRUE(world_.nodes[1].Serve());
  EXPECT_TRUE(world_.nodes[1].Serve());
  EXPECT_TRUE(replies_.empty());  // not before they travel back
  ASSERT_EQ(of(1).outbox(0).size(), 2u);
  EXPECT_TRUE(world_.Exchange());
  EXPECT_EQ(replies_, (std::vector<std::string>{"+OK\r\n", "$1\r\nv\r\n"}));
  EXPECT_EQ(answered_, (std::vector<Request*>{set, get}));
  EXPECT_EQ(world_.nodes[1].seen[0], Command({"SET", "k", "v"}));
  EXPECT_FALSE(world_.Exchange());
}

TEST_F(DispatcherTest, LargeRepliesAreMoved) {
  Submit(0, 1, RequestKind::kRead, {"GET", "k"});
  world_.Exchange();
  Link* link = world_.nodes[1].link();
  world_.nodes[1].transport.Sent(link);
  const std::string reply = Bulk(std::string(200000, 'v'));
  link->OnData(reply.data(), 1000, 0);
  size_t size = 0;
  char* direct = link->DirectSpace(&size);
  ASSERT_NE(direct, nullptr);
  std::copy_n(reply.data() + 1000, size, direct);
  link->OnDirect(size, 0);
  world_.Exchange();
  ASSERT_EQ(replies_.size(), 1u);
  EXPECT_TRUE(replies_[0] == reply);
  EXPECT_EQ(last_data_, direct - 1000);
  ASSERT_NE(last_buffer_, nullptr);  // and may be taken over once more
  EXPECT_EQ(last_buffer_->data(), last_data_);
}

TEST_F(DispatcherTest, LargeRequestsAreMoved) {
  const std::string value(300000, 'v');
  const Request* request = Submit(0, 1, RequestKind::kWrite, {"SET", "k", value});
  const char* data = request->frame.data();
  world_.Exchange();
  bool found = false;
  world_.nodes[1].link()->out().ForEach([&](const char* slice, size_t) {
    found |= slice == data;
    return true;
  });
  EXPECT_TRUE(found);
  EXPECT_TRUE(of(0).Congested(1));
  world_.nodes[1].Serve();
  world_.Exchange();
  EXPECT_EQ(world_.nodes[1].data["k"], value);
  EXPECT_FALSE(of(0).Congested(1));  // the frame has gone, its size is still counted off
}

TEST_F(DispatcherTest, CountsWhatWaits) {
  for (uint32_t shard : {0u, 1u}) {
    EXPECT_FALSE(of(0).Congested(shard));
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(of(0).Congested(shard));
      Submit(0, shard, RequestKind::kRead, {"GET", "k"});
    }
    EXPECT_TRUE(of(0).Congested(shard));
    EXPECT_FALSE(of(0).Congested(1 - shard));
    EXPECT_FALSE(of(1).Congested(shard));  // each counts its own
    world_.Exchange();
    world_.nodes[shard].Serve();
    world_.Exchange();
    EXPECT_FALSE(of(0).Congested(shard));
    while (world_.nodes[shard].Serve()) {
    }
    world_.Exchange();
    Submit(0, shard, RequestKind::kWrite, {"SET", "k", std::string(2000, 'v')});
    EXPECT_TRUE(of(0).Congested(shard));
    world_.Exchange();
    world_.nodes[shard].Serve();
    world_.Exchange();
    EXPECT_FALSE(of(0).Congested(shard));
  }
}

TEST_F(DispatcherTest, WorkerRequests) {
  for (uint32_t worker : {0u, 1u}) world_.Connect(worker).session.state().client_name.Set("c");
  for (uint32_t worker : {0u, 1u}) {
    replies_.clear();
    Request* request = of(0).New();
    request->sink = this;
    request->Extra().cargo =
        std::make_unique<WorkerOrder>(ListClientsOrder{std::make_shared<ClientFilter>()});
    of(0).SubmitToWorker(request, worker);
    EXPECT_EQ(replies_.size(), worker == 0 ? 1u : 0u);
    world_.Exchange();  // there
    world_.Exchange();  // and back
    ASSERT_EQ(replies_.size(), 1u);
    EXPECT_EQ(replies_[0].substr(0, 5), "id=" + std::to_string(worker + 1) + " ");
    EXPECT_EQ(request->sink, this);
    of(0).Free(request);
  }
}

TEST_F(DispatcherTest, FreedRequestsAreAsNew) {
  Request* request = Submit(0, 1, RequestKind::kWrite, {"SET", "k", std::string(5000, 'v')});
  request->Extra().cargo = std::make_unique<RequestCargo>();
  request->primary_only = request->cursors = true;
  world_.Exchange();
  world_.nodes[1].Serve();
  world_.Exchange();
  of(0).Free(request);
  Request* again = of(0).New();
  ASSERT_EQ(again, request);
  EXPECT_EQ(again->Extra().cargo, nullptr);
  EXPECT_EQ(again->kind, RequestKind::kRead);
  EXPECT_FALSE(again->primary_only || again->cursors || again->submitted || again->answered ||
               again->owns_frame());
  EXPECT_EQ(again->row, nullptr);
  EXPECT_EQ(again->next, nullptr);
  EXPECT_LE(again->extra->owned.capacity() + again->extra->reply.capacity(), 1024u);
}

TEST_F(DispatcherTest, ManyMore) {
  std::vector<Request*> requests;
  for (int i = 0; i < 1000; ++i) requests.push_back(of(0).New());
  std::sort(requests.begin(), requests.end());
  EXPECT_EQ(std::unique(requests.begin(), requests.end()), requests.end());
  for (Request* request : requests) of(0).Free(request);
}

// Whole sessions on both workers, over shards of both.
TEST(TwoWorkersTest, EachClientSeesItsOwnOrder) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    World world(3, "[proxy]\nworkers = 2\n[limits]\nclient_pending = 7", 2);
    std::vector<std::string> wanted(2);
    for (uint32_t c = 0; c < 2; ++c) {
      FakeClient& client = world.Connect(c);
      Data model;
      std::string sent;
      for (int i = 0; i < 50; ++i) {
        const std::string one = std::to_string(c) + "k" + std::to_string(random() % 6);
        const std::string two = std::to_string(c) + "k" + std::to_string(random() % 6);
        const std::string value(random() % 8 == 0 ? 40000 : 5, static_cast<char>('a' + i % 26));
        Args args;
        switch (random() % 4) {
          case 0:
            args = {"MSET", one, value, two, "2"};
            break;
          case 1:
            args = {"MGET", one, two};
            break;
          case 2:
            args = {"APPEND", one, "x"};
            break;
          default:
            args = {"GET", one};
        }
        sent += Command(args);
        wanted[c] += Execute(&model, args);
      }
      client.Send(sent);
    }
    world.Run(seed);
    for (uint32_t c = 0; c < 2; ++c) {
      ASSERT_TRUE(world.workers[c]->clients[0]->received == wanted[c]) << "seed " << seed;
    }
  }
}

TEST(TwoWorkersTest, ClientListAndKillReachAll) {
  World world(1, "[proxy]\nworkers = 2", 2);
  FakeClient& one = world.Connect(0);
  FakeClient& two = world.Connect(1);
  const std::string list = world.Ask(one, {"CLIENT", "LIST"});
  EXPECT_NE(list.find("id=1 "), std::string::npos);
  EXPECT_NE(list.find("id=2 "), std::string::npos);
  EXPECT_EQ(world.Ask(one, {"CLIENT", "LIST", "ID", "2"}).find("id=1 "), std::string::npos);
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", "ID", "2"}), ":1\r\n");
  EXPECT_TRUE(two.closed);
  EXPECT_FALSE(one.closed);
}

// A client hangs up while its requests are with the other worker.
TEST(TwoWorkersTest, ClosedWithRequestsAtTheOther) {
  World world(2, "[proxy]\nworkers = 2", 2);
  FakeClient& client = world.Connect(0);
  client.Send(Command({"GET", world.Key(1)}) + Command({"MGET", world.Key(1), world.Key(0)}) +
              Command({"GET", world.Key(0)}) + Command({"CLIENT", "LIST"}));
  client.Close();
  while (world.nodes[0].Serve()) {
  }
  EXPECT_FALSE(client.session.Finished());
  world.Exchange();
  while (world.nodes[1].Serve()) {
  }
  EXPECT_FALSE(client.session.Finished());
  while (world.Exchange()) {
  }
  EXPECT_TRUE(client.session.Finished());
  EXPECT_EQ(client.received, "");
}

}  // namespace
}  // namespace gemel::session_test::dispatcher_test
